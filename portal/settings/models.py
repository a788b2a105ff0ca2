"""The site's settings: one row, whose values are JSON by name."""

from typing import Any

from sqlalchemy import JSON
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base


class SiteSettingsRow(Base):
    """The one row (id 1) that holds what owners changed; what is absent has its default."""

    __tablename__ = "site_settings"

    id: Mapped[int] = mapped_column(primary_key=True)
    values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    version: Mapped[int] = mapped_column(default=1)


class KeyInUse(Base):
    """The id of a key that stored values were made with: without it the portal refuses to start."""

    __tablename__ = "key_in_use"

    key_id: Mapped[str] = mapped_column(primary_key=True)
