"""People outside."""
