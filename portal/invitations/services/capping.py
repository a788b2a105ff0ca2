"""How much may be mailed on one day, by one person and by the site, where its owners set a limit."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from flask_babel import gettext as _

from portal.invitations.queries import outgoing
from portal.kernel import clock
from portal.kernel.db import db
from portal.settings.models import SiteSettingsRow
from portal.settings.queries import site
from portal.staff.permissions import StaffActor

if TYPE_CHECKING:
    from portal.invitations.services.sending import Plan


def one_at_a_time() -> None:
    """Where there is a limit, let whoever sends at the same moment wait until this transaction ends, so that two
    together do not exceed it."""
    settings = site()
    if settings.staff_mails_per_day is not None or settings.site_mails_per_day is not None:
        db.session.get(SiteSettingsRow, 1, with_for_update=True)


def hold_back(plans: Sequence["Plan"], by: StaffActor | None, now: datetime) -> list["Plan"]:
    """Refuse each that would exceed a limit of the day: all of an invitation's mails go out or none, for a second
    sending would reach those again who got one. Without `by` only the limit of the site counts."""
    settings = site()
    today = clock.local_day(now, settings.zone)
    midnight, next_midnight = (clock.at_hour(today + timedelta(days=days), 0, settings.zone) for days in (0, 1))
    for limit, mine in ((settings.site_mails_per_day, False), (settings.staff_mails_per_day, True)):
        if limit is None or (mine and by is None):
            continue
        left = max(0, limit - outgoing.mailed_since(midnight, by.id if mine and by else None))
        for one in plans:
            if one.refused or not one.recipients:
                continue
            wanted = len(one.recipients)
            if wanted > left:
                one.refused = _why(limit, left, wanted, mine=mine)
                # More than a whole day's worth will not fit tomorrow either.
                one.full_until = next_midnight if wanted <= limit else None
            else:
                left -= wanted
    return list(plans)


def _why(limit: int, left: int, wanted: int, *, mine: bool) -> str:
    if wanted > limit:
        return _(
            "It has %(wanted)s recipients, and %(limit)s e-mails may be sent in a day. An owner can raise that limit.",
            wanted=wanted,
            limit=limit,
        )
    if mine:
        return _(
            "You may send %(limit)s e-mails in a day; %(left)s are left today, and this needs %(wanted)s.",
            limit=limit,
            left=left,
            wanted=wanted,
        )
    return _(
        "This site sends %(limit)s e-mails in a day; %(left)s are left today, and this needs %(wanted)s.",
        limit=limit,
        left=left,
        wanted=wanted,
    )
