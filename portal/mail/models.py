"""The outbox: one row per message to one recipient, written in the transaction that causes it."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base

WAITING = "state IN ('queued', 'deferred')"
BOUNCED = "bounced_at IS NOT NULL"


class Message(Base):
    """One e-mail to one recipient.

    States: queued, sending, sent, deferred, failed, cancelled. `kind` names what prepares it at delivery
    (`invitation`, `welcome`, `reset-password`, …); `about_kind`/`about_id` the record it belongs to. The
    address, subject and body are settled at delivery, so that a changed address is honoured; `body_sealed` is
    the encrypted JSON `{"subject", "html", "text", "links", "secrets", "kept"}` as it was delivered. `detail` holds
    what preparing needs, without secrets. `message_id` is the random part of the Message-ID. While a message is
    `sending`, `possible_duplicate` is set as soon as the server may get it; the answer decides.
    `template_version_id`: the saved text it was written with, None for the shipped one. `bounced_at`: a server took it
    and gave it back later. `history` holds what happened before the present state: `{"at", "outcome", "answer", "by"}`.
    """

    __tablename__ = "message"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(30))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    about_kind: Mapped[str | None] = mapped_column(String(30))
    about_id: Mapped[int | None]
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    dedupe_key: Mapped[str | None] = mapped_column(String(120), unique=True)
    created_at: Mapped[datetime]
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    message_id: Mapped[str] = mapped_column(String(200))
    state: Mapped[str] = mapped_column(String(10), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    worker: Mapped[str | None] = mapped_column(String(80))
    sent_at: Mapped[datetime | None]
    to_address: Mapped[str | None] = mapped_column(String(254))
    sender: Mapped[str | None] = mapped_column(String(400))
    reply_to: Mapped[str | None] = mapped_column(String(400))
    body_sealed: Mapped[str | None] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(String(500), default="")
    possible_duplicate: Mapped[bool] = mapped_column(default=False)
    template_version_id: Mapped[int | None]
    bounced_at: Mapped[datetime | None]
    history: Mapped[list[dict[str, str]]] = mapped_column(JSON, default=list, server_default="[]")

    __table_args__ = (
        Index("ix_message_due", "due_at", "id", sqlite_where=text(WAITING), postgresql_where=text(WAITING)),
        Index(
            "ix_message_sending",
            "worker",
            sqlite_where=text("state = 'sending'"),
            postgresql_where=text("state = 'sending'"),
        ),
        Index("ix_message_state", "state", "id"),
        Index("ix_message_about", "about_kind", "about_id", "contact_id"),
        Index("ix_message_created_at", "created_at"),
        Index("ix_message_bounced", "id", sqlite_where=text(BOUNCED), postgresql_where=text(BOUNCED)),
        Index(
            "ix_message_template_version",
            "template_version_id",
            sqlite_where=text("template_version_id IS NOT NULL"),
            postgresql_where=text("template_version_id IS NOT NULL"),
        ),
    )


class MailPause(Base):
    """The one row (id 1) that exists while the mail server will not have us as we are set up: nothing is sent and
    nothing fails until it does; tried again at `next_try_at`."""

    __tablename__ = "mail_pause"

    id: Mapped[int] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    next_try_at: Mapped[datetime]
    answer: Mapped[str] = mapped_column(String(500))


class MailPace(Base):
    """The one row (id 1) that all workers share where the site sends so many messages a minute and no more: when the
    next one may leave."""

    __tablename__ = "mail_pace"

    id: Mapped[int] = mapped_column(primary_key=True)
    next_at: Mapped[datetime]
