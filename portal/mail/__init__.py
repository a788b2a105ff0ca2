"""Messages: what is written into the outbox, and how a worker delivers it."""
