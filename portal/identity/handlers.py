"""The background work of signing in: looking up who asked for a new password."""

from datetime import datetime
from typing import Any

from portal.identity import services


def reset(detail: dict[str, Any], job_id: int, now: datetime) -> None:
    """Mail a reset link, if the one who was named can get one."""
    services.send_reset(int(detail["contact_id"]), now)
