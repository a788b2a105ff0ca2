"""The outbox: messages go in with the transaction that causes them, and are prepared when their turn comes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite

from portal.kernel.db import db
from portal.kernel.secrets_ import new_secret
from portal.mail.models import Message
from portal.mail.texts import Source
from portal.settings.queries import operator
from portal.staff.permissions import StaffActor


class Cancelled(Exception):
    """Raised by a preparer: the message has no purpose any more. `reason` is for staff to read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = str(reason)


class NotNow(Exception):
    """Raised by a preparer: the message waits until then, as if it had never been begun."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until.isoformat())
        self.until = until


@dataclass(frozen=True)
class Prepared:
    """What a message becomes, settled when it is delivered.

    `to` is the one address; `template` a name under `templates/mail/<language>/`; `values` what its placeholders
    show: `link` and names ending in `_url` must be addresses of this site, `code` is the invitation code in groups, all
    else is taken as text that people typed. `sender_name` is the person who writes (the message comes from
    "Anna Weber via Site"); None means the site itself. `reply_to` is an address, or None. `source` stands in for the
    texts of the template: a test of a text that is not saved.
    """

    to: str
    template: str
    values: dict[str, Any] = field(repr=False)
    sender_name: str | None = None
    reply_to: str | None = None
    language: str = "en"
    source: Source | None = field(default=None, repr=False)


Resend = Callable[[int, int, StaffActor, datetime], str]

resends: dict[str, Resend] = {}
"""Who writes a message about a record of that kind anew, filled by the composition root: given the record's id, the
contact, who asks and when, it returns why it did not, empty where it did."""

Preparer = Callable[[Message, datetime], Prepared]

prepares: dict[str, Preparer] = {}
"""What prepares each kind of message, filled by the composition root. A preparer only reads; it raises
Cancelled when the message is not to be sent any more."""

PrepareMany = Callable[[Sequence[Message], datetime], dict[int, Prepared | Exception]]

prepares_many: dict[str, PrepareMany] = {}
"""The same for many messages of a kind at once, by their ids, where asking for each by itself would take too long; what
a preparer would raise stands in place of its message."""


def enqueue(
    kind: str,
    *,
    now: datetime,
    contact_id: int | None = None,
    staff_id: int | None = None,
    about: tuple[str, int] | None = None,
    detail: dict[str, Any] | None = None,
    dedupe_key: str | None = None,
    created_by: int | None = None,
    due_at: datetime | None = None,
) -> Message:
    """Put a message into the open transaction; a worker delivers it after the commit.

    `about` is the record it belongs to, such as `("invitation", 7)`. `detail` holds no secrets. With a
    `dedupe_key` that a message has already, that message is returned and nothing is added.
    """
    about_kind, about_id = about or (None, None)
    values = {
        "kind": kind,
        "contact_id": contact_id,
        "staff_id": staff_id,
        "about_kind": about_kind,
        "about_id": about_id,
        "detail": detail or {},
        "dedupe_key": dedupe_key,
        "created_at": now,
        "created_by": created_by,
        "due_at": due_at or now,
        "message_id": _message_id(),
    }
    if dedupe_key is None:
        message = Message(**values, state="queued", attempts=0)
        db.session.add(message)
        db.session.flush()
        return message
    dialect: Any = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(Message).values(**values).on_conflict_do_nothing(index_elements=[Message.dedupe_key])
    db.session.execute(insert)
    return db.session.scalars(select(Message).where(Message.dedupe_key == dedupe_key)).one()


def asked_since(kinds: Sequence[str], since: datetime, *, contact_id: int) -> int:
    """How many messages of these kinds to a contact went in since then."""
    asked = select(func.count()).select_from(Message).where(Message.contact_id == contact_id)
    return db.session.scalar(asked.where(Message.kind.in_(kinds), Message.created_at > since)) or 0


def enqueue_many(
    kind: str,
    recipients: Mapping[int, str],
    *,
    now: datetime,
    about: tuple[str, int],
    detail: dict[str, Any] | None = None,
    created_by: int | None = None,
    due_at: datetime | None = None,
) -> None:
    """The same message to many contacts: `recipients` gives each contact's id its `dedupe_key`, which counts once as in
    `enqueue`. Thousands take as long as a few dozen do one by one."""
    shared = {"kind": kind, "about_kind": about[0], "about_id": about[1], "detail": detail or {}, "history": []}
    shared |= {"created_at": now, "created_by": created_by, "due_at": due_at or now, "state": "queued", "attempts": 0}
    rows = [
        {**shared, "contact_id": contact_id, "dedupe_key": key, "message_id": _message_id()}
        for contact_id, key in recipients.items()
    ]
    if rows:
        db.session.flush()
        dialect: Any = postgresql if db.engine.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(Message.__table__).on_conflict_do_nothing(index_elements=[Message.dedupe_key])
        db.session.execute(insert, rows)


def message_id(message: Message) -> str:
    """The Message-ID, the same on every attempt."""
    return f"<m{message.id}.{message.message_id.strip('<>')}>"


def _message_id() -> str:
    """The part that is stored: random, and the domain that mail comes from at this time."""
    domain = parseaddr(operator().mail_from)[1].rpartition("@")[2]
    return f"{new_secret()[:16]}@{domain}"
