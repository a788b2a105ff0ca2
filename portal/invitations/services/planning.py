"""Reminders by schedule: when they are due, and the jobs that wait for it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from portal.invitations import queries
from portal.invitations.models import Invitation
from portal.invitations.queries import outgoing, reminders
from portal.invitations.queries.reminders import Moment
from portal.invitations.status import dead
from portal.jobs import queue
from portal.settings.queries import site

REMIND_JOB = "remind"


class Planned(NamedTuple):
    """A reminder to come, and for how many contacts as things stand."""

    at: datetime
    side: str
    days: int
    contacts: int


def plan_ahead(invitation: Invitation, now: datetime, *, sent_now: bool = False) -> None:
    """Put the reminders to come into the queue; `sent_now` says that it was sent at `now`.

    Called wherever schedule, expiry or sending change. Twice does no harm: at its time each job looks again.
    """
    if not invitation.reminders:
        return
    sent = {now} if sent_now else set(sent_at(invitation.id))
    for moment in {moment for base in sent for moment in reminders.moments(invitation, base, site())}:
        if moment.at > now:
            enqueue(invitation.id, moment.key, moment.at, now)


def enqueue(invitation_id: int, which: str, due_at: datetime, now: datetime) -> None:
    """Let a reminder be looked at once more at `due_at`."""
    detail = {"invitation_id": invitation_id, "which": which}
    key = f"{REMIND_JOB}:{invitation_id}:{which}:{due_at.isoformat()}"
    queue.enqueue(REMIND_JOB, detail, now=now, due_at=due_at, dedupe_key=key)


def sent_at(invitation_id: int) -> dict[datetime, set[int]]:
    """Ids of contacts by the moment at which they were last sent the invitation itself."""
    found: dict[datetime, set[int]] = defaultdict(set)
    for (_invitation_id, contact_id), mailed in outgoing.mailed_of([invitation_id]).items():
        if mailed.sent_at is not None:
            found[mailed.sent_at].add(contact_id)
    return found


def planned(invitation: Invitation, now: datetime, invitees: Sequence[queries.Invitee] | None = None) -> list[Planned]:
    """The reminders to come, in order, with those who would get one now; nobody any more: none. `invitees` are all of
    them, where they are known already."""
    if not invitation.reminders or dead(invitation, now) is not None:
        return []
    counted: dict[Moment, int] = defaultdict(int)
    if invitees is None:
        awaited = outgoing.awaited(invitation.id)
    else:
        awaited = [(one.invited_at, 1) for one in invitees if one.may_answer and one.invited_at is not None]
    for base, contacts in awaited:
        for moment in reminders.moments(invitation, base, site()):
            counted[moment] += contacts
    return [Planned(one.at, one.side, one.days, count) for one, count in sorted(counted.items()) if one.at > now]
