"""What every slice stands on: time, codes, secrets, the database. Knows no HTTP and no slice."""
