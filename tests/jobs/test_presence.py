"""A worker's lock tells who lives; what the dead hold is free at once."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask

from portal.jobs import presence, queue
from portal.jobs.models import Job, Worker
from portal.kernel import clock
from portal.kernel.db import db, transaction
from tests.support.make import make_job

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def claimed(worker: str) -> Job:
    job = make_job("test")
    with transaction():
        queue.claim(worker, clock.now())
    db.session.refresh(job)
    return job


def test_a_living_worker_is_left_alone(app: Flask, tmp_path: Path) -> None:
    me = presence.Presence(tmp_path)
    assert presence.survey(tmp_path) == ([me.id], [])
    assert me.path.stat().st_mode & 0o077 == 0
    me.close()
    assert presence.survey(tmp_path) == ([], [])


def test_what_a_dead_worker_holds_is_free_at_once(app: Flask, tmp_path: Path) -> None:
    dead = presence.Presence(tmp_path)
    job = claimed(dead.id)
    with transaction():
        dead.beat(clock.now())
    os.close(dead._descriptor)  # what the kernel does at kill -9: the file stays, its lock goes
    alive, graves = presence.survey(tmp_path)
    assert (alive, [grave.worker for grave in graves]) == ([], [dead.id])
    with transaction():
        assert presence.bury(graves, [queue.JOBS], clock.now()) == 1
    for grave in graves:
        grave.close(cleared=True)
    db.session.refresh(job)
    assert (job.state, job.worker) == ("queued", None)
    assert db.session.query(Worker).count() == 0
    assert not list(tmp_path.iterdir())


def test_two_workers_do_not_dig_up_the_same_grave(app: Flask, tmp_path: Path) -> None:
    dead = presence.Presence(tmp_path)
    os.close(dead._descriptor)
    _, mine = presence.survey(tmp_path)
    assert len(mine) == 1
    assert presence.survey(tmp_path)[1] == []
    mine[0].close(cleared=False)
    assert len(presence.survey(tmp_path)[1]) == 1, "not cleared: the next one finds it again"


def test_a_worker_that_leaves_gives_everything_back(app: Flask, tmp_path: Path) -> None:
    me = presence.Presence(tmp_path)
    job = claimed(me.id)
    with transaction():
        me.beat(clock.now())
        me.leave([queue.JOBS], clock.now())
    db.session.refresh(job)
    assert (job.state, db.session.query(Worker).count()) == ("queued", 0)
    me.close()


@pytest.mark.parametrize("times", [1, 3])
def test_a_sign_of_life_is_one_row(app: Flask, tmp_path: Path, times: int) -> None:
    me = presence.Presence(tmp_path)
    for _ in range(times):
        with transaction():
            me.beat(NOW)
    assert db.session.query(Worker).count() == 1
    assert presence.last_seen() == NOW
    me.close()
