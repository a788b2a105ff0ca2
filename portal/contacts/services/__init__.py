"""What can be done to contacts."""

from portal.contacts.services.editing import create, register, update
from portal.contacts.services.own import move_to, present
from portal.contacts.services.standing import activate, add_roles, assign_account, deactivate, verify_email
from portal.contacts.services.values import LANGUAGES, ContactValues, SameAddress, acceptable, labels

__all__ = [
    "LANGUAGES",
    "ContactValues",
    "SameAddress",
    "acceptable",
    "activate",
    "add_roles",
    "assign_account",
    "create",
    "deactivate",
    "labels",
    "move_to",
    "present",
    "register",
    "update",
    "verify_email",
]
