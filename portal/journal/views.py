"""The journal page: who did what to which record, when."""

from typing import Any

from flask import current_app, request, url_for
from flask.typing import ResponseReturnValue

from portal.journal import labels, queries
from portal.journal.services import Record
from portal.kernel.db import LARGEST_ID
from portal.kernel.names import searchable
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import render

bp = staff_blueprint("journal", __name__, "/journal")

# Where the page of a record is, and what its address calls the id. The slices above have no say in it here.
PAGES = {
    "invitation": ("invitations.record", "invitation_id"),
    "contact": ("contacts.record", "contact_id"),
    "account": ("accounts.record", "account_id"),
    "role": ("roles.record", "role_id"),
    "web_role": ("roles.record", "role_id"),
    "staff": ("people.record", "staff_id"),
    "message": ("outbox.record", "message_id"),
    "template": ("email_templates.record", "template_id"),
}


@bp.get("/")
@needs("read_journal")
def index() -> ResponseReturnValue:
    """The entries that the filters leave, newest first, a page at a time."""
    filters = _filters()
    found = queries.page(filters, request.args.get("after", ""))
    return render(
        "journal/index.html",
        lines=found.rows,
        filters=filters,
        groups=labels.groups(),
        kinds=labels.kinds(),
        url_of=record_url,
        first_url=_page_url(filters) if "after" in request.args else None,
        next_url=_page_url(filters, found.after) if found.after else None,
    )


def record_url(about: Record) -> str | None:
    """The page of a record, if there is one. It may be gone meanwhile."""
    endpoint, argument = PAGES.get(about.kind, ("", ""))
    values: dict[str, Any] = {argument: about.id}
    return url_for(endpoint, **values) if endpoint in current_app.view_functions else None


def _filters() -> queries.Filters:
    """What the address asks for; a value that makes no sense narrows nothing."""
    typed = {name: searchable(request.args.get(name, "")) for name in ("group", "actor", "kind", "id", "q")}
    number = typed["id"]
    sound = number.isascii() and number.isdigit() and len(number) < 11 and int(number) <= LARGEST_ID
    return queries.Filters(
        group=typed["group"] if typed["group"] in dict(labels.groups()) else "",
        actor=typed["actor"],
        kind=typed["kind"] if typed["kind"] in labels.kinds() else "",
        record_id=int(number) if sound else None,
        text=typed["q"],
    )


def _page_url(filters: queries.Filters, after: str | None = None) -> str:
    return url_for(
        "journal.index",
        group=filters.group or None,
        actor=filters.actor or None,
        kind=filters.kind or None,
        id=filters.record_id,
        q=filters.text or None,
        after=after,
    )
