"""Accounts: organisations, each the parent of any number of contacts."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base


class Account(Base):
    """An organisation; `name_key` is the name folded for searching and sorting."""

    __tablename__ = "account"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    # A deleted account's number never returns: its journal would be another's.
    __table_args__ = (Index("ix_account_name_key_id", "name_key", "id"), {"sqlite_autoincrement": True})
