"""What the pages of the slices above show of passkeys."""

from collections.abc import Callable
from typing import Any

from flask import render_template

from portal.passkeys import queries

TEMPLATES_KNOW: dict[str, Callable[..., Any]] = {
    "passkeys_offered": queries.offered,
    "passkeys_of_contact": queries.of_contact,
    "passkeys_of_staff": queries.of_staff,
}
"""Globals of all templates: the pages that offer a passkey belong to several slices."""


def of_contact(contact: Any) -> str:
    """The passkeys of the signed-in contact, on their profile."""
    return _own("passkeys", queries.of_contact(contact.id))


def of_staff(member: Any) -> str:
    """The passkeys of the signed-in staff member, on their profile."""
    return _own("staff_passkeys", queries.of_staff(member.id))


def _own(blueprint: str, keys: list[Any]) -> str:
    offered, nameless = queries.offered(), queries.lack_a_name()
    if not (keys or offered or nameless):
        return ""
    return render_template("passkeys/_own.html", blueprint=blueprint, keys=keys, offered=offered, nameless=nameless)
