"""The list of invitations."""

from typing import Any

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.invitations.queries import lists, problems
from portal.invitations.status import expired, status_of
from portal.invitations.views.blueprint import bp
from portal.invitations.views.requests import requests_page
from portal.kernel import clock, paging
from portal.mail import words
from portal.settings.queries import site
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render


@bp.get("/")
@needs(Permission.VIEW)
def index() -> Response:
    """One view of the list: its tabs, its page, what can be done with the ticked rows."""
    now = clock.now()
    asked = [request.args.get(name, "") for name in ("view", "q", "sort", "direction")]
    wanted = lists.listing(*asked)
    after = request.args.get("after", "")
    if wanted.view == lists.REQUESTS:
        return requests_page(wanted, after, _tabs(wanted, lists.counts(now)), now)
    page = lists.page(wanted, after, now)
    invited = lists.invited([row.id for row in page.rows])
    counts = lists.counts(now)
    why = problems.why([row.id for row in page.rows]) if wanted.view == lists.PROBLEMS else {}
    zone = site().zone
    return render(
        "invitations/index.html",
        wanted=wanted,
        tabs=_tabs(wanted, counts),
        rows=[(row, status_of(row), expired(row, now), invited.get(row.id)) for row in page.rows],
        created_on={row.id: clock.local_day(row.created_at, zone) for row in page.rows},
        why={number: (row.id, words.reason(row.answer) or row.answer) for number, row in why.items()},
        total=counts[wanted.view],
        counted=paging.COUNTED,
        sorts={sort: _sort_url(wanted, sort) for sort in lists.SORTS},
        first_url=_url(wanted) if after else None,
        next_url=_url(wanted, after=page.after) if page.after else None,
        empty_text=_empty_text(wanted.view),
    )


def _tabs(wanted: lists.Listing, counts: dict[str, int]) -> list[tuple[str, str, bool, str | int]]:
    names = {
        "new": _("New"),
        "open": _("Open"),
        "completed": _("Completed"),
        "inactive": _("Inactive"),
        "expired": _("Expired"),
        "expiring": _("Expiring soon"),
        "problems": _("Problems"),
        "requests": _("Requests"),
        "all": _("All"),
    }
    return [
        (name, url_for(".index", view=view, q=wanted.text or None), view == wanted.view, _capped(counts[view]))
        for view, name in names.items()
    ]


def _capped(number: int) -> str | int:
    return "10,000+" if number > paging.COUNTED else number


def _sort_url(wanted: lists.Listing, sort: str) -> str:
    """The other direction of the order in force, else the usual one of another order."""
    down = not wanted.down if sort == wanted.sort else sort == "newest"
    return _url(wanted, sort=sort, direction="desc" if down else "asc")


def _url(wanted: lists.Listing, **more: Any) -> str:
    query = {
        "view": wanted.view,
        "q": wanted.text or None,
        "sort": wanted.sort,
        "direction": "desc" if wanted.down else "asc",
    }
    return url_for(".index", **{**query, **more})


def _empty_text(view: str) -> str:
    return {
        "new": _("An invitation stands here until it is sent."),
        "open": _("An invitation that was sent and still has redemptions left stands here."),
        "completed": _("An invitation moves here when its last allowed redemption was used."),
        "inactive": _("Deactivated invitations stand here. Their codes and links do not work."),
        "expired": _("Nothing has run out before it was redeemed."),
        "expiring": _("Nothing runs out within the next seven days."),
        "problems": _("Every open invitation has reached everybody it invites, or is still on its way."),
        "all": _("An invitation gives people access: it is sent by mail, and redeemed by its link or its code."),
    }[view]
