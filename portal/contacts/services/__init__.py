"""What can be done to contacts."""

from portal.contacts.services.editing import create, register, update
from portal.contacts.services.standing import activate, add_roles, assign_account, deactivate, verify_email
from portal.contacts.services.values import LANGUAGES, ContactValues, SameAddress, labels

__all__ = [
    "LANGUAGES",
    "ContactValues",
    "SameAddress",
    "activate",
    "add_roles",
    "assign_account",
    "create",
    "deactivate",
    "labels",
    "register",
    "update",
    "verify_email",
]
