"""What a mail server may do wrong, one row of the table of faults each, against a server on a real socket."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.kernel.db import db
from portal.mail import queries, transport
from portal.mail.models import Message
from portal.mail.states import WAITS
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.post import deliver, mail_to, message, people, queue, states
from tests.twins.smtp import SmtpTwin, certificate

pytestmark = pytest.mark.usefixtures("frozen_clock")
MANY = 100
GREYLISTED = "451 4.7.1 try again later"


@pytest.fixture(autouse=True)
def sends(app: Flask, smtp: SmtpTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "COMMAND_TIMEOUT", 0.3)
    monkeypatch.setattr(transport, "DATA_TIMEOUT", 0.6)
    mail_to(app, smtp.url)


def outcomes(number: int) -> list[str]:
    return [line["outcome"] for line in message(number).history]


FAULTS: dict[str, tuple[dict[str, Any], str, bool, str]] = {
    # What the server does; the state of the first message; whether it may have been taken; what staff read.
    "silent at connect": ({"silent": {"CONNECT"}}, "deferred", False, "did not answer"),
    "silent at RCPT": ({"silent": {"RCPT"}}, "deferred", False, "did not answer"),
    "silent after the text": ({"silent": {"END"}}, "deferred", True, "did not confirm"),
    "421 at connect": ({"answers": {"CONNECT": "421 4.3.2 closing"}}, "deferred", False, "421 4.3.2 closing"),
    "421 at RCPT": ({"answers": {"RCPT": "421 4.3.2 closing"}}, "deferred", False, "421 4.3.2 closing"),
    "451 at RCPT": ({"answers": {"RCPT": GREYLISTED}}, "deferred", False, GREYLISTED),
    "550 at RCPT": ({"answers": {"RCPT": "550 5.1.1 no such user"}}, "failed", False, "550 5.1.1 no such user"),
    "dropped in the text": ({"drop": "mid-data"}, "deferred", True, "closed the connection"),
    "dropped after the text": ({"drop": "no-reply"}, "deferred", True, "closed the connection"),
    "dropped after 250": ({"drop": "after-250"}, "sent", False, "250"),
    "535 at AUTH": ({"answers": {"MAIL": "535 5.7.8 wrong password"}}, "queued", False, ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_outcome_and_the_page_tells_it(
    smtp: SmtpTwin, sign_in_as: Callable[[str], Client], fault: str
) -> None:
    behaviour, state, perhaps_taken, words = FAULTS[fault]
    smtp.behave(**behaviour)
    [one] = queue(*people(1))
    deliver()
    assert (message(one).state, message(one).possible_duplicate) == (state, perhaps_taken)
    assert words in message(one).answer
    page = sign_in_as("viewer").page(f"/staff/outbox/{one}")
    assert words in page.text
    assert outcomes(one) == ([state] if state in ("deferred", "failed") else [])
    told = {"deferred": "Next try at", "failed": "did not arrive", "sent": "The mail server took it"}
    assert told.get(state, "Mail is paused") in page.text


@pytest.mark.parametrize("fault", [name for name, row in FAULTS.items() if row[1] == "deferred"])
def test_what_was_deferred_arrives_once_the_server_is_well(
    smtp: SmtpTwin, frozen_clock: FrozenClock, fault: str
) -> None:
    smtp.behave(**FAULTS[fault][0])
    ids = queue(*people(3))
    deliver()
    smtp.behave()
    frozen_clock.move(minutes=1)
    deliver()
    assert set(states(ids)) == {"sent"}
    repeated = Counter(received.message_id for received in smtp.messages)
    assert len(repeated) == 3
    assert max(repeated.values()) == (2 if fault.endswith("after the text") else 1)


def test_refused_connections_defer_all_and_all_arrive(smtp: SmtpTwin, frozen_clock: FrozenClock) -> None:
    """F05: the server is down for ten minutes."""
    smtp.refuse()
    ids = queue(*people(30))
    for minutes in (0, 1, 5):
        frozen_clock.move(minutes=minutes)
        deliver()
    assert set(states(ids)) == {"deferred"}
    assert {message(i).attempts for i in ids} == {3}
    smtp.listen()
    frozen_clock.move(minutes=15)
    deliver()
    assert set(states(ids)) == {"sent"}
    assert Counter(Counter(smtp.recipients).values()) == {1: 30}


def test_greylisted_twice_it_arrives_with_the_third_try(smtp: SmtpTwin, frozen_clock: FrozenClock) -> None:
    """F07."""
    refusals = iter([GREYLISTED, GREYLISTED])
    smtp.behave(answers={"RCPT": lambda _line: next(refusals, None)})
    began = frozen_clock.now
    [one] = queue(*people(1))
    deliver()
    for wait in WAITS[:2]:
        assert message(one).due_at - frozen_clock.now == wait
        frozen_clock.move(seconds=wait.total_seconds())
        deliver()
    assert (message(one).state, message(one).attempts, len(smtp.messages)) == ("sent", 3, 1)
    assert frozen_clock.now - began == timedelta(minutes=6)
    assert outcomes(one) == ["deferred", "deferred"]


def test_one_refused_of_many_is_tried_once_and_alone_fails(smtp: SmtpTwin) -> None:
    """F08."""
    contacts = people(MANY)
    bad = contacts[50].email1
    tries: list[str] = []

    def refuse(line: str) -> str | None:
        if f"<{bad}>" not in line:
            return None
        tries.append(line)
        return "550 5.1.1 no such user"

    smtp.behave(answers={"RCPT": refuse})
    ids = queue(*contacts)
    deliver()
    assert Counter(states(ids)) == {"sent": MANY - 1, "failed": 1}
    assert len(tries) == 1


@pytest.mark.parametrize("fault", ["wrong password", "bad certificate", "sender refused"])
def test_a_configuration_fault_pauses_all_and_fails_none(
    app: Flask, smtp: SmtpTwin, frozen_clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """F09: a hundred stay queued; once it is mended all hundred go, each once."""
    if fault == "wrong password":
        mail_to(app, smtp.url.replace("//", "//portal:wrong@"))
        smtp.behave(users={"portal": "right"})
    elif fault == "bad certificate":
        smtp.behave(tls="starttls")
        mail_to(app, f"{smtp.url}?tls=starttls")
    else:
        smtp.behave(answers={"MAIL": "550 5.7.1 not from here"})
    ids = queue(*people(MANY))
    for _ in range(3):
        deliver()
        frozen_clock.move(minutes=1)
    assert set(states(ids)) == {"queued"}
    assert queries.pause() is not None
    assert db.session.query(Message).filter(Message.attempts > 0).count() == 0
    if fault == "bad certificate":
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate()))
    else:
        smtp.behave(users={"portal": "wrong"} if fault == "wrong password" else {})
    deliver()
    assert set(states(ids)) == {"sent"}
    assert Counter(Counter(smtp.recipients).values()) == {1: MANY}
    assert queries.pause() is None


def test_dropped_after_250_is_sent_once(smtp: SmtpTwin, frozen_clock: FrozenClock) -> None:
    """F10."""
    smtp.behave(drop="after-250")
    [one] = queue(*people(1))
    deliver()
    frozen_clock.move(days=4)
    deliver()
    assert (message(one).state, message(one).attempts, len(smtp.messages)) == ("sent", 1, 1)


def test_dropped_without_a_reply_is_sent_again_under_one_id_and_says_so(
    smtp: SmtpTwin, frozen_clock: FrozenClock, sign_in_as: Callable[[str], Client]
) -> None:
    """F11."""
    smtp.behave(drop="no-reply")
    [one] = queue(*people(1))
    deliver()
    smtp.behave()
    frozen_clock.move(minutes=1)
    deliver()
    assert len(smtp.messages) == 2
    assert len({received.message_id for received in smtp.messages}) == 1
    page = sign_in_as("viewer").page(f"/staff/outbox/{one}")
    assert "Possible duplicate" in page.text
    assert "Sent" in page.text
