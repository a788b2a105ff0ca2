"""The audit trail, which is also every record's timeline."""
