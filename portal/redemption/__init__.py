"""Invitations, as the invitee meets them."""
