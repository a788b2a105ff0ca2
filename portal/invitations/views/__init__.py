"""The pages of invitations; importing this binds all of them to the blueprint."""

from portal.invitations.views import bulk, changing, code, form, index, life, notices, record, remind, requests, send
from portal.invitations.views.blueprint import bp

__all__ = [
    "bp",
    "bulk",
    "changing",
    "code",
    "form",
    "index",
    "life",
    "notices",
    "record",
    "remind",
    "requests",
    "send",
]
