"""Invitations, as staff see them."""
