"""What site owners set in the browser."""
