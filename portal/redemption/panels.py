"""What a contact's profile shows of the invitations they accepted, and what their download holds of them."""

from typing import Any, NamedTuple

from flask import render_template

from portal.contacts.models import Contact
from portal.contacts.queries import display_name
from portal.redemption import queries


class Accepted(NamedTuple):
    """An invitation that was accepted, as its line on the profile shows it."""

    inviter: str
    redeemed_at: object


def accepted(contact: Contact) -> str:
    """The invitations they accepted, latest first; nothing where there is none."""
    rows = queries.of_contact(contact.id)
    lines = [Accepted(display_name(row) if row.inviter_id else row.owner, row.redeemed_at) for row in rows]
    return render_template("redemption/_redemptions.html", lines=lines) if lines else ""


def data_of(contact: Contact) -> list[dict[str, Any]]:
    """The same for the file that they download."""
    rows = queries.of_contact(contact.id)
    return [
        {"redeemed_at": row.redeemed_at.isoformat(), "invited_by": display_name(row) if row.inviter_id else row.owner}
        for row in rows
    ]
