"""Sign-in providers, kept as data: one start route and one callback serve them all."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base

OIDC, OAUTH2 = "oidc", "oauth2"
FROM_PAGE, FROM_FILE = "page", "file"


class Provider(Base):
    """A provider of sign-in. `slug` stands in its addresses and never changes.

    `preset` names its entry in `presets`, `kind` is `oidc` or `oauth2`; an OAuth 2.0 provider has a synthetic `issuer`
    and the three addresses. `secret_sealed` is bound to `provider:<slug>`. `claims` maps our fields (`first_name`,
    `last_name`, `email`, `language`) to names of claims where they differ from the preset's. `waives` lists the checks
    (`nonce`, `pkce`) that it cannot pass; one that waives any is never trusted for e-mail. Switched off (not
    `enabled`), nobody signs in with it, and what it is for stays as chosen. `source` is `file` for those of
    `portal.toml`, which the page only shows.
    """

    __tablename__ = "provider"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(40), unique=True)
    preset: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(10))
    caption: Mapped[str] = mapped_column(String(100))
    mark: Mapped[str] = mapped_column(String(30))
    issuer: Mapped[str] = mapped_column(String(300))
    authorize_url: Mapped[str | None] = mapped_column(String(500))
    token_url: Mapped[str | None] = mapped_column(String(500))
    userinfo_url: Mapped[str | None] = mapped_column(String(500))
    client_id: Mapped[str] = mapped_column(String(300))
    secret_sealed: Mapped[str | None] = mapped_column(Text)
    scopes: Mapped[str] = mapped_column(String(300))
    enabled: Mapped[bool] = mapped_column(default=True)
    for_sign_in: Mapped[bool] = mapped_column(default=True)
    for_registration: Mapped[bool] = mapped_column(default=True)
    for_staff: Mapped[bool] = mapped_column(default=False)
    trusted_for_email: Mapped[bool] = mapped_column(default=False)
    claims: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    refreshes: Mapped[bool] = mapped_column(default=False)
    waives: Mapped[list[str]] = mapped_column(JSON, default=list)
    source: Mapped[str] = mapped_column(String(10), default=FROM_PAGE)
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)
