"""What can be done to contacts."""

from portal.contacts.services.editing import create, created, register, update
from portal.contacts.services.own import move_to, present
from portal.contacts.services.standing import (
    activate,
    add_roles,
    assign_account,
    deactivate,
    remove_roles,
    set_field,
    verify_email,
)
from portal.contacts.services.values import (
    LANGUAGES,
    ContactValues,
    SameAddress,
    acceptable,
    check,
    labels,
    languages,
    with_value,
)

__all__ = [
    "LANGUAGES",
    "ContactValues",
    "SameAddress",
    "acceptable",
    "activate",
    "add_roles",
    "assign_account",
    "check",
    "create",
    "created",
    "deactivate",
    "labels",
    "languages",
    "move_to",
    "present",
    "register",
    "remove_roles",
    "set_field",
    "update",
    "verify_email",
    "with_value",
]
