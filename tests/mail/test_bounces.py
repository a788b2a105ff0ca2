"""Mail that comes back is matched to its message and explained; anything else changes nothing."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import bounces, outbox, reports, return_path
from portal.mail.bounces import Outcome
from portal.mail.models import Message
from tests.mail import dsn
from tests.mail.dsn import Returned
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.databases import Rows
from tests.support.post import deliver, mail_to, message, people, queue
from tests.twins.smtp import SmtpTwin

RETURN_PATH = "bounces@portal.example"
LAYOUTS: dict[str, Callable[[Returned], bytes]] = {
    "postfix": dsn.postfix,
    "exim": dsn.exim,
    "exchange": dsn.exchange,
    "gmail": dsn.gmail,
}


def with_return_path(app: Flask, address: str = RETURN_PATH) -> None:
    app.config["PORTAL_SETTINGS"] = replace(app.config["PORTAL_SETTINGS"], mail_return_path=address)


@pytest.fixture
def sent(app: Flask, smtp: SmtpTwin) -> tuple[int, Returned]:
    """A message that the server took, and what a report about it has to name."""
    mail_to(app, smtp.url)
    with_return_path(app)
    contact = make.make_contact("Anna", "Weber", "Anna.Weber@example.net")
    [one] = queue(contact)
    deliver()
    assert message(one).state == "sent"
    [received] = smtp.messages
    return one, Returned(received.sender, received.recipients[0], received.message_id)


def take(raw: bytes) -> Outcome:
    report = reports.read(raw)
    with transaction():
        return bounces.take(report, clock.now())[0]


def test_the_envelope_carries_the_message_and_the_letter_does_not(sent: tuple[int, Returned], smtp: SmtpTwin) -> None:
    number, returned = sent
    assert returned.returned_to.startswith(f"bounces+m{number}-")
    assert returned.returned_to.endswith("@portal.example")
    assert len(returned.returned_to.partition("@")[0]) <= 64
    [received] = smtp.messages
    assert received.message["From"].addresses[0].addr_spec == "portal@portal.example"
    assert returned.returned_to.encode() not in received.data


def test_without_a_return_path_the_envelope_has_the_site(app: Flask, smtp: SmtpTwin) -> None:
    mail_to(app, smtp.url)
    queue(*people(1))
    deliver()
    assert smtp.messages[0].sender == "portal@portal.example"


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("named_by", ["return path", "Message-ID", "both"])
def test_a_report_fails_its_message_and_says_why(sent: tuple[int, Returned], layout: str, named_by: str) -> None:
    number, mail = sent
    if named_by == "Message-ID":
        mail = replace(mail, returned_to="portal@portal.example")
    if named_by == "return path":
        mail = replace(mail, message_id="<lost@elsewhere.example>")
    assert take(LAYOUTS[layout](mail)) is Outcome.MARKED
    failed = message(number)
    assert (failed.state, failed.bounced_at is not None, failed.attempts) == ("failed", True, 1)
    assert failed.answer.startswith("5.1.1")
    assert len(failed.answer) > 15, "the server's words are kept"
    assert [line["outcome"] for line in failed.history] == ["sent", "bounced"]
    assert failed.contact_id is not None
    assert [line.action for line in timeline("contact", failed.contact_id)] == ["message.bounced"]


def test_the_same_report_twice_counts_once(sent: tuple[int, Returned]) -> None:
    number, mail = sent
    assert [take(dsn.postfix(mail)), take(dsn.postfix(mail)), take(dsn.gmail(mail))] == [
        Outcome.MARKED,
        Outcome.UNRELATED,
        Outcome.UNRELATED,
    ]
    assert len(message(number).history) == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("5.1.1", "Nobody has this address."),
        ("5.1.10", "takes no mail"),
        ("5.2.2", "The mailbox is full."),
        ("5.2.1", "switched off"),
        ("5.7.1", "does not want this mail"),
        ("5.4.4", "No mail server for this address"),
        ("5.6.0", "refused it for good"),
    ],
)
def test_the_code_is_told_in_plain_words(
    sent: tuple[int, Returned], sign_in_as: Callable[[str], Client], status: str, words: str
) -> None:
    number, mail = sent
    assert take(dsn.postfix(mail, status=status)) is Outcome.MARKED
    page = sign_in_as("viewer").page(f"/staff/outbox/{number}")
    assert words in page.text
    assert "Came back" in page.text


def test_a_code_that_says_nothing_gives_way_to_the_words_behind_it(sent: tuple[int, Returned]) -> None:
    number, mail = sent
    assert take(dsn.postfix(mail, status="5.0.0", words="552 5.2.2 Over quota")) is Outcome.MARKED
    assert message(number).answer == "5.2.2 552 5.2.2 Over quota"


def test_given_up_on_after_days_is_for_good_whatever_the_code(sent: tuple[int, Returned]) -> None:
    number, mail = sent
    assert take(dsn.postfix(mail, status="4.4.7", words="delivery time expired")) is Outcome.MARKED
    assert message(number).state == "failed"


@pytest.mark.parametrize(
    "late", [lambda mail: dsn.postfix(mail, status="4.4.1", action="delayed"), dsn.exim_late], ids=["postfix", "exim"]
)
def test_a_late_one_is_noted_only(sent: tuple[int, Returned], late: Callable[[Returned], bytes]) -> None:
    number, mail = sent
    assert take(late(mail)) is Outcome.NOTED
    noted = message(number)
    assert (noted.state, noted.bounced_at) == ("sent", None)
    assert [line["outcome"] for line in noted.history] == ["delayed"]


@pytest.mark.parametrize("action", ["relayed", "delivered", "expanded"])
def test_a_report_of_success_changes_nothing(sent: tuple[int, Returned], dump: Callable[[], Rows], action: str) -> None:
    before = dump()
    assert take(dsn.postfix(sent[1], status="2.0.0", action=action)) is Outcome.UNRELATED
    assert dump() == before


def test_a_forwarded_address_counts_as_the_one_it_was_sent_to(sent: tuple[int, Returned]) -> None:
    number, mail = sent
    raw = dsn.postfix(mail, final="somebody.else@example.com", original=mail.to.upper())
    assert take(raw) is Outcome.MARKED
    assert message(number).state == "failed"


def forged(mail: Returned) -> dict[str, Returned]:
    local, _, domain = mail.returned_to.partition("@")
    known = mail.message_id
    return {
        "unknown Message-ID": Returned("portal@portal.example", mail.to, "<m1.AAAAAAAAAAAAAAAA@portal.example>"),
        "another's Message-ID": Returned("x@portal.example", mail.to, known.replace("<m1.", "<m2.")),
        "Message-ID cut short": Returned("x@portal.example", mail.to, known.replace("@", "x@")),
        "altered MAC": Returned(f"{local[:-1]}{'0' if local[-1] != '0' else '1'}@{domain}", mail.to, "<a@b>"),
        "MAC of another number": Returned(mail.returned_to.replace("+m", "+m9"), mail.to, "<a@b>"),
        "short MAC": Returned(f"{local[:-4]}@{domain}", mail.to, "<a@b>"),
        "other recipient": Returned(mail.returned_to, "bert@example.net", mail.message_id),
        "no recipient": Returned(mail.returned_to, "", mail.message_id),
        "nothing of ours": Returned("postmaster@portal.example", "x@example.net", "<a@b>"),
    }


CASES = tuple(forged(Returned("bounces+m1-0123456789abcdef0123@portal.example", "a@example.net", "<m1.x@y>")))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CASES)
def test_a_forged_or_unrelated_report_changes_nothing(
    sent: tuple[int, Returned], dump: Callable[[], Rows], layout: str, case: str
) -> None:
    before = dump()
    assert take(LAYOUTS[layout](forged(sent[1])[case])) is Outcome.UNRELATED
    assert dump() == before


def test_an_answering_machine_is_no_report(sent: tuple[int, Returned], dump: Callable[[], Rows]) -> None:
    before = dump()
    assert take(dsn.vacation(sent[1])) is Outcome.UNRELATED
    assert dump() == before


def test_a_report_inside_a_forwarded_mail_is_none(sent: tuple[int, Returned], dump: Callable[[], Rows]) -> None:
    """Somebody who forwards a report says nothing about our message; the mail inside is text."""
    before = dump()
    inner = dsn.postfix(sent[1])
    outer = b"From: eve@example.net\r\nTo: x@portal.example\r\nContent-Type: message/rfc822\r\n\r\n" + inner
    assert take(outer) is Outcome.UNRELATED
    assert dump() == before


def test_a_report_about_a_message_that_never_left_changes_nothing(
    sent: tuple[int, Returned], dump: Callable[[], Rows]
) -> None:
    number, mail = sent
    for state in ("queued", "cancelled", "failed", "deferred"):
        with transaction():
            db.session.get_one(Message, number).state = state
        before = dump()
        assert take(dsn.postfix(mail)) is Outcome.UNRELATED, state
        assert dump() == before


def test_one_that_was_perhaps_taken_is_not_tried_again(sent: tuple[int, Returned], smtp: SmtpTwin) -> None:
    number, mail = sent
    with transaction():
        held = db.session.get_one(Message, number)
        held.state, held.possible_duplicate, held.sent_at = "deferred", True, None
        held.due_at = clock.now()
    assert take(dsn.postfix(mail)) is Outcome.MARKED
    deliver()
    assert (message(number).state, len(smtp.messages)) == ("failed", 1)


def test_a_report_that_overtakes_our_note_comes_again(sent: tuple[int, Returned], dump: Callable[[], Rows]) -> None:
    number, mail = sent
    with transaction():
        db.session.get_one(Message, number).state = "sending"
    before = dump()
    assert take(dsn.postfix(mail)) is Outcome.LATER
    assert dump() == before


def test_a_key_that_was_rotated_still_reads_its_return_paths(app: Flask, sent: tuple[int, Returned]) -> None:
    from portal.kernel.secrets_ import KeyRing, new_ring

    old, new = app.config["PORTAL_SETTINGS"].keys, new_ring()
    both = KeyRing(new.current, {**old.keys, **new.keys})
    app.config["PORTAL_SETTINGS"] = replace(app.config["PORTAL_SETTINGS"], keys=both)
    assert take(dsn.exim(replace(sent[1], message_id="<a@b>"))) is Outcome.MARKED


def test_an_international_report_is_understood(app: Flask, smtp: SmtpTwin) -> None:
    """RFC 6533: other names of the parts, addresses in letters of any script."""
    mail_to(app, smtp.url)
    with_return_path(app)
    [one] = queue(make.make_contact(email1="jürgen@example.net"))
    deliver()
    mail = Returned(smtp.messages[0].sender, "jürgen@example.net", smtp.messages[0].message_id)
    raw = dsn.postfix(mail).replace(b"message/delivery-status", b"message/global-delivery-status")
    assert take(raw.replace(b"rfc822;", b"utf-8;")) is Outcome.MARKED
    assert message(one).state == "failed"


def test_any_charset_and_any_bytes_are_borne(sent: tuple[int, Returned]) -> None:
    number, mail = sent
    raw = dsn.postfix(mail, words="550 5.1.1 XX").replace(b"XX", b"\xff\xfe\x00\x1b[31m b\xf6se \xe2\x80\xa8 ende")
    raw = raw.replace(b"charset=us-ascii", b"charset=no-such-charset")
    assert take(raw) is Outcome.MARKED
    answer = message(number).answer
    assert answer.startswith("5.1.1 550 5.1.1")
    assert answer.isprintable()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_mangled_reports_never_raise(sent: tuple[int, Returned], layout: str) -> None:
    chance = random.Random(7)
    whole = LAYOUTS[layout](sent[1])
    for _ in range(150):
        raw = bytearray(whole)
        for _cut in range(chance.randint(1, 8)):
            at = chance.randrange(len(raw))
            raw[at : at + chance.randint(0, 40)] = chance.randbytes(chance.randint(0, 12))
        reports.read(bytes(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 1000,
        b"\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n" * 5_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5_000)),
        b"Content-Type: multipart/report; report-type=delivery-status; boundary=\r\n\r\n--\r\n",
        b"X-Failed-Recipients: " + b"a@b.example, " * 20_000,
        b"To: " + b"<" * 100_000,
    ],
    ids=["nothing", "zeros", "blank", "mails in mails", "parts in parts", "no boundary", "recipients", "brackets"],
)
def test_what_is_made_to_exhaust_is_let_be(sent: tuple[int, Returned], dump: Callable[[], Rows], raw: bytes) -> None:
    before = dump()
    assert take(raw) is Outcome.UNRELATED
    assert dump() == before


def test_a_return_address_is_read_whatever_its_case(sent: tuple[int, Returned]) -> None:
    """Some servers write the part before the @ in capitals."""
    assert [found.id for found in return_path.messages(sent[1].returned_to.upper())] == [sent[0]]


def test_the_open_invitation_is_among_the_problems(
    app: Flask, smtp: SmtpTwin, sign_in_as: Callable[[str], Client], frozen_clock: FrozenClock
) -> None:
    mail_to(app, smtp.url)
    with_return_path(app)
    contact = make.make_contact("Anna", "Weber", "anna@example.net")
    invitation = make.make_invitation(contact, name="For Anna", sent=True)
    invitation_id, contact_id = invitation.id, contact.id
    with transaction():
        about = ("invitation", invitation_id)
        outbox.enqueue("invitation", now=clock.now(), contact_id=contact_id, about=about)
    deliver()
    viewer = sign_in_as("viewer")
    assert "For Anna" not in viewer.page("/staff/invitations/?view=problems").text
    assert "did not arrive" not in viewer.page("/staff/").text
    frozen_clock.now += timedelta(seconds=30)
    [received] = smtp.messages
    assert take(dsn.gmail(Returned(received.sender, "anna@example.net", received.message_id))) is Outcome.MARKED
    assert "For Anna" in viewer.page("/staff/invitations/?view=problems").text
    assert "Open invitations that did not arrive" in viewer.page("/staff/").text
    assert [line.action for line in timeline("invitation", invitation_id)] == ["message.bounced"]


@pytest.mark.parametrize(
    "raw",
    [
        b"X-Failed-Recipients: " + b"a@b.c, " * 20_000 + b"\n\n" + b"x\n" * 200_000,
        b"X-Failed-Recipients: a@b.c\n" * 20_000 + b"\n" + b"x\n" * 200_000,
        b"Content-Type: text/plain\n\nhas not yet been delivered\n " + b"@" * 49_000 + b" x\n",
    ],
    ids=["one-field", "many-fields", "late"],
)
def test_a_report_about_very_many_is_read_at_once(raw: bytes) -> None:
    began = time.process_time()
    reports.read(raw)
    assert time.process_time() - began < 3
