"""The token of a set-up link: what it is bound to, and how long it lives."""

from datetime import timedelta

from portal.kernel.secrets_ import KeyRing

LIVES = timedelta(hours=72)
_PURPOSE = "staff-set-up"


def token(ring: KeyRing, public_id: bytes, link_id: int) -> str:
    """The secret part of the link's address."""
    return ring.token(public_id, _PURPOSE, link_id)


def genuine(ring: KeyRing, link_id: int, given: str) -> bool:
    """Whether `given` was made for this link."""
    return ring.verifies(given, _PURPOSE, link_id)
