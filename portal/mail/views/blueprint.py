"""The blueprint of the outbox, and how its list is asked for."""

from flask import request

from portal.kernel.names import searchable
from portal.mail import words
from portal.mail.queries import Filters
from portal.web.guard import staff_blueprint

bp = staff_blueprint("outbox", "portal.mail.views", "/outbox")


def filters() -> Filters:
    """What the list is narrowed to, read from the address, or from the form that acts on what matches."""
    state, kind = request.values.get("state", ""), request.values.get("kind", "")
    return Filters(
        state=state if state in words.states() else "",
        kind=kind if kind in words.kinds() else "",
        text=searchable(request.values.get("q", "")),
        contact_id=_number(request.values.get("contact", "")),
        invitation_id=_number(request.values.get("invitation", "")),
    )


def query_of(wanted: Filters) -> dict[str, str | int]:
    """The same as arguments of an address."""
    named = {
        "state": wanted.state,
        "kind": wanted.kind,
        "q": wanted.text,
        "contact": wanted.contact_id,
        "invitation": wanted.invitation_id,
    }
    return {name: value for name, value in named.items() if value}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None
