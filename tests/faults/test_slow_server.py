"""A mail server that says nothing, or is away, holds up mail and nothing else."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from flask import Flask

from portal.jobs.models import Job
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import transport
from portal.mail.models import Message
from portal.workflows import services
from portal.workflows.models import WorkflowRun
from tests.support import make
from tests.support.clients import Client
from tests.support.live import Process
from tests.support.post import deliver, mail_to, message, people, queue, states
from tests.twins.smtp import SmtpTwin


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "COMMAND_TIMEOUT", 0.3)
    monkeypatch.setattr(transport, "DATA_TIMEOUT", 0.6)


def test_the_patience_is_as_stated() -> None:
    assert (transport.COMMAND_TIMEOUT, transport.DATA_TIMEOUT) == (30, 120)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"])
def test_silence_is_given_up_on_and_defers(app: Flask, smtp: SmtpTwin, stage: str) -> None:
    mail_to(app, smtp.url)
    smtp.behave(silent={stage})
    ids = queue(*people(2))
    deliver()
    assert states(ids) == ["deferred", "deferred"]
    assert "did not answer" in message(ids[0]).answer
    assert not message(ids[0]).possible_duplicate


@pytest.mark.usefixtures("impatient")
def test_silence_after_the_text_may_mean_that_it_was_taken(app: Flask, smtp: SmtpTwin) -> None:
    mail_to(app, smtp.url)
    smtp.behave(silent={"END"})
    [one] = queue(*people(1))
    deliver()
    assert (message(one).state, message(one).possible_duplicate) == ("deferred", True)
    assert "did not confirm" in message(one).answer


def test_jobs_run_while_mail_is_stuck(app: Flask, smtp: SmtpTwin, live_worker: Callable[..., Process]) -> None:
    smtp.behave(silent={"CONNECT"})
    contact = make.make_contact()
    [stuck] = queue(contact)
    live_worker(PORTAL_MAIL_URL=smtp.url)
    smtp.until(lambda: smtp.connections == 1)
    workflow_id, contact_id = make.shipped_workflow("timeline-note").id, contact.id
    with transaction():
        run = services.start(workflow_id, contact_id, cause=("test", 1), invitation_id=None, now=clock.now())
        run_id = run.id

    def is_done() -> bool:
        db.session.rollback()
        return db.session.get_one(WorkflowRun, run_id).state == "done"

    smtp.until(is_done, 10)
    assert message(stuck).state == "sending"
    assert db.session.query(Job).filter(Job.state != "done").count() == 0


@pytest.mark.long
def test_a_silent_server_is_left_after_thirty_seconds(
    app: Flask, smtp: SmtpTwin, live_worker: Callable[..., Process]
) -> None:
    smtp.behave(silent={"CONNECT"})
    [one] = queue(*people(1))
    live_worker(PORTAL_MAIL_URL=smtp.url)
    smtp.until(lambda: smtp.connections == 1)
    began = time.monotonic()
    smtp.until(lambda: message(one).state == "deferred", 40)
    assert 28 <= time.monotonic() - began <= 34


def test_the_pages_work_while_the_server_is_away_and_mail_follows(
    app: Flask, smtp: SmtpTwin, live_worker: Callable[..., Process], sign_in_as: Callable[[str], Client]
) -> None:
    smtp.refuse()
    ids = queue(*people(40))
    live_worker(PORTAL_MAIL_URL=smtp.url)
    smtp.until(lambda: set(states(ids)) == {"deferred"}, 30, lambda: str(Counter(states(ids))))
    page = sign_in_as("viewer").page(f"/staff/outbox/{ids[0]}")
    assert "Next try at" in page.text
    smtp.listen()
    with transaction():
        db.session.query(Message).update({"due_at": clock.now()})  # the minute is over
    smtp.until(lambda: set(states(ids)) == {"sent"}, 30, lambda: str(Counter(states(ids))))
    assert Counter(Counter(smtp.recipients).values()) == {1: 40}


@pytest.mark.sqlite_only
def test_a_locked_database_does_not_make_it_send_twice(
    app: Flask, smtp: SmtpTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark of what was sent is tried until it is written."""
    import sqlite3

    from sqlalchemy import event

    mail_to(app, smtp.url)
    ids = queue(*people(3))
    other = sqlite3.connect(str(db.engine.url.database), isolation_level=None, check_same_thread=False)
    freed = threading.Event()

    def lock(point: str, recipient: str) -> None:
        if point == "replied" and len(smtp.messages) == 1 and not freed.is_set():
            other.execute("BEGIN IMMEDIATE")

            def free() -> None:
                freed.wait(0.4)
                other.execute("ROLLBACK")
                freed.set()

            threading.Thread(target=free, daemon=True).start()

    smtp.behave(hook=lock)

    def impatient(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute("PRAGMA busy_timeout=50")

    event.listen(db.engine, "checkout", impatient)
    try:
        deliver()
    finally:
        event.remove(db.engine, "checkout", impatient)
        other.close()
    assert freed.is_set()
    assert states(ids) == ["sent"] * 3
    assert Counter(Counter(smtp.recipients).values()) == {1: 3}
