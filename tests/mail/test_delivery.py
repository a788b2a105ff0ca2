"""What becomes of a message, whatever the mail server does."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from portal.kernel.db import db
from portal.mail import outbox, queries, states
from portal.mail.models import Message
from portal.mail.outbox import Prepared
from tests.support import make
from tests.support.clock import FrozenClock
from tests.support.post import deliver, mail_to, message, people, queue
from tests.support.post import states as states_of
from tests.twins.smtp import SmtpTwin

pytestmark = pytest.mark.usefixtures("frozen_clock")


@pytest.fixture(autouse=True)
def sends(app: Flask, smtp: SmtpTwin) -> None:
    mail_to(app, smtp.url)


def test_a_permanent_refusal_fails_at_once_and_spares_the_others(smtp: SmtpTwin) -> None:
    ids = queue(*people(3))
    bad = message(ids[1])
    address = db.session.get_one(make.Contact, bad.contact_id).email1
    smtp.behave(answers={"RCPT": lambda line: "550 5.1.1 no such user" if f"<{address}>" in line else None})
    deliver()
    assert states_of(ids) == ["sent", "failed", "sent"]
    assert (message(ids[1]).attempts, message(ids[1]).answer) == (1, "550 5.1.1 no such user")
    assert len(smtp.messages) == 2


@pytest.mark.parametrize("stage", ["DATA", "END"])
def test_a_refused_text_fails_at_once(smtp: SmtpTwin, stage: str) -> None:
    smtp.behave(answers={stage: "554 5.6.0 not like this"})
    [one] = queue(*people(1))
    deliver()
    assert message(one).state == "failed"


def test_greylisting_is_waited_out_at_the_stated_times(smtp: SmtpTwin, frozen_clock: FrozenClock) -> None:
    [one] = queue(*people(1))
    smtp.behave(answers={"RCPT": "451 4.7.1 greylisted"})
    deliver()
    deferred = message(one)
    assert (deferred.state, deferred.answer) == ("deferred", "451 4.7.1 greylisted")
    assert deferred.due_at - frozen_clock.now == timedelta(minutes=1)
    frozen_clock.move(seconds=59)
    deliver()
    assert message(one).attempts == 1
    frozen_clock.move(seconds=1)
    deliver()
    assert message(one).due_at - frozen_clock.now == timedelta(minutes=5)
    smtp.behave()
    frozen_clock.move(minutes=5)
    deliver()
    assert (message(one).state, message(one).attempts, len(smtp.messages)) == ("sent", 3, 1)


def test_it_is_given_up_after_72_hours(smtp: SmtpTwin, frozen_clock: FrozenClock) -> None:
    began = frozen_clock.now
    smtp.behave(answers={"RCPT": "451 later"})
    [one] = queue(*people(1))
    waits = []
    deliver()
    while message(one).state == "deferred":
        waits.append((message(one).due_at - frozen_clock.now) // timedelta(minutes=1))
        frozen_clock.set(message(one).due_at)
        deliver()
    assert waits[:9] == [1, 5, 15, 30, 60, 120, 240, 480, 480]
    assert timedelta(hours=64) < frozen_clock.now - began <= timedelta(hours=72)
    assert (message(one).state, message(one).answer) == ("failed", "451 later")


@pytest.mark.parametrize("answer", ["421 4.3.2 closing", "450 later"])
@pytest.mark.parametrize("stage", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END"])
def test_a_passing_refusal_defers(smtp: SmtpTwin, stage: str, answer: str) -> None:
    smtp.behave(answers={stage: answer})
    ids = queue(*people(2))
    deliver()
    assert states_of(ids) == ["deferred", "deferred"]
    assert message(ids[0]).answer == answer
    assert not message(ids[0]).possible_duplicate
    assert not smtp.messages


def test_a_server_that_is_down_defers_all(smtp: SmtpTwin, frozen_clock: FrozenClock) -> None:
    smtp.refuse()
    ids = queue(*people(25))
    deliver()
    assert set(states_of(ids)) == {"deferred"}
    assert "refused" in message(ids[0]).answer
    smtp.listen()
    frozen_clock.move(minutes=1)
    deliver()
    assert set(states_of(ids)) == {"sent"}
    assert len(set(smtp.recipients)) == 25


def test_wrong_credentials_pause_the_queue_and_fail_nothing(
    app: Flask, smtp: SmtpTwin, frozen_clock: FrozenClock
) -> None:
    mail_to(app, smtp.url.replace("//", "//portal:wrong@"))
    smtp.behave(users={"portal": "right"})
    ids = queue(*people(30))
    deliver()
    assert set(states_of(ids)) == {"queued"}
    assert {message(i).attempts for i in ids} == {0}
    pause = queries.pause()
    assert pause is not None
    assert pause.answer.startswith("535")
    since, called = pause.since, smtp.connections
    deliver()
    assert smtp.connections == called, "a paused queue asks once a minute"
    frozen_clock.move(minutes=1)
    deliver()
    pause = queries.pause()
    assert (smtp.connections, pause is not None and pause.since == since) == (called + 1, True)
    smtp.behave(users={"portal": "wrong"})
    frozen_clock.move(minutes=1)
    deliver()
    assert set(states_of(ids)) == {"sent"}
    assert queries.pause() is None


@pytest.mark.parametrize("stage", ["MAIL"])
def test_a_refused_sender_pauses_the_queue(smtp: SmtpTwin, stage: str) -> None:
    smtp.behave(answers={stage: "550 5.7.1 sender not allowed"})
    ids = queue(*people(2))
    deliver()
    assert states_of(ids) == ["queued", "queued"]
    assert queries.pause() is not None


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_bad_certificate_pauses_the_queue(app: Flask, smtp: SmtpTwin, tls: str) -> None:
    smtp.behave(tls=tls)
    mail_to(app, f"{smtp.url}?tls=starttls" if tls == "starttls" else smtp.url.replace("smtp:", "smtps:"))
    [one] = queue(*people(1))
    deliver()
    assert message(one).state == "queued"
    pause = queries.pause()
    assert pause is not None
    assert "certificate" in pause.answer
    assert not [line for line in smtp.commands if line.startswith(("AUTH", "MAIL"))]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_good_certificate_is_accepted(app: Flask, smtp: SmtpTwin, tls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.twins.smtp import certificate

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate()))
    smtp.behave(tls=tls, users={"a@b": "p/w:d"})
    url = smtp.url.replace("//", "//a%40b:p%2Fw%3Ad@")
    mail_to(app, f"{url}?tls=starttls" if tls == "starttls" else url.replace("smtp:", "smtps:"))
    [one] = queue(*people(1))
    deliver()
    assert message(one).state == "sent"


def test_encryption_that_is_not_offered_pauses_the_queue(app: Flask, smtp: SmtpTwin) -> None:
    mail_to(app, f"{smtp.url}?tls=starttls")
    [one] = queue(*people(1))
    deliver()
    assert (message(one).state, queries.pause() is not None) == ("queued", True)


def test_a_line_dropped_after_250_counts_as_sent(smtp: SmtpTwin) -> None:
    smtp.behave(drop="after-250")
    ids = queue(*people(3))
    deliver()
    assert states_of(ids) == ["sent", "sent", "sent"] or states_of(ids).count("sent") >= 1
    assert message(ids[0]).state == "sent"
    assert len(set(smtp.recipients)) == len(smtp.recipients)


def test_a_line_dropped_without_a_reply_is_tried_again_under_the_same_id(
    smtp: SmtpTwin, frozen_clock: FrozenClock
) -> None:
    smtp.behave(drop="no-reply")
    [one] = queue(*people(1))
    deliver()
    assert (message(one).state, message(one).possible_duplicate) == ("deferred", True)
    smtp.behave()
    frozen_clock.move(minutes=1)
    deliver()
    assert (message(one).state, message(one).possible_duplicate) == ("sent", True)
    assert len(smtp.messages) == 2
    assert len({received.message_id for received in smtp.messages}) == 1


def test_a_line_dropped_in_the_middle_is_tried_again(smtp: SmtpTwin, frozen_clock: FrozenClock) -> None:
    smtp.behave(drop="mid-data")
    [one] = queue(*people(1))
    deliver()
    assert message(one).state == "deferred"
    smtp.behave()
    frozen_clock.move(minutes=1)
    deliver()
    assert (message(one).state, len(smtp.messages)) == ("sent", 1)


def test_a_message_that_cannot_be_written_fails_and_the_queue_goes_on(
    smtp: SmtpTwin, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = outbox.prepares["welcome"]

    def poisoned(about: Message, now: object) -> Prepared:
        prepared = usual(about, now)  # type: ignore[arg-type]
        if about.id != poison:
            return prepared
        return Prepared(to=prepared.to, template="welcome", values={**prepared.values, "name": "half \ud800"})

    monkeypatch.setitem(outbox.prepares, "welcome", poisoned)
    ids = queue(*people(100))
    poison = ids[40]
    deliver()
    assert (message(poison).state, message(poison).attempts) == ("failed", 1)
    assert states_of([i for i in ids if i != poison]) == ["sent"] * 99
    assert len(smtp.messages) == 99


def prepared_as(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    """Whoever prepares the message says this of it."""
    usual = outbox.prepares["welcome"]
    monkeypatch.setitem(outbox.prepares, "welcome", lambda about, now: replace(usual(about, now), **changes))


@pytest.mark.parametrize("control", ["\r\n", "\n", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\x00"], ids=repr)
@pytest.mark.parametrize("where", ["sender_name", "reply_to", "to"])
def test_nothing_with_a_control_character_leaves(
    smtp: SmtpTwin, monkeypatch: pytest.MonkeyPatch, where: str, control: str
) -> None:
    prepared_as(monkeypatch, **{where: f"anna@example.org{control}X-Evil: yes"})
    [one] = queue(*people(1))
    deliver()
    assert (message(one).state, message(one).attempts) == ("failed", 1)
    assert message(one).answer.startswith("It cannot be sent")
    assert not [line for line in smtp.commands if line.startswith("RCPT")]


@pytest.mark.parametrize(
    "to",
    [
        "a@example.org,b@example.org",
        "a@example.org;b@example.org",
        "Anna <a@example.org>",
        '"a b"@example.org',
        "a@example.org (b@example.org)",
        "a@example.org>RCPT TO:<b@example.org",
        "",
    ],
)
def test_only_one_plain_address_is_written_to(smtp: SmtpTwin, monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    prepared_as(monkeypatch, to=to)
    [one] = queue(*people(1))
    deliver()
    assert (message(one).state, smtp.messages) == ("failed", [])


def test_the_sender_is_the_site_whoever_writes(smtp: SmtpTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared_as(monkeypatch, sender_name="Eve www.evil.example <eve@evil.example>", reply_to="eve@evil.example")
    queue(*people(1))
    deliver()
    [received] = smtp.messages
    [sender] = received.message["From"].addresses
    assert sender.addr_spec == received.sender == "portal@portal.example"
    assert sender.display_name == "Eve www. evil. example via Invitation Portal"
    assert received.message["Reply-To"] == "eve@evil.example"
    assert len(received.recipients) == 1
    assert received.message["Auto-Submitted"] == "auto-generated"
    assert not [name for name in received.message.keys() if name.startswith("List-")]  # noqa: SIM118


def test_letters_outside_ascii_need_a_server_that_takes_them(smtp: SmtpTwin) -> None:
    queue(make.make_contact(email1="mıke@example.org"))
    deliver()
    assert smtp.recipients == ["mıke@example.org"]
    assert "SMTPUTF8" in next(line for line in smtp.commands if line.startswith("mail"))
    smtp.behave(answers={"EHLO": "250 nothing special"})
    [other] = queue(make.make_contact(email1="jüri@example.org"))
    deliver()
    assert message(other).state == "failed"


def test_what_has_no_purpose_any_more_is_cancelled(smtp: SmtpTwin) -> None:
    contact, other = people(2)
    ids = queue(contact, other)
    with make.transaction():
        db.session.get_one(make.Contact, contact.id).active = False
    deliver()
    assert states_of(ids) == ["cancelled", "sent"]
    assert "deactivated" in message(ids[0]).answer
    assert message(ids[0]).attempts == 0
    assert len(smtp.messages) == 1


def test_a_changed_address_is_honoured(smtp: SmtpTwin) -> None:
    [contact] = people(1)
    [one] = queue(contact)
    with make.transaction():
        changed = db.session.get_one(make.Contact, contact.id)
        changed.email1 = changed.email1_key = "new@example.org"
    deliver()
    assert smtp.recipients == ["new@example.org"]
    assert message(one).to_address == "new@example.org"


def test_only_the_first_of_three_addresses_gets_mail(smtp: SmtpTwin) -> None:
    contact = make.make_contact(email1="one@example.org", email2="two@example.org", email3="three@example.org")
    queue(contact)
    deliver()
    assert smtp.recipients == ["one@example.org"]


def test_a_hundred_go_over_one_line(smtp: SmtpTwin) -> None:
    ids = queue(*people(100))
    deliver()
    assert set(states_of(ids)) == {"sent"}
    assert smtp.connections <= 2
    assert sorted(smtp.recipients) == sorted(set(smtp.recipients))
    assert all(len(received.recipients) == 1 for received in smtp.messages)


def test_one_commit_per_message(smtp: SmtpTwin, statements: Callable[[], object]) -> None:
    from sqlalchemy import event

    queue(*people(20))
    commits: list[int] = []
    event.listen(db.engine, "commit", lambda connection: commits.append(1))
    deliver()
    # The claim, twenty marks each with the beginning of the next, the first beginning, the last empty claim.
    assert len(commits) <= 20 + 3


def test_under_outbox_nothing_leaves(app: Flask, smtp: SmtpTwin) -> None:
    mail_to(app, "outbox:")
    [one] = queue(*people(1))
    deliver()
    assert (message(one).state, smtp.connections) == ("sent", 0)
    assert "nothing left this machine" in message(one).answer


def test_a_message_is_not_sent_by_a_worker_that_lost_it(smtp: SmtpTwin, frozen_clock: FrozenClock) -> None:
    [one] = queue(*people(1))
    with make.transaction():
        held = states.claim("slow", frozen_clock.now, 10)
        assert [message.id for message in held] == [one]
        assert states.MESSAGES.release_overdue(["slow"], frozen_clock.move(minutes=3)) == 0, "a living worker keeps it"
        assert states.MESSAGES.release_overdue([], frozen_clock.now) == 1
    deliver("quick")
    with make.transaction():
        assert not states.begin(held[0], frozen_clock.now)
    assert len(smtp.messages) == 1


def test_a_password_no_mail_server_takes_pauses_the_queue(app: Flask, smtp: SmtpTwin) -> None:
    smtp.behave(users={"portal": "päss"})
    mail_to(app, smtp.url.replace("smtp://", "smtp://portal:p%C3%A4ss@"))
    ids = queue(*people(2))
    deliver()
    assert states_of(ids) == ["queued", "queued"]
    assert queries.pause() is not None
