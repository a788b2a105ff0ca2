"""So many messages a minute and no more, however many workers there are."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import delivery, pacing
from tests.support import make
from tests.support.clock import FrozenClock
from tests.support.live import Process
from tests.support.post import deliver, mail_to, message, people, queue, states
from tests.twins.smtp import SmtpTwin


def turns(per_minute: int, number: int) -> list[float]:
    """The next turns, in seconds from now."""
    with transaction():
        return [(pacing.turn(per_minute, clock.now()) - clock.now()).total_seconds() for _ in range(number)]


@pytest.mark.parametrize("per_minute", [1, 10, 60, 600, 6000])
def test_a_minute_holds_as_many_turns_as_are_allowed(app: Flask, frozen_clock: FrozenClock, per_minute: int) -> None:
    within = [turn for turn in turns(per_minute, 2 * per_minute + 2) if turn < 60]
    assert per_minute <= len(within) <= per_minute * 1.05 + 1


def test_what_was_missed_is_made_up_for_a_little(app: Flask, frozen_clock: FrozenClock) -> None:
    turns(600, 1)
    frozen_clock.move(hours=3)
    at_once = [turn for turn in turns(600, 100) if turn <= 0]
    assert 25 <= len(at_once) <= 31
    assert [turn for turn in turns(1, 1) if turn > 60] == [], "a slower pace begins anew"


def test_a_clock_that_went_wrong_holds_nobody_up(app: Flask, frozen_clock: FrozenClock) -> None:
    frozen_clock.move(days=30)
    turns(60, 1)
    frozen_clock.move(days=-30)
    assert turns(60, 1)[0] <= 60


def test_without_a_pace_nothing_is_written_for_it(app: Flask, smtp: SmtpTwin) -> None:
    from portal.mail.models import MailPace

    mail_to(app, smtp.url)
    queue(*people(3))
    deliver()
    assert db.session.query(MailPace).count() == 0


def test_mail_that_stays_here_is_not_held_up(app: Flask) -> None:
    make.set_site(mail_per_minute=1)
    ids = queue(*people(5))
    began = time.monotonic()
    deliver()
    assert set(states(ids)) == {"sent"}
    assert time.monotonic() - began < 5


def test_the_pace_is_kept(app: Flask, smtp: SmtpTwin) -> None:
    mail_to(app, smtp.url)
    make.set_site(mail_per_minute=600)
    at: list[float] = []
    smtp.behave(hook=lambda stage, recipient: at.append(time.monotonic()) if stage == "received" else None)
    ids = queue(*people(60))
    deliver()
    assert set(states(ids)) == {"sent"}
    apart = (at[-1] - at[30]) / (len(at) - 31)
    assert apart == pytest.approx(0.1, rel=0.05)


def test_a_mark_does_not_wait_for_the_next_turn(app: Flask, smtp: SmtpTwin) -> None:
    """What was sent is written down before anybody waits, or a crash meanwhile would send it twice."""
    mail_to(app, smtp.url)
    make.set_site(mail_per_minute=20)
    with transaction():
        pacing.turn(20, clock.now())
    ids = queue(*people(2))
    stop = threading.Event()

    def work() -> None:
        with app.app_context():
            delivery.turn("slow", stop.is_set)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        smtp.until(lambda: states(ids) == ["sent", "sending"] or states(ids) == ["sent", "queued"], 10)
        assert message(ids[1]).attempts == 0
    finally:
        stop.set()
        thread.join(5)
    assert not thread.is_alive(), "who waits for a turn stops when told to"
    assert states(ids) == ["sent", "queued"]


def test_somebody_who_waits_for_a_link_goes_before_invitations(app: Flask, smtp: SmtpTwin) -> None:
    mail_to(app, smtp.url)
    make.set_site(mail_per_minute=6000)
    contact = make.make_contact()
    invitation = make.make_invitation(contact, sent=True)
    early = clock.now() - timedelta(hours=1)
    for _ in range(40):
        make.make_message("invitation", contact=contact, due_at=early, about_kind="invitation", about_id=invitation.id)
    [urgent] = queue(make.make_contact(email1="urgent@example.org"))
    with app.app_context():
        delivery.turn("one", lambda: len(smtp.messages) >= 1)
    assert smtp.recipients[0] == "urgent@example.org"
    assert message(urgent).state == "sent"


@pytest.mark.long
def test_two_workers_keep_the_pace_together(app: Flask, smtp: SmtpTwin, live_worker: Callable[..., Process]) -> None:
    make.set_site(mail_per_minute=1200)
    at: list[float] = []
    smtp.behave(hook=lambda stage, recipient: at.append(time.monotonic()) if stage == "received" else None)
    ids = queue(*people(700))
    for _ in range(2):
        live_worker(PORTAL_MAIL_URL=smtp.url)
    smtp.until(lambda: len(at) >= 700, 60)
    apart = (at[-1] - at[99]) / (len(at) - 100)
    assert apart == pytest.approx(0.05, rel=0.05)
    assert len(set(smtp.recipients)) == len(ids)
