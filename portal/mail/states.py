"""How a message moves from state to state; everything here is called inside `transaction()`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Table, delete, select, text, update

from portal.contacts.models import Contact
from portal.jobs.leases import LEASE, Leased
from portal.journal.services import Record, record
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, execute_dml
from portal.mail.models import WAITING, MailPause, Message

MINUTE = timedelta(minutes=1)
# Eight hours at a time at last; after the sixteenth try, 72 hours on, we give up.
WAITS = tuple(MINUTE * n for n in (1, 5, 15, 30, 60, 120, 240, 480, 480, 480, 480, 480, 480, 480, 480))
PAUSE = MINUTE
LONGEST_ANSWER = 500

_table: Table = Message.__table__  # type: ignore[assignment]
MESSAGES = Leased(_table, held="sending", waiting="queued")


@dataclass(frozen=True)
class Begun:
    """A message in this worker's hands, about to be sent; `flagged` says whether it may have been before."""

    id: int
    worker: str
    flagged: bool


@dataclass(frozen=True)
class Written:
    """A message as it goes out: what the outbox remembers of it, and the bytes for the line."""

    to: str
    sender: str
    shown_sender: str
    reply_to: str | None
    sealed: str
    data: bytes


def any_due(now: datetime) -> bool:
    """Whether it is worth while to claim: a read, so that an idle worker never takes the write lock."""
    return db.session.scalar(select(Message.id).where(text(WAITING), Message.due_at <= now).limit(1)) is not None


def claim(worker: str, now: datetime, limit: int) -> list[int]:
    """Take due messages into `worker`'s hands, oldest first."""
    due = select(Message.id).where(text(WAITING), Message.due_at <= now).order_by(Message.due_at, Message.id)
    ids = list(db.session.scalars(due.limit(limit).with_for_update(skip_locked=True)))
    if ids:
        held = {"state": "sending", "worker": worker, "lease_until": now + LEASE}
        db.session.execute(update(Message).where(Message.id.in_(ids)).values(**held))
    return ids


def begin(message_id: int, worker: str, now: datetime) -> Begun | None:
    """Start a try, if the message is still in `worker`'s hands; its lease is made new.

    From here until the answer is marked it may be in the server's hands too, and says so if we are killed.
    """
    message = _held(message_id, worker)
    if message is None:
        return None
    begun = Begun(message_id, worker, message.possible_duplicate)
    message.attempts += 1
    message.possible_duplicate = True
    message.lease_until = now + LEASE
    return begun


def sent(begun: Begun, written: Written, answer: str, now: datetime) -> None:
    """A server took it."""
    # Whatever became of the lease meanwhile: what was sent is marked as sent.
    message = _again(begun.id)
    if message.state != "sent":
        _let_go(message, "sent", answer, begun.flagged)
        _remember(message, written)
        message.sent_at = now


def postponed(begun: Begun, written: Written, answer: str, now: datetime, *, perhaps_taken: bool = False) -> None:
    """It waits for the next try; after 72 hours of them it has failed."""
    message = _held(begun.id, begun.worker)
    if message is None:
        return
    _remember(message, written)
    flagged = begun.flagged or perhaps_taken
    if message.attempts > len(WAITS):
        _let_go(message, "failed", answer, flagged)
        _journal(message, "message.failed", now)
        return
    _let_go(message, "deferred", answer, flagged)
    message.due_at = now + WAITS[message.attempts - 1]


def postponed_perhaps_taken(begun: Begun, written: Written, answer: str, now: datetime) -> None:
    """The line broke after all of it was sent: it is tried again, and may arrive twice, under one Message-ID."""
    postponed(begun, written, answer, now, perhaps_taken=True)


def failed(begun: Begun, written: Written | None, answer: str, now: datetime) -> None:
    """It will never be taken, or cannot even be written."""
    message = _held(begun.id, begun.worker)
    if message is None:
        return
    if written is not None:
        _remember(message, written)
    _let_go(message, "failed", answer, begun.flagged)
    _journal(message, "message.failed", now)


def cancelled(begun: Begun, reason: str, now: datetime) -> None:
    """It has no purpose any more."""
    message = _held(begun.id, begun.worker)
    if message is None:
        return
    message.attempts -= 1
    _let_go(message, "cancelled", reason, begun.flagged)
    _journal(message, "message.cancelled", now)


def put_back(begun: Begun, now: datetime) -> None:
    """As if it had never been begun."""
    message = _held(begun.id, begun.worker)
    if message is None:
        return
    message.attempts -= 1
    _let_go(message, "queued", message.answer, begun.flagged)
    message.due_at = now


def postpone_unbegun(ids: Sequence[int], worker: str, answer: str, now: datetime) -> None:
    """The server is away: what was claimed but not begun waits as well."""
    for message_id in ids:
        message = _held(message_id, worker)
        if message is not None:
            message.attempts += 1
            flagged = message.possible_duplicate
            final = message.attempts > len(WAITS)
            _let_go(message, "failed" if final else "deferred", answer, flagged)
            message.due_at = now if final else now + WAITS[message.attempts - 1]


def put_back_unbegun(ids: Sequence[int], worker: str, now: datetime) -> None:
    """Claimed but not begun: free for the next worker at once."""
    mine = (Message.id.in_(list(ids)), Message.state == "sending", Message.worker == worker)
    db.session.execute(update(Message).where(*mine).values(state="queued", worker=None, lease_until=None, due_at=now))


def pause(answer: str, now: datetime) -> None:
    """Stop sending until the server takes us again; `since` is kept from the first time."""
    row = db.session.get(MailPause, 1, populate_existing=True)
    if row is None:
        db.session.add(MailPause(id=1, since=now, next_try_at=now + PAUSE, answer=answer[:LONGEST_ANSWER]))
    else:
        row.answer, row.next_try_at = answer[:LONGEST_ANSWER], now + PAUSE


def take_up_probe(now: datetime) -> bool:
    """Whether it is this worker's turn to try the server again: of several, one."""
    mine = (MailPause.id == 1, MailPause.next_try_at <= now)
    return execute_dml(update(MailPause).where(*mine).values(next_try_at=now + PAUSE)) == 1


def try_again_now(now: datetime) -> None:
    """Ask the server at the next turn."""
    db.session.execute(update(MailPause).values(next_try_at=now))


def resume() -> None:
    """The server takes us again."""
    db.session.execute(delete(MailPause))


def _held(message_id: int, worker: str) -> Message | None:
    message = _again(message_id)
    return message if message.state == "sending" and message.worker == worker else None


def _again(message_id: int) -> Message:
    return db.session.get_one(Message, message_id, with_for_update=True, populate_existing=True)


def _let_go(message: Message, state: str, answer: str, flagged: bool) -> None:
    message.state, message.answer = state, answer[:LONGEST_ANSWER]
    message.worker = message.lease_until = None
    message.possible_duplicate = flagged


def _remember(message: Message, written: Written) -> None:
    message.to_address, message.sender = written.to, written.shown_sender[:400]
    message.reply_to, message.body_sealed = written.reply_to, written.sealed


def _journal(message: Message, action: str, now: datetime) -> None:
    """A message that will not arrive belongs on the timelines: somebody has to do something about it."""
    about = []
    if message.contact_id is not None:
        about.append(Record("contact", message.contact_id, db.session.get_one(Contact, message.contact_id).name))
    if message.about_kind is not None and message.about_id is not None:
        about.append(Record(message.about_kind, message.about_id, ""))
    detail = {"message_id": message.id, "kind": message.kind}
    record(action, *about, by=SYSTEM, now=now, text=message.answer, detail=detail)
