"""Tells staff members by mail that a way to sign in changed: mail stands above them, so a job carries it there."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from portal.mail import outbox
from portal.mail.models import Message
from portal.mail.outbox import Cancelled, Prepared
from portal.settings.queries import site
from portal.staff import queries

KIND = "staff-sign-in-changed"


def write(detail: dict[str, Any], job_id: int, now: datetime) -> None:
    """Put the message into the outbox; the same job never writes two."""
    outbox.enqueue(KIND, now=now, staff_id=detail["staff_id"], detail=detail, dedupe_key=f"{KIND}:{job_id}")


def prepare(message: Message, now: datetime) -> Prepared:
    """What the notice says. Raises Cancelled for somebody who works here no more."""
    member = queries.find(message.staff_id or 0)
    if member is None or not member.active:
        raise Cancelled(_("This person does not work here any more."))
    values = {
        "site_name": site().name,
        "name": member.name,
        "when": datetime.fromisoformat(message.detail["at"]).astimezone(site().zone),
        "what": message.detail["what"],
        "which": message.detail.get("name", ""),
    }
    return Prepared(to=member.email, template=KIND, values=values)
