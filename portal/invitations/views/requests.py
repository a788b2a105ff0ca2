"""Who asked for a new invitation: the view of the list, and the two answers."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from flask import url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.invitations import services
from portal.invitations.models import InvitationRequest
from portal.invitations.queries import requests
from portal.invitations.queries.lists import Listing
from portal.invitations.queries.requests import Asked
from portal.invitations.views.blueprint import bp
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other


class Shown(NamedTuple):
    """An open request as a page shows it: whose, why their link is over, what a new invitation would do."""

    asked: Asked
    reason: str
    effect: str


@bp.post("/requests/<int:request_id>/reissue")
@needs(Permission.SEND)
def reissue(request_id: int) -> Response:
    """Send the asker a new invitation."""
    with transaction():
        done = services.reissue(request_id, actor(), clock.now())
        invitation_id, name, copied = done.invitation.id, done.contact.name, done.copied
    toast = _("A new invitation for %(name)s is on its way.", name=name)
    if copied:
        return see_other(url_for(".record", invitation_id=invitation_id), toast)
    return see_other(url_for(".index", view="requests"), toast)


@bp.post("/requests/<int:request_id>/refuse")
@needs(Permission.SEND)
def refuse(request_id: int) -> Response:
    """Say no."""
    with transaction():
        name = services.refuse(request_id, actor(), clock.now()).name
    toast = _("Refused. %(name)s gets no e-mail; the page behind the old link says so.", name=name)
    return see_other(url_for(".index", view="requests"), toast)


def requests_page(wanted: Listing, after: str, tabs: list[tuple[str, str, bool, str | int]], now: datetime) -> Response:
    """The view of the list that shows who asks, the oldest first."""
    page = requests.page(wanted.text, after)
    query: dict[str, Any] = {"view": wanted.view, "q": wanted.text or None}
    return render(
        "invitations/requests.html",
        wanted=wanted,
        tabs=tabs,
        rows=shown_requests(page.rows, now),
        first_url=url_for(".index", **query) if after else None,
        next_url=url_for(".index", **query, after=page.after) if page.after else None,
    )


def shown_requests(found: Iterable[Asked], now: datetime) -> list[Shown]:
    """The requests ready to be shown."""
    return [Shown(one, _reason(one.request), services.effect(one.invitation, one.invited, now)) for one in found]


def _reason(request: InvitationRequest) -> str:
    return {
        "expired": _("Had expired"),
        "completed": _("Was used up"),
        "inactive": _("Was withdrawn"),
        "contact_inactive": _("The contact is inactive"),
    }.get(request.reason, "")
