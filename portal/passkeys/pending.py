"""The challenges that wait in a session for an authenticator's answer: each for one purpose, once, for five minutes."""

from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

KEY = "passkey_challenges"
LASTS = timedelta(minutes=5)
MOST = 5
SIGN_IN, SIGN_UP, ADD, PROVE = "sign-in", "sign-up", "add", "prove"


@dataclass(frozen=True)
class Challenge:
    """What was asked. `handle` names the person for whom a key is to be made, in the spelling of sessions."""

    text: str
    purpose: str
    at: str
    handle: str = ""


def remember(session: MutableMapping[str, Any], challenge: Challenge) -> None:
    """Keep a challenge; of several at once (more windows) the oldest goes first."""
    session[KEY] = [*session.get(KEY, []), asdict(challenge)][-MOST:]


def take(session: MutableMapping[str, Any], text: str, purpose: str, now: datetime) -> Challenge | None:
    """The challenge an answer speaks of, if this browser was asked it for this purpose and lately. It is gone after
    that, whatever becomes of the answer."""
    waiting = [Challenge(**kept) for kept in session.get(KEY, [])]
    asked = next((one for one in waiting if one.text == text), None)
    if asked is None:
        return None
    left = [asdict(one) for one in waiting if one is not asked]
    if left:
        session[KEY] = left
    else:
        del session[KEY]
    fresh = now - datetime.fromisoformat(asked.at) < LASTS
    return asked if fresh and asked.purpose == purpose else None
