"""When an invitation reminds whom: its schedule, and the moments that come of it."""

import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from flask_babel import gettext as _
from flask_babel import ngettext

from portal.invitations.models import Invitation
from portal.kernel import clock
from portal.kernel.db import db
from portal.mail.models import Message
from portal.settings.queries import SiteSettings

AFTER, BEFORE = "after", "before"
LONGEST_DAYS, MOST_DAYS = 365, 5
MORNING = 9
"""The hour of the site's day at which a reminder goes out that counts from the expiry."""

_TYPED = re.compile(r"[0-9]+(?:(?: *[,;] *| +)[0-9]+)*", re.ASCII)


class Moment(NamedTuple):
    """A reminder by schedule. `side` and `days` say which one, `anchor` what it counts from: neither moves when the
    settings of the site do, as `at` may."""

    at: datetime
    side: str
    days: int
    anchor: str

    @property
    def key(self) -> str:
        """What makes it go out once."""
        return f"{self.side}:{self.days}:{self.anchor}"


def parse_days(typed: str) -> tuple[int, ...] | None:
    """`"7, 3"` as (3, 7); None for what is no list of days."""
    if not typed:
        return ()
    if not _TYPED.fullmatch(typed) or len(typed) > 100:
        return None
    return tuple(sorted({int(number[:9]) for number in re.findall(r"[0-9]+", typed)}))


def schedule(after: Iterable[int], before: Iterable[int]) -> dict[str, list[int]]:
    """The schedule as it is stored; empty for none."""
    both = {AFTER: sorted(set(after)), BEFORE: sorted(set(before), reverse=True)}
    return {side: days for side, days in both.items() if days}


def days_of(invitation: Invitation, side: str) -> tuple[int, ...]:
    """The days of one side of an invitation's schedule."""
    return tuple(sorted(int(day) for day in (invitation.reminders or {}).get(side, ())))


def listed(days: Iterable[int]) -> str:
    """Days as the form holds them."""
    return ", ".join(str(day) for day in sorted(days))


def in_words(after: Collection[int], before: Collection[int]) -> str:
    """A schedule as staff read it; blank for none."""
    parts = []
    if after:
        told = _told(after)
        parts.append(ngettext("%(days)s day after sending", "%(days)s days after sending", max(after), days=told))
    if before:
        told = _told(before)
        parts.append(ngettext("%(days)s day before expiry", "%(days)s days before expiry", max(before), days=told))
    return ", ".join(parts)


def of(invitation: Invitation) -> str:
    """The schedule of an invitation as staff read it."""
    return in_words(days_of(invitation, AFTER), days_of(invitation, BEFORE))


def _told(days: Collection[int]) -> str:
    *first, last = [str(day) for day in sorted(days)]
    return _("%(days)s and %(last)s", days=", ".join(first), last=last) if first else last


def moments(invitation: Invitation, sent_at: datetime, site: SiteSettings) -> list[Moment]:
    """When those are reminded who were last sent the invitation at `sent_at`, in order: never in quiet hours, never
    after the expiry, at most once a day and not on the day of the sending."""
    zone, found = site.zone, []
    for days in days_of(invitation, AFTER):
        at = site.awake(clock.same_time(sent_at, days, zone))
        found.append(Moment(at, AFTER, days, sent_at.isoformat()))
    if invitation.expires_at is not None:
        last_day = clock.local_day(invitation.expires_at - timedelta(microseconds=1), zone)
        for days in days_of(invitation, BEFORE):
            at = site.awake(clock.at_hour(last_day - timedelta(days=days), MORNING, zone))
            found.append(Moment(at, BEFORE, days, (invitation.expires_on or last_day).isoformat()))
    taken, kept = clock.local_day(sent_at, zone), list[Moment]()
    for moment in sorted(found):
        day, end = clock.local_day(moment.at, zone), invitation.expires_at
        if day > taken and (end is None or moment.at < end):
            kept.append(moment)
            taken = day
    return kept


def dedupe_prefix(invitation_id: int, which: str) -> str:
    """How the once-only keys of a reminder's messages begin."""
    return f"reminder:{invitation_id}:{which}:"


def went_out(invitation_id: int, which: str) -> bool:
    """Whether messages of this reminder were written before."""
    prefix = dedupe_prefix(invitation_id, which)
    found = db.select(Message.id).where(
        Message.about_kind == "invitation",
        Message.about_id == invitation_id,
        Message.dedupe_key.startswith(prefix, autoescape=True),
    )
    return db.session.scalar(found.limit(1)) is not None
