"""The journal: one entry per deed, linked to every record it concerns."""

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base


class JournalEntry(Base):
    """Who did what, when, from where. Never changed and never deleted.

    `action` is dotted (`invitation.sent`); `text` is an optional sentence for people; `detail` holds plain
    JSON without secrets, such as the fields that changed.
    """

    __tablename__ = "journal_entry"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor_kind: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[int | None]
    actor_name: Mapped[str] = mapped_column(String(250))
    ip: Mapped[str | None] = mapped_column(String(45))
    action: Mapped[str] = mapped_column(String(60), index=True)
    text: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class JournalRecord(Base):
    """A record that an entry concerns; `kind` is the table's word (`invitation`, `contact`), `name` as it was then."""

    __tablename__ = "journal_record"

    entry_id: Mapped[int] = mapped_column(ForeignKey("journal_entry.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(30), primary_key=True)
    record_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(250), default="")

    __table_args__ = (Index("ix_journal_record_timeline", "kind", "record_id", "entry_id"),)


class Record(NamedTuple):
    """A record that a deed concerns."""

    kind: str
    id: int
    name: str
