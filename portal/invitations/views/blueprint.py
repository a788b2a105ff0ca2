"""The blueprint that all pages of invitations hang on."""

from portal.web.guard import staff_blueprint

bp = staff_blueprint("invitations", "portal.invitations.views", "/invitations")
