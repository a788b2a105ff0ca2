"""People inside: their permissions, their sign-in, the guard on every staff page."""
