"""The tokens of one-time links mailed to contacts: what each is bound to, and how long it lives."""

from dataclasses import replace
from datetime import timedelta

from portal.kernel.secrets_ import KeyRing, digest

RESET, CONFIRM = "reset", "confirm"
SET, CHANGE, CODE = "set", "change", "code"
"""To set a first password, to change the address, to sign in with a second factor."""
LIVES = {
    RESET: timedelta(minutes=30),
    CONFIRM: timedelta(hours=72),
    SET: timedelta(hours=72),
    CHANGE: timedelta(hours=24),
    CODE: timedelta(minutes=10),
}


def token(ring: KeyRing, public_id: bytes, purpose: str, link_id: int, email_key: str) -> str:
    """The secret part of the link's address; made when the mail is written and stored nowhere."""
    return ring.token(public_id, purpose, link_id, digest(email_key))


def genuine(ring: KeyRing, given: str, purpose: str, link_id: int, email_key: str) -> bool:
    """Whether `given` was made for this link, this purpose and this address."""
    return ring.verifies(given, purpose, link_id, digest(email_key))


def moving(email_key: str, standing: str) -> str:
    """What a link to a new address is bound to: that address, and how the contact stood before."""
    return f"{email_key} {standing}"


def moves_from(email_key: str | None, epoch: int) -> str:
    """How a contact stands who moves to a new address: the one it takes the place of, and in which epoch, for whoever
    asked may have been shut out since."""
    return f"{email_key or ''} {epoch}"


def code(ring: KeyRing, public_id: bytes, link_id: int, email_key: str) -> str:
    """The six digits that are mailed as a second factor; made when the mail is written and stored nowhere."""
    return f"{int(digest(token(ring, public_id, CODE, link_id, email_key)), 16) % 1_000_000:06}"


def codes(ring: KeyRing, public_id: bytes, link_id: int, email_key: str) -> list[str]:
    """Every code that may have been mailed: the keys may have been rotated since."""
    return [code(replace(ring, current=key_id), public_id, link_id, email_key) for key_id in ring.keys]
