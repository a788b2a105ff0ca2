"""What other pages show of accepting: the profile what was accepted, those of an invitation the answers besides yes."""

from typing import Any, NamedTuple

from flask import render_template, session

from portal.contacts.models import Contact
from portal.contacts.queries import display_name
from portal.identity.guard import current_contact
from portal.invitations.queries import requests
from portal.kernel import clock
from portal.redemption import pending, queries
from portal.redemption.forms import WordsForm
from portal.redemption.status import Standing


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


def decline(offer: queries.Offer) -> str:
    """*Decline* on the review page, for whoever came by the link; and that they declined before."""
    opened, person = offer.opened, current_contact()
    meant = opened.meant
    if opened.intent.proof != pending.LINK or meant is None or offer.standing is Standing.ALREADY:
        return ""
    if person is not None and person.id != meant.id:
        return ""
    declined_at = opened.invited.declined_at if opened.invited else None
    form = WordsForm(formdata=None)
    return render_template("redemption/_decline.html", declined_at=declined_at, form=form, mark=opened.intent.mark)


def ask_again(reason: str) -> str:
    """*Ask for a new invitation* on the page of a link that is over, or what became of asking."""
    intent = pending.recall(session)
    opened = queries.opened(intent, clock.now())
    if not reason or intent is None or opened is None or opened.meant is None or opened.over is None:
        return ""
    if intent.proof != pending.LINK or queries.redeemed(opened.invitation, opened.meant):
        return ""
    before = requests.latest(opened.invitation.id, opened.meant.id)
    form = WordsForm(formdata=None)
    return render_template("redemption/_ask_again.html", before=before, form=form, mark=intent.mark)
