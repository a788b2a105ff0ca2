"""Contacts: people outside, with their account and web roles."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base


class Contact(Base):
    """A person outside. Only `email1` ever gets mail.

    `email1_key` is the canonical address (several contacts may share one; at most one of them verified).
    `epoch` counts up whenever all their sessions must end.
    """

    __tablename__ = "contact"

    id: Mapped[int] = mapped_column(primary_key=True)
    first_name: Mapped[str] = mapped_column(String(100), default="")
    last_name: Mapped[str] = mapped_column(String(100), default="")
    name_key: Mapped[str] = mapped_column(String(260))
    email1: Mapped[str | None] = mapped_column(String(254))
    email1_key: Mapped[str | None] = mapped_column(String(254), index=True)
    email1_verified_at: Mapped[datetime | None]
    email2: Mapped[str | None] = mapped_column(String(254))
    email3: Mapped[str | None] = mapped_column(String(254))
    phone: Mapped[str] = mapped_column(String(50), default="")
    language: Mapped[str] = mapped_column(String(5), default="en")
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    active: Mapped[bool] = mapped_column(default=True)
    epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        Index("ix_contact_name_key_id", "name_key", "id"),
        Index(
            "uq_contact_verified_email",
            "email1_key",
            unique=True,
            sqlite_where=text("email1_verified_at IS NOT NULL"),
            postgresql_where=text("email1_verified_at IS NOT NULL"),
        ),
    )

    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        """For Flask-Login."""
        return self.active

    def get_id(self) -> str:
        """What a session remembers; it no longer matches once `epoch` counted up."""
        return f"contact:{self.id}:{self.epoch}"

    @property
    def name(self) -> str:
        """The full name, else the address, else the number."""
        return f"{self.first_name} {self.last_name}".strip() or self.email1 or f"#{self.id}"


class ContactWebRole(Base):
    """A web role that a contact has."""

    __tablename__ = "contact_web_role"

    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True)
    web_role_id: Mapped[int] = mapped_column(ForeignKey("web_role.id"), primary_key=True, index=True)
    granted_at: Mapped[datetime]
