"""The list of invitations: its views, its orders, its pages and its counts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, func, literal, or_, select, tuple_

from portal.contacts.models import Contact
from portal.invitations.models import Invitation, InvitationRequest, InvitedContact
from portal.invitations.queries import problems, requests
from portal.invitations.status import Status
from portal.kernel import addresses, paging
from portal.kernel.db import contains, db
from portal.kernel.names import fold, searchable
from portal.staff.models import StaffMember

SOON = timedelta(days=7)
SORTS = ("newest", "name", "expiry")
ALL, EXPIRED, EXPIRING, PROBLEMS, REQUESTS = "all", "expired", "expiring", "problems", "requests"
VIEWS = (*(status.value for status in Status), ALL, EXPIRED, EXPIRING, PROBLEMS, REQUESTS)
DEFAULT_VIEW, DEFAULT_SORT = Status.OPEN.value, "newest"

_I = Invitation
_ACTIVE = _I.deactivated_at.is_(None)
_UNFINISHED = and_(_ACTIVE, _I.completed_at.is_(None))
PREDICATES: dict[str, ColumnElement[bool]] = {
    Status.NEW: and_(_UNFINISHED, _I.sent_at.is_(None)),
    Status.OPEN: and_(_UNFINISHED, _I.sent_at.is_not(None)),
    Status.COMPLETED: and_(_ACTIVE, _I.completed_at.is_not(None)),
    Status.INACTIVE: _I.deactivated_at.is_not(None),
}
"""The four views in the words of their partial indexes."""

_COLUMNS: tuple[Any, ...] = (
    _I.id,
    _I.name,
    _I.name_key,
    _I.type,
    _I.expires_on,
    _I.expires_at,
    _I.used,
    _I.max_redemptions,
    _I.created_at,
    _I.sent_at,
    _I.completed_at,
    _I.deactivated_at,
    StaffMember.name.label("owner"),
)


class Listing(NamedTuple):
    """Which rows a list shows and in which order; `down` turns the order round."""

    view: str = DEFAULT_VIEW
    text: str = ""
    sort: str = DEFAULT_SORT
    down: bool = True

    @property
    def by_expiry_only(self) -> bool:
        """The two views about expiry are cheap in that order alone, and only that order says anything."""
        return self.view in (EXPIRED, EXPIRING)


class Invited(NamedTuple):
    """Whom a row of the list invites: the first contact's name and address, how many more; how many said no."""

    name: str
    email: str
    more: int
    declined: int = 0


def listing(view: str, text: str, sort: str, direction: str) -> Listing:
    """A list as an address asks for it; what it cannot mean becomes the usual."""
    view = view if view in VIEWS else DEFAULT_VIEW
    usual = "expiry" if view in (EXPIRED, EXPIRING) else DEFAULT_SORT
    sort = sort if sort in SORTS and usual != "expiry" else usual
    down = direction == "desc" if direction in ("asc", "desc") else sort == "newest" or view == EXPIRED
    return Listing(view, searchable(text), sort, down)


def page(wanted: Listing, after: str, now: datetime) -> paging.Page[Row[Any]]:
    """A page of the list; `after` is the cursor of the page before."""
    if wanted.sort == "expiry":
        return _by_expiry(wanted, after, now)
    reached = paging.keys(after, str, int)
    column: Any = _I.name_key
    if wanted.sort == "newest":
        column = _I.created_at
        instant = _instant(reached[0]) if reached else None
        reached = (instant, reached[1]) if reached and instant else None
    rows = _segment(wanted, _where(wanted.view, now)[0], column, reached)
    return paging.page(rows, lambda row: (_key(row, wanted.sort), row.id))


def counts(now: datetime) -> dict[str, int]:
    """How many rows each view holds, counted to 10,001 at most, in one statement."""
    columns = [
        sum((paging.capped_column(rows) for rows in _counted(view, now)), literal(0)).label(view) for view in VIEWS
    ]
    found = db.session.execute(select(*columns)).one()
    return {view: min(number, paging.COUNTED + 1) for view, number in zip(VIEWS, found, strict=True)}


def invited(ids: Sequence[int]) -> dict[int, Invited]:
    """Whom each of these invitations invites: one contact each, and the number of the others."""
    if not ids:
        return {}
    first = (
        select(
            InvitedContact.invitation_id,
            func.min(InvitedContact.contact_id).label("contact_id"),
            func.count().label("number"),
            func.count(InvitedContact.declined_at).label("declined"),
        )
        .where(InvitedContact.invitation_id.in_(ids))
        .group_by(InvitedContact.invitation_id)
        .subquery()
    )
    rows = select(first.c.invitation_id, first.c.number, first.c.declined, Contact).join(
        Contact, Contact.id == first.c.contact_id
    )
    found = db.session.execute(rows)
    return {
        row.invitation_id: Invited(row.Contact.name, row.Contact.email1 or "", row.number - 1, row.declined)
        for row in found
    }


def _where(view: str, now: datetime) -> list[ColumnElement[bool]]:
    """The view's rows as one or two disjoint conditions, each of which a partial index serves."""
    if view in PREDICATES:
        return [PREDICATES[view]]
    if view == ALL:
        return [_I.id > 0]
    if view == PROBLEMS:
        return [problems.among(PREDICATES[Status.OPEN])]
    if view == REQUESTS:
        return [_I.id.in_(select(InvitationRequest.invitation_id).where(requests.OPEN))]
    over = _I.expires_at <= now if view == EXPIRED else and_(_I.expires_at > now, _I.expires_at <= now + SOON)
    return [and_(PREDICATES[status], over) for status in (Status.NEW, Status.OPEN)]


def _counted(view: str, now: datetime) -> list[Select[Any]]:
    """What a tab counts: invitations, or in one view who asks for another."""
    if view == REQUESTS:
        return [requests.open_ids()]
    return [select(_I.id).where(held) for held in _where(view, now)]


def _by_expiry(wanted: Listing, after: str, now: datetime) -> paging.Page[Row[Any]]:
    """Rows that expire, and those that never do: last going up, first going down, the same on every database."""
    reached = paging.keys(after, str, int)
    instant = _instant(reached[0]) if reached else None
    if reached and reached[0] and instant is None:
        reached = None
    conditions = _where(wanted.view, now)
    dated_from = (instant, reached[1]) if reached and instant is not None else None
    never_from = reached[1] if reached and instant is None else None

    def dated() -> list[Row[Any]]:
        parts = [_segment(wanted, and_(c, _I.expires_at.is_not(None)), _I.expires_at, dated_from) for c in conditions]
        return list(merge(*parts, key=lambda row: (row.expires_at, row.id), reverse=wanted.down))

    def never() -> list[Row[Any]]:
        if wanted.by_expiry_only:
            return []
        reached_never = (never_from,) if never_from else None
        return _segment(wanted, and_(conditions[0], _I.expires_at.is_(None)), None, reached_never)

    first, second = (never, dated) if wanted.down else (dated, never)
    began_second = (instant is not None) == wanted.down if reached else False
    rows = [] if began_second else first()
    if len(rows) <= paging.PAGE_SIZE:
        rows += second()
    return paging.page(rows, lambda row: (_key(row, "expiry"), row.id))


def _segment(
    wanted: Listing, condition: ColumnElement[bool], column: Any, reached: tuple[Any, ...] | None
) -> list[Row[Any]]:
    keys = [_I.id] if column is None else [column, _I.id]
    rows: Select[Any] = select(*_COLUMNS).join(StaffMember, StaffMember.id == _I.owner_id)
    rows = _search(rows.where(condition), wanted.text)
    if reached is not None:
        here = tuple_(*keys)
        there = tuple_(*(literal(value, key.type) for value, key in zip(reached, keys, strict=True)))
        rows = rows.where(here < there if wanted.down else here > there)
    order = [key.desc() if wanted.down else key.asc() for key in keys]
    return list(db.session.execute(rows.order_by(*order).limit(paging.PAGE_SIZE + 1)).all())


def _search(rows: Select[Any], text: str) -> Select[Any]:
    """Rows whose name, or whose invited contact's name or address, holds every word. Codes are never looked at."""
    words = text.split()
    if not words:
        return rows
    named = and_(*(_I.name_key.like(contains(fold(word, 200)), escape="\\") for word in words))
    of_contact = [
        or_(
            Contact.name_key.like(contains(fold(word, 200)), escape="\\"),
            Contact.email1_key.like(
                contains(addresses.canonical(word) if "@" in word else addresses.lowered(word)), escape="\\"
            ),
        )
        for word in words
    ]
    invites = (
        select(InvitedContact.contact_id)
        .join(Contact, Contact.id == InvitedContact.contact_id)
        .where(InvitedContact.invitation_id == _I.id, *of_contact)
    )
    return rows.where(or_(named, invites.exists()))


def _key(row: Row[Any], sort: str) -> str:
    if sort == "name":
        return str(row.name_key)
    instant = row.created_at if sort == "newest" else row.expires_at
    return instant.isoformat() if instant else ""


def _instant(text: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(text)
        return instant.astimezone(UTC) if instant.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
