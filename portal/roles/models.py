"""Web roles: named permission sets on the site."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base


class WebRole(Base):
    """A web role. `implicit` is `authenticated` or `anonymous` for the two that everybody has without being
    given them; those are never assigned, renamed or deleted."""

    __tablename__ = "web_role"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(String(300), unique=True)
    description: Mapped[str] = mapped_column(String(500), default="")
    managers_may_grant: Mapped[bool] = mapped_column(default=False)
    implicit: Mapped[str | None] = mapped_column(String(15), unique=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    # A deleted role's number never returns: its journal and what redemptions gave would be another's.
    __table_args__ = {"sqlite_autoincrement": True}
