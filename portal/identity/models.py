"""How a contact signs in: the local credential, identities at providers, remembered browsers, one-time links."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base


class Credential(Base):
    """A contact's one username and password. Without a hash it is a username only, and no way to sign in.

    `failures` counts wrong passwords in a row. `must_change`: the password is a temporary one that staff set.
    """

    __tablename__ = "credential"

    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    username: Mapped[str] = mapped_column(String(100))
    username_key: Mapped[str] = mapped_column(String(100), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(200))
    password_set_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    must_change: Mapped[bool] = mapped_column(default=False, server_default=false())


class ExternalIdentity(Base):
    """Who a contact is at a provider: (issuer, subject), unique. `email` and `name` are shown, never trusted."""

    __tablename__ = "external_identity"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    provider_id: Mapped[int] = mapped_column(ForeignKey("provider.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(300))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str] = mapped_column(String(254), default="")
    name: Mapped[str] = mapped_column(String(201), default="")
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("issuer", "subject"),)


class RememberedBrowser(Base):
    """A browser that a contact asked to be remembered: to *stay* signed in, or to be spared the *second* factor.

    Its cookie holds `selector` and a secret whose SHA-256 is `validator_hash`; the secret changes with each use, and
    `previous_hash` stays good for a moment, so that two requests at once do not look like a theft.
    """

    __tablename__ = "remembered_browser"

    id: Mapped[int] = mapped_column(primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(10))
    selector: Mapped[str] = mapped_column(String(43), unique=True)
    validator_hash: Mapped[str] = mapped_column(String(64))
    previous_hash: Mapped[str | None] = mapped_column(String(64))
    rotated_at: Mapped[datetime]
    epoch: Mapped[int]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(200), default="")


class OneTimeLink(Base):
    """A link, or a code, mailed to a contact: see `links` for the purposes. It is bound to the address in `email_key`;
    `email` is that address as it was typed where it is not the contact's yet (`change`)."""

    __tablename__ = "contact_one_time_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    purpose: Mapped[str] = mapped_column(String(10))
    email_key: Mapped[str] = mapped_column(String(254))
    email: Mapped[str | None] = mapped_column(String(254))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
