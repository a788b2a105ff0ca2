"""Status: one definition in Python, one in SQL, the views of the list, over every combination of facts."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from portal.invitations import queries
from portal.invitations.models import Invitation
from portal.invitations.queries import lists
from portal.invitations.status import Facts, Reason, Status, dead, expired, status, status_of
from portal.kernel import clock
from portal.kernel.db import db
from tests.support import make
from tests.support.clock import FrozenClock

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
YESTERDAY, SOON, LATER = (NOW + timedelta(days=days) for days in (-1, 3, 300))


@pytest.mark.parametrize(("sent", "completed", "deactivated"), list(product([False, True], repeat=3)))
def test_deactivated_beats_completed_beats_sent(sent: bool, completed: bool, deactivated: bool):
    found = status(Facts(sent=sent, completed=completed, deactivated=deactivated))
    expected = (
        Status.INACTIVE if deactivated else Status.COMPLETED if completed else Status.OPEN if sent else Status.NEW
    )
    assert found == expected


@pytest.mark.parametrize(
    ("completed", "deactivated", "expires"), list(product([False, True], [False, True], [None, YESTERDAY, LATER]))
)
def test_why_an_invitation_is_dead(completed: bool, deactivated: bool, expires: datetime | None):
    one = SimpleNamespace(
        sent_at=NOW,
        completed_at=NOW if completed else None,
        deactivated_at=NOW if deactivated else None,
        expires_at=expires,
    )
    expected = (
        Reason.INACTIVE
        if deactivated
        else Reason.COMPLETED
        if completed
        else Reason.EXPIRED
        if expires == YESTERDAY
        else None
    )
    assert dead(one, NOW) == expected


def test_expiry_counts_from_its_instant_on():
    one = SimpleNamespace(sent_at=None, completed_at=None, deactivated_at=None, expires_at=NOW)
    assert not expired(one, NOW - timedelta(microseconds=1))
    assert expired(one, NOW)
    assert status_of(one) == Status.NEW


@pytest.fixture
def every_combination(app: Flask, frozen_clock: FrozenClock) -> int:
    """sent × completed × deactivated × expiry × type × seats, as far as the database allows it."""
    owner, contact = make.make_staff("owner"), make.make_contact()
    made = 0
    cases = product(
        [False, True], [False, True], [False, True], [None, YESTERDAY, NOW, SOON, LATER], ["single", "group"]
    )
    for sent, completed, deactivated, expires, kind in cases:
        for most, used in [(1, 0), (1, 1)] if kind == "single" else [(None, 0), (None, 3), (3, 0), (3, 2), (3, 3)]:
            make.make_invitation(
                contact,
                type=kind,
                owner=owner,
                sent=sent,
                completed=completed,
                deactivated=deactivated,
                expires_at=expires,
                expires_on=date(2026, 1, 1) if expires else None,
                **({"max_redemptions": most, "used": used}),
            )
            made += 1
    return made


def test_python_and_sql_agree_and_the_views_are_disjoint_and_exhaustive(every_combination: int):
    rows = db.session.execute(select(Invitation, queries.STATUS)).all()
    assert len(rows) == every_combination == 280
    for invitation, in_sql in rows:
        assert in_sql == status_of(invitation).value
    held = {view: set(db.session.scalars(select(Invitation.id).where(lists.PREDICATES[view]))) for view in Status}
    for invitation, in_sql in rows:
        assert [view.value for view in Status if invitation.id in held[view]] == [in_sql]


def test_the_counts_are_those_of_the_views(every_combination: int):
    now = clock.now()
    counted = lists.counts(now)
    assert sum(counted[view.value] for view in Status) == counted["all"] == every_combination
    rows = list(db.session.scalars(select(Invitation)))
    unfinished = [one for one in rows if status_of(one) in (Status.NEW, Status.OPEN)]
    assert counted["expired"] == sum(expired(one, now) for one in unfinished) > 0
    soon = [one for one in unfinished if one.expires_at and now < one.expires_at <= now + timedelta(days=7)]
    assert counted["expiring"] == len(soon) > 0


def test_paging_shows_every_row_of_a_view_once_in_order(every_combination: int):
    now = clock.now()
    counted = lists.counts(now)
    for view, sort, direction in product(lists.VIEWS, lists.SORTS, ["asc", "desc"]):
        seen = _walk(lists.listing(view, "", sort, direction))
        assert len({row.id for row in seen}) == len(seen) == counted[view], (view, sort, direction)
        keys = [(_sort_key(row, lists.listing(view, "", sort, direction).sort), row.id) for row in seen]
        assert keys == sorted(keys, reverse=direction == "desc"), (view, sort, direction)


def _walk(wanted: lists.Listing) -> list:
    rows, after = [], ""
    while True:
        page = lists.page(wanted, after, clock.now())
        assert len(page.rows) <= 50
        rows += page.rows
        if page.after is None:
            return rows
        after = page.after


def _sort_key(row: Any, sort: str) -> object:
    never = datetime.max.replace(tzinfo=UTC)
    return {"newest": row.created_at, "name": row.name_key, "expiry": row.expires_at or never}[sort]


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("view", "sort"), list(product([view.value for view in Status], lists.SORTS)))
def test_a_page_reads_the_index_made_for_it(app: Flask, view: str, sort: str):
    """The view's own partial index, in its order: no sorting, whatever the number of rows."""
    column = {"newest": Invitation.created_at, "name": Invitation.name_key, "expiry": Invitation.expires_at}[sort]
    query = select(Invitation.id, Invitation.name).where(lists.PREDICATES[view])
    if sort == "expiry":
        query = query.where(column.is_not(None))
    query = query.order_by(column.desc(), Invitation.id.desc()).limit(51)
    sql = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
    plan = " ".join(row.detail for row in db.session.execute(text(f"EXPLAIN QUERY PLAN {sql}")))
    assert f"ix_invitation_{view}_{column.key}" in plan
    assert "TEMP B-TREE" not in plan
