"""Working stand-ins for what the portal talks to: real sockets, real protocols."""
