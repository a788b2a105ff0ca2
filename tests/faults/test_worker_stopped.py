"""SIGTERM, several workers at once, and what they leave behind."""

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from portal.jobs.models import Worker
from portal.kernel.db import db
from portal.mail.models import Message
from tests.support.live import Process
from tests.support.post import people, queue, states
from tests.twins.smtp import SmtpTwin

Start = Callable[..., Process]


def all_sent(ids: list[int], smtp: SmtpTwin) -> None:
    smtp.until(lambda: set(states(ids)) == {"sent"}, 240, lambda: str(Counter(states(ids))))


def stop_and_start(live_worker: Start, smtp: SmtpTwin, ids: list[int], rounds: int) -> None:
    for round_ in range(rounds):
        worker = live_worker(PORTAL_MAIL_URL=smtp.url)
        target = len(ids) * (round_ + 1) // (rounds + 1)
        smtp.wait_for(target)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(30) == 0
        db.session.rollback()
        assert db.session.query(Message).filter(Message.state == "sending").count() == 0
        assert db.session.query(Worker).count() == 0
    live_worker(PORTAL_MAIL_URL=smtp.url)
    all_sent(ids, smtp)
    assert Counter(Counter(smtp.recipients).values()) == {1: len(ids)}
    assert not db.session.query(Message).filter(Message.possible_duplicate).count()


def test_a_worker_that_is_told_to_stop_finishes_its_message(app: Flask, smtp: SmtpTwin, live_worker: Start) -> None:
    smtp.behave(delay=0.002)
    stop_and_start(live_worker, smtp, queue(*people(60)), rounds=1)


@pytest.mark.long
def test_fifty_restarts_double_nothing(app: Flask, smtp: SmtpTwin, live_worker: Start) -> None:
    smtp.behave(delay=0.002)
    stop_and_start(live_worker, smtp, queue(*people(500)), rounds=50)


def many_workers(live_worker: Start, smtp: SmtpTwin, messages: int, workers: int) -> None:
    ids = queue(*people(messages))
    for _ in range(workers):
        live_worker(PORTAL_MAIL_URL=smtp.url)
    all_sent(ids, smtp)
    assert Counter(Counter(smtp.recipients).values()) == {1: messages}


def test_two_workers_send_each_message_once(app: Flask, smtp: SmtpTwin, live_worker: Start) -> None:
    many_workers(live_worker, smtp, 150, 2)


@pytest.mark.long
def test_four_workers_send_a_thousand_once(app: Flask, smtp: SmtpTwin, live_worker: Start) -> None:
    many_workers(live_worker, smtp, 1000, 4)


def test_a_real_worker_keeps_mail_under_outbox(app: Flask, smtp: SmtpTwin, live_worker: Start) -> None:
    ids = queue(*people(3))
    live_worker()
    all_sent(ids, smtp)
    answers = {row.answer for row in db.session.query(Message.answer)}
    assert answers == {"Kept in the outbox; nothing left this machine."}
    assert not smtp.messages


def test_no_lock_file_is_left_behind(
    app: Flask, smtp: SmtpTwin, live_worker: Start, environment: dict[str, str]
) -> None:
    folder = Path(environment["PORTAL_INSTANCE"]) / "run"
    worker = live_worker(PORTAL_MAIL_URL=smtp.url)
    smtp.until(lambda: len(list(folder.glob("worker-*.lock"))) == 1, says=lambda: worker.log)
    worker.kill()
    other = live_worker(PORTAL_MAIL_URL=smtp.url)
    [one] = queue(*people(1))
    all_sent([one], smtp)
    smtp.until(lambda: len(list(folder.glob("worker-*.lock"))) == 1)
    assert other.stop() == 0
    assert not list(folder.glob("worker-*.lock"))
