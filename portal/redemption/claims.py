"""What a provider said of somebody whom we ask something before it counts, kept in their session for ten minutes."""

from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from portal.providers.claims import Claims

KEY = "claims"
LASTS = timedelta(minutes=10)
REPLACE, EMAIL, ABOUT = "replace", "email", "about"
"""What we ask: whether an earlier sign-in may go, whether another address is theirs, too; what they are called."""


@dataclass(frozen=True)
class Waiting:
    """Checked claims that wait for their person's word. `mark` is that of the invitation the question is about, empty
    where it is about registering."""

    claims: Claims
    asks: tuple[str, ...]
    mark: str
    ends_at: str | None
    target: str | None
    at: str


def keep(session: MutableMapping[str, Any], waiting: Waiting) -> None:
    """Keep them, in place of earlier ones."""
    session[KEY] = asdict(waiting)


def kept(session: MutableMapping[str, Any], slug: str, now: datetime) -> Waiting | None:
    """What this provider said, if it is not too long ago."""
    stored = session.get(KEY)
    if not stored or stored["claims"]["slug"] != slug or now - datetime.fromisoformat(stored["at"]) > LASTS:
        return None
    return Waiting(**{**stored, "claims": Claims(**stored["claims"]), "asks": tuple(stored["asks"])})


def drop(session: MutableMapping[str, Any]) -> None:
    """Forget them, if there are any."""
    if KEY in session:
        del session[KEY]
