"""How a message moves from state to state; everything here is called inside `transaction()`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Table, bindparam, delete, select, text, true, update

from portal.contacts.models import Contact
from portal.jobs.leases import LEASE, Leased
from portal.journal.services import Record, record
from portal.kernel.actor import SYSTEM, Actor
from portal.kernel.db import db, execute_dml
from portal.mail.models import WAITING, MailPause, Message

MINUTE = timedelta(minutes=1)
# Eight hours at a time at last; after the sixteenth try, 72 hours on, we give up.
WAITS = tuple(MINUTE * n for n in (1, 5, 15, 30, 60, 120, 240, 480, 480, 480, 480, 480, 480, 480, 480))
PAUSE = MINUTE
LONGEST_ANSWER = 500
PATIENT = ("invitation", "reminder", "digest")
LONGEST_HISTORY = 60

_table: Table = Message.__table__  # type: ignore[assignment]
MESSAGES = Leased(_table, held="sending", waiting="queued", begun="possible_duplicate")
# Built once: each message costs these two.
_BEGIN = (
    update(_table)
    .where(_table.c.id == bindparam("of"), _table.c.state == "sending", _table.c.worker == bindparam("by"))
    .values(attempts=_table.c.attempts + 1, possible_duplicate=true(), lease_until=bindparam("lease_until"))
)
_KEPT = ("sent_at", "answer", "to_address", "sender", "reply_to", "body_sealed", "template_version_id")
_SENT = (
    update(_table)
    .where(_table.c.id == bindparam("of"))
    .values(state="sent", worker=None, lease_until=None)
    .values({name: bindparam(name) for name in (*_KEPT, "possible_duplicate")})
)


@dataclass(frozen=True)
class Held:
    """A message in this worker's hands; `flagged` says whether it may have been sent by an earlier try."""

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
    data: bytes = field(repr=False)
    template_version_id: int | None = None

    def remembered(self) -> dict[str, str | int | None]:
        """The columns that say what was written to whom."""
        return {
            "to_address": self.to,
            "sender": self.shown_sender[:400],
            "reply_to": self.reply_to,
            "body_sealed": self.sealed,
            "template_version_id": self.template_version_id,
        }


def any_due(now: datetime) -> bool:
    """Whether it is worth while to claim: a read, so that an idle worker never takes the write lock."""
    return db.session.scalar(select(Message.id).where(text(WAITING), Message.due_at <= now).limit(1)) is not None


def claim(worker: str, now: datetime, limit: int, *, urgent_first: bool = False) -> list[Held]:
    """Take due messages into `worker`'s hands, oldest first; with `urgent_first` those before that somebody waits for,
    such as the link to a new password."""
    due = select(Message.id, Message.possible_duplicate).where(text(WAITING), Message.due_at <= now)
    order = (Message.kind.in_(PATIENT), Message.due_at) if urgent_first else (Message.due_at,)
    oldest = due.order_by(*order, Message.id).limit(limit).with_for_update(skip_locked=True)
    held = [Held(message_id, worker, flagged) for message_id, flagged in db.session.execute(oldest)]
    if held:
        values = {"state": "sending", "worker": worker, "lease_until": now + LEASE}
        db.session.execute(update(_table).where(_table.c.id.in_([one.id for one in held])).values(**values))
    return held


def begin(held: Held, now: datetime) -> bool:
    """Start a try, if the message is still in its worker's hands; its lease is made new.

    From here until the answer is marked it may be in the server's hands too, and says so if we are killed.
    """
    done = db.session.connection().execute(_BEGIN, {"of": held.id, "by": held.worker, "lease_until": now + LEASE})
    return done.rowcount == 1


def sent(begun: Held, written: Written, answer: str, now: datetime) -> None:
    """A server took it."""
    # Whatever became of the lease meanwhile: what was sent is marked as sent.
    values = {"sent_at": now, "answer": answer[:LONGEST_ANSWER], **written.remembered()}
    db.session.connection().execute(_SENT, {"of": begun.id, "possible_duplicate": begun.flagged, **values})


def postponed(begun: Held, written: Written, answer: str, now: datetime, *, perhaps_taken: bool = False) -> None:
    """It waits for the next try; after 72 hours of them it has failed."""
    message = _still(begun)
    if message is None:
        return
    _remember(message, written)
    _wait_or_fail(message, answer, now, begun.flagged or perhaps_taken)


def postponed_perhaps_taken(begun: Held, written: Written, answer: str, now: datetime) -> None:
    """The line broke after all of it was sent: it is tried again, and may arrive twice, under one Message-ID."""
    postponed(begun, written, answer, now, perhaps_taken=True)


def failed(begun: Held, written: Written | None, answer: str, now: datetime) -> None:
    """It will never be taken, or cannot even be written."""
    message = _still(begun)
    if message is None:
        return
    if written is not None:
        _remember(message, written)
    _fail(message, answer, now, begun.flagged)


def cancelled(begun: Held, reason: str, now: datetime) -> None:
    """It has no purpose any more."""
    message = _still(begun)
    if message is None:
        return
    message.attempts -= 1
    _let_go(message, "cancelled", reason, begun.flagged)
    note(message, "cancelled", reason, now)
    journal(message, "message.cancelled", now)


def put_back(begun: Held, due_at: datetime) -> None:
    """As if it had never been begun; due again at that time."""
    message = _still(begun)
    if message is None:
        return
    message.attempts -= 1
    _let_go(message, "queued", message.answer, begun.flagged)
    message.due_at = due_at


def postpone_unbegun(claimed: Sequence[Held], answer: str, now: datetime) -> None:
    """The server is away: what was claimed but not begun waits as well."""
    for held in claimed:
        message = _still(held)
        if message is not None:
            message.attempts += 1
            _wait_or_fail(message, answer, now, held.flagged)


def put_back_unbegun(claimed: Sequence[Held], now: datetime) -> None:
    """Claimed but not begun: free for the next worker at once."""
    for held in claimed:
        message = _still(held)
        if message is not None:
            _let_go(message, "queued", message.answer, held.flagged)
            message.due_at = now


def bounced(message: Message, answer: str, now: datetime) -> None:
    """A server took it, and another one gave it back for good. The message is locked."""
    if message.sent_at is not None:
        note(message, "sent", message.answer, message.sent_at)
    message.bounced_at = now
    _let_go(message, "failed", answer, message.possible_duplicate)
    note(message, "bounced", answer, now)
    journal(message, "message.bounced", now)


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


def _still(held: Held) -> Message | None:
    """The message, if it is still in its worker's hands."""
    message = db.session.get_one(Message, held.id, with_for_update=True, populate_existing=True)
    return message if message.state == "sending" and message.worker == held.worker else None


def _wait_or_fail(message: Message, answer: str, now: datetime, flagged: bool) -> None:
    if message.attempts > len(WAITS):
        _fail(message, answer, now, flagged)
        return
    _let_go(message, "deferred", answer, flagged)
    note(message, "deferred", answer, now)
    message.due_at = now + WAITS[message.attempts - 1]


def _fail(message: Message, answer: str, now: datetime, flagged: bool) -> None:
    _let_go(message, "failed", answer, flagged)
    note(message, "failed", answer, now)
    journal(message, "message.failed", now)


def _let_go(message: Message, state: str, answer: str, flagged: bool) -> None:
    message.state, message.answer = state, answer[:LONGEST_ANSWER]
    message.worker = message.lease_until = None
    message.possible_duplicate = flagged


def _remember(message: Message, written: Written) -> None:
    for column, value in written.remembered().items():
        setattr(message, column, value)


def note(message: Message, outcome: str, answer: str, now: datetime, by: str = "") -> None:
    """Keep what happened; the latest of it, should that ever be very much."""
    line = {"at": now.isoformat(), "outcome": outcome, "answer": answer[:LONGEST_ANSWER], "by": by}
    message.history = [*message.history, line][-LONGEST_HISTORY:]


def journal(message: Message, action: str, now: datetime, by: Actor = SYSTEM) -> None:
    """A message that will not arrive belongs on the timelines: somebody has to do something about it."""
    about = []
    if message.contact_id is not None:
        about.append(Record("contact", message.contact_id, db.session.get_one(Contact, message.contact_id).name))
    if message.about_kind is not None and message.about_id is not None:
        about.append(Record(message.about_kind, message.about_id, ""))
    detail = {"message_id": message.id, "kind": message.kind}
    record(action, *about, by=by, now=now, text=message.answer, detail=detail)
