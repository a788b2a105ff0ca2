"""Jobs happen once, are tried again with patience, and come back from the dead."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from portal.jobs import handlers, presence, queue, runner
from portal.jobs.handlers import Failure
from portal.jobs.models import Job
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict
from tests.support.clock import FrozenClock
from tests.support.make import make_job

Turn = Callable[[], bool]


@pytest.fixture(autouse=True)
def _frozen(app: Flask, frozen_clock: FrozenClock) -> None:
    """Time stands still."""


@pytest.fixture
def turn() -> Turn:
    return lambda: runner.turn("me", lambda: False)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the handler of the kind "test" was given; it raises what its detail says."""
    found: list[Any] = []

    def run(detail: dict[str, Any], job_id: int, now: datetime) -> None:
        make_account_inside(f"effect {detail.get('n', job_id)}")
        if detail.get("fails"):
            raise Conflict("not today") if detail["fails"] == "plainly" else RuntimeError("secret words")
        found.append(detail)

    def failed(detail: dict[str, Any], job_id: int, now: datetime, failure: Failure) -> None:
        found.append(failure)

    monkeypatch.setitem(handlers.registry, "test", handlers.Registered(run, failed))
    return found


def make_account_inside(name: str) -> None:
    from portal.accounts.models import Account
    from portal.kernel import clock

    now = clock.now()
    db.session.add(Account(name=name, name_key=name, created_at=now, updated_at=now))


def effects() -> int:
    from portal.accounts.models import Account

    db.session.rollback()
    return db.session.query(Account).count()


def job(job_id: int) -> Job:
    db.session.rollback()
    return db.session.get_one(Job, job_id, populate_existing=True)


def test_a_failed_try_leaves_nothing_and_waits(turn: Turn, seen: list[Any], frozen_clock: FrozenClock) -> None:
    one = make_job("test", detail={"fails": "yes"})
    assert turn()
    assert (effects(), job(one.id).state, job(one.id).attempts) == (0, "queued", 1)
    assert job(one.id).error == "RuntimeError", "the words of a fault may hold anything"
    wait = job(one.id).due_at - frozen_clock.now
    assert timedelta(minutes=1) <= wait <= timedelta(seconds=66)
    assert not turn()


def test_five_more_tries_then_it_has_failed(turn: Turn, seen: list[Any], frozen_clock: FrozenClock) -> None:
    one = make_job("test", detail={"fails": "plainly"})
    waits = []
    while turn():
        if job(one.id).state == "queued":
            waits.append((job(one.id).due_at - frozen_clock.now) / timedelta(minutes=1))
            frozen_clock.set(job(one.id).due_at)
    assert [expected <= wait <= expected * 1.1 for expected, wait in zip((1, 5, 15, 30, 60), waits, strict=True)]
    assert (job(one.id).state, job(one.id).error, effects()) == ("failed", "not today", 0)
    assert [failure.final for failure in seen] == [False] * 5 + [True]


def test_a_job_nobody_knows_fails_and_the_others_go_on(turn: Turn, seen: list[Any]) -> None:
    strange, good = make_job("no such kind"), make_job("test", detail={"n": 1})
    while turn():
        pass
    assert (job(strange.id).attempts, job(good.id).state) == (1, "done")


def test_an_effect_and_its_mark_are_one(turn: Turn, seen: list[Any]) -> None:
    one = make_job("test", detail={"n": 1})
    assert turn()
    assert (effects(), job(one.id).state, job(one.id).finished_at is not None) == (1, "done", True)
    assert not turn()


def test_what_is_not_due_waits(turn: Turn, seen: list[Any], frozen_clock: FrozenClock) -> None:
    with transaction():
        queue.enqueue("test", {}, now=frozen_clock.now, due_at=frozen_clock.now + timedelta(minutes=1))
    assert not turn()
    frozen_clock.move(minutes=1)
    assert turn()


def test_a_job_that_was_undone_never_runs(turn: Turn, seen: list[Any], frozen_clock: FrozenClock) -> None:
    def ask_and_fail() -> None:
        with transaction():
            queue.enqueue("test", {}, now=frozen_clock.now)
            raise Conflict

    with pytest.raises(Conflict):
        ask_and_fail()
    assert not turn()


def test_the_same_key_is_one_job(seen: list[Any], frozen_clock: FrozenClock) -> None:
    with transaction():
        first = queue.enqueue("test", {"n": 1}, now=frozen_clock.now, dedupe_key="once").id
        again = queue.enqueue("test", {"n": 2}, now=frozen_clock.now, dedupe_key="once").id
    assert first == again
    assert job(first).detail == {"n": 1}
    assert db.session.query(Job).count() == 1


def test_a_lease_that_ran_out_frees_the_job_and_its_old_worker_loses_it(
    turn: Turn, seen: list[Any], frozen_clock: FrozenClock
) -> None:
    one = make_job("test", detail={"n": 1})
    with transaction():
        assert queue.claim("elsewhere", frozen_clock.now) == [one.id]
    assert not turn()
    frozen_clock.move(seconds=121)
    with transaction():
        presence.release_overdue([], [queue.JOBS], frozen_clock.now)
    assert turn()
    with transaction():
        assert queue.hold(one.id, "elsewhere", frozen_clock.now) is None
    assert (effects(), job(one.id).state) == (1, "done")


def test_a_clock_that_jumps_frees_nothing_of_a_living_worker(seen: list[Any], frozen_clock: FrozenClock) -> None:
    one = make_job("test")
    with transaction():
        queue.claim("here", frozen_clock.now)
    with transaction():
        assert presence.release_overdue(["here"], [queue.JOBS], frozen_clock.move(days=1)) == 0
    assert job(one.id).state == "running"


def test_looking_for_work_takes_no_write_lock(turn: Turn, statements: Callable[[], Any]) -> None:
    with statements() as sent:
        assert not turn()
    assert len(sent) == 1


@pytest.mark.sqlite_only
def test_claiming_uses_the_index_over_what_waits(frozen_clock: FrozenClock) -> None:
    from sqlalchemy import event

    sent: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda c, cursor, sql, *more: sent.append(sql))
    queue.any_due(frozen_clock.now)
    [asked] = [sql for sql in sent if sql.startswith("SELECT")]
    found = " ".join(
        row[3] for row in db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", ("2026", 1, 0))
    )
    assert "ix_job_due" in found
