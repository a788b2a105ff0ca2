"""An invitation's status, derived from its facts; `queries.STATUS` is the same in SQL."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Status(StrEnum):
    """Where an invitation stands; the four views of the list have these names."""

    NEW = "new"
    OPEN = "open"
    COMPLETED = "completed"
    INACTIVE = "inactive"


class Reason(StrEnum):
    """Why an invitation can be neither sent nor redeemed."""

    INACTIVE = "inactive"
    COMPLETED = "completed"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Facts:
    """What is stored about an invitation's life."""

    sent: bool
    completed: bool
    deactivated: bool


class Lived(Protocol):
    """Anything that carries an invitation's facts: the record, or a row of a list."""

    @property
    def sent_at(self) -> datetime | None: ...
    @property
    def completed_at(self) -> datetime | None: ...
    @property
    def deactivated_at(self) -> datetime | None: ...
    @property
    def expires_at(self) -> datetime | None: ...


def status(facts: Facts) -> Status:
    """The status that the facts mean. Expiry changes no status."""
    if facts.deactivated:
        return Status.INACTIVE
    if facts.completed:
        return Status.COMPLETED
    return Status.OPEN if facts.sent else Status.NEW


def status_of(invitation: Lived) -> Status:
    """The status of a record."""
    return status(
        Facts(
            sent=invitation.sent_at is not None,
            completed=invitation.completed_at is not None,
            deactivated=invitation.deactivated_at is not None,
        )
    )


def expired(invitation: Lived, now: datetime) -> bool:
    """Whether its last day is over; `expires_at` itself is the first instant that is too late."""
    return invitation.expires_at is not None and invitation.expires_at <= now


def dead(invitation: Lived, now: datetime) -> Reason | None:
    """Why it can be neither sent nor redeemed, or None while it can."""
    if invitation.deactivated_at is not None:
        return Reason.INACTIVE
    if invitation.completed_at is not None:
        return Reason.COMPLETED
    return Reason.EXPIRED if expired(invitation, now) else None
