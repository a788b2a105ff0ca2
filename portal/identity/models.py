"""How a contact signs in: the local credential, and one-time links sent by mail."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base


class Credential(Base):
    """A contact's one username and password."""

    __tablename__ = "credential"

    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    username: Mapped[str] = mapped_column(String(100))
    username_key: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    password_set_at: Mapped[datetime]
    failures: Mapped[int] = mapped_column(default=0)


class OneTimeLink(Base):
    """A link mailed to a contact: `reset` (30 minutes) or `confirm` (72 hours) for the address in `email_key`."""

    __tablename__ = "contact_one_time_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(10))
    email_key: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
