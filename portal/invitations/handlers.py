"""The jobs of invitations."""

from datetime import datetime
from typing import Any

from portal.invitations import services


def remind(detail: dict[str, Any], job_id: int, now: datetime) -> None:
    """A reminder by schedule, if it still is due."""
    services.remind_as_planned(int(detail["invitation_id"]), str(detail["which"]), now)


def send(detail: dict[str, Any], job_id: int, now: datetime) -> None:
    """An invitation to very many, which somebody sent."""
    services.send_queued(detail, now)
