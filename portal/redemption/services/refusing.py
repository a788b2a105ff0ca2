"""The refusal of a redemption."""

import structlog
from flask_babel import gettext as _

from portal.kernel.errors import Conflict
from portal.redemption.status import OVER, Reason

log = structlog.get_logger("redemption")


class Refused(Conflict):
    """The redemption cannot be; nothing of it happened. `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(_("This invitation cannot be accepted."))
        self.reason = reason
        self.status = 410 if reason in OVER else 409


def refused(reason: Reason, invitation_id: int) -> Refused:
    """The refusal to raise; it is logged."""
    log.info("redemption.refused", reason=reason.value, invitation=invitation_id)
    return Refused(reason)
