"""Takes in reports of mail that did not arrive: finds the message, and marks it."""

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from hmac import compare_digest

from portal.kernel import addresses
from portal.kernel.db import db, load
from portal.mail import outbox, return_path, states
from portal.mail.models import Message
from portal.mail.reports import Fate, Report


class Outcome(StrEnum):
    """What became of a report. `LATER`: the message is just being sent, so that the report should come again."""

    MARKED = "marked"
    NOTED = "noted"
    UNRELATED = "unrelated"
    LATER = "later"


def take(report: Report | None, now: datetime) -> tuple[Outcome, int | None]:
    """What came of a report, and for which message. Called inside `transaction()`, which holds up nobody by reading it.

    A report counts only if it names a message of ours, by a genuine return address or the Message-ID that only its
    recipient and the servers on the way have seen, and speaks of the address that this message went to.
    """
    if report is None:
        return Outcome.UNRELATED, None
    for found in _named(report):
        fate = _of(report, found)
        if fate is None:
            continue
        message = db.session.get_one(Message, found.id, with_for_update=True, populate_existing=True)
        return _mark(message, fate, now), message.id
    return Outcome.UNRELATED, None


def _mark(message: Message, fate: Fate, now: datetime) -> Outcome:
    said = f"{fate.status} {fate.words}".strip()
    if message.state == "sending":
        return Outcome.LATER
    if fate.final and (message.state == "sent" or (message.state == "deferred" and message.possible_duplicate)):
        states.bounced(message, said, now)
        return Outcome.MARKED
    if fate.late and message.state == "sent":
        states.note(message, "delayed", said, now)
        return Outcome.NOTED
    return Outcome.UNRELATED


def _named(report: Report) -> Iterator[Message]:
    yield from return_path.messages(report.returned_to)
    for identifier in report.message_ids:
        message = load(Message, int(identifier[1:].partition(".")[0]))
        if message is not None and compare_digest(f"<{identifier}>".encode(), outbox.message_id(message).encode()):
            yield message


def _of(report: Report, message: Message) -> Fate | None:
    if not message.to_address:
        return None
    meant = addresses.canonical(message.to_address)
    return next((fate for fate in report.fates if meant in map(addresses.canonical, fate.recipients)), None)
