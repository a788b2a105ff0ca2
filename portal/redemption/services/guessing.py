"""Noting for staff that somebody is guessing codes."""

from datetime import datetime

from portal.journal.services import record
from portal.kernel.actor import SYSTEM


def guessing(now: datetime) -> None:
    """Note that so many codes did not work, all over the site, that each one has to wait now."""
    record("redemption.codes-guessed", by=SYSTEM, now=now)
