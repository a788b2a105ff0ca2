"""The pages of invitations; importing this binds all of them to the blueprint."""

from portal.invitations.views import bulk, changing, code, form, index, life, record, send
from portal.invitations.views.blueprint import bp

__all__ = ["bp", "bulk", "changing", "code", "form", "index", "life", "record", "send"]
