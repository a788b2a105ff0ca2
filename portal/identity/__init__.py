"""How a contact signs in."""
