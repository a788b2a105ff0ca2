"""What tests of every slice share; imports nothing of pytest, so that scripts may use it too."""
