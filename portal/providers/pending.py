"""Sign-ins at a provider that a browser has begun: in its session until it comes back, good once, for ten minutes."""

from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

KEY = "at_provider"
ENDS = "ends_at_provider"
"""Where in a session stands how to sign out at the provider, too: `sealed` (the address), `caption`."""
MOST = 5
LASTS = timedelta(minutes=10)


@dataclass(frozen=True)
class Started:
    """One sign-in on its way. `kept` is what `exchange.begin` wants back; `state` finds it again.

    `purpose`: why somebody goes there; `who`: whose session it was (`Contact.get_id()`), empty for nobody's; `seen`:
    the mark of the invitation that the page spoke of; `target`: where they go on to.
    """

    slug: str
    state: str
    purpose: str
    kept: dict[str, Any]
    at: str
    who: str = ""
    seen: str = ""
    target: str | None = None


def remember(session: MutableMapping[str, Any], started: Started) -> None:
    """Keep it, and forget the oldest of too many."""
    session[KEY] = [*session.get(KEY, [])[1 - MOST :], asdict(started)]


def take(session: MutableMapping[str, Any], slug: str, args: Mapping[str, str], now: datetime) -> Started | None:
    """The sign-in that this callback ends; from now on it is unknown, whatever comes of it. None where this browser
    has not begun it at this provider, or longer ago."""
    state, waiting = args.get("state"), session.get(KEY, [])
    found = [one for one in waiting if state and one["state"] == state]
    if not found:
        return None
    session[KEY] = [one for one in waiting if one not in found]
    started = Started(**found[0])
    late = now - datetime.fromisoformat(started.at) > LASTS
    return None if late or started.slug != slug else started
