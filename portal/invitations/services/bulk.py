"""The same act on the ticked invitations of a page."""

from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from typing import NamedTuple

from portal.invitations import queries
from portal.invitations.models import Invitation
from portal.invitations.queries import outgoing
from portal.invitations.services import capping, changing, later, life, reminding, sending
from portal.invitations.services.checking import beyond
from portal.invitations.services.sending import Plan, Sent
from portal.staff.permissions import StaffActor


class Outcome(NamedTuple):
    """What came of a bulk act: invitations done, messages written, contacts skipped, invitations left as they were."""

    done: int
    messages: int = 0
    skipped: int = 0
    refused: int = 0
    before: bool = False
    later: int = 0
    """Invitations to very many, which a job sends."""


def send_many(ids: Sequence[int], *, key: str, by: StaffActor, now: datetime) -> Outcome:
    """Send what can be sent of these; the same `key` again writes nothing.

    Raises TooFast when nothing is left to send but contacts who have had three mails in six hours, or when the day's
    limit is reached.
    """
    large = later.many(ids)
    queued = [later.send_later(one, key=key, by=by, now=now) for one in _sendable(large, by, now)]
    left = [number for number in ids if number not in large]
    outcome = _mail_many(left, sending.plans, sending.carry_out, key=key, by=by, now=now)
    return outcome._replace(
        done=outcome.done + sum(one.later for one in queued),
        refused=outcome.refused + len(large) - len(queued),
        later=sum(one.later for one in queued),
        before=outcome.before or any(one.before for one in queued),
    )


def _sendable(ids: Collection[int], by: StaffActor, now: datetime) -> list[Invitation]:
    found = queries.by_ids(ids, lock=True)
    return [one for one in found if not sending.standing(one, by, now).refused]


def remind_many(ids: Sequence[int], *, key: str, by: StaffActor, now: datetime) -> Outcome:
    """The same with reminders."""
    return _mail_many(ids, reminding.reminder_plans, reminding.carry_out, key=key, by=by, now=now)


def _mail_many(
    ids: Sequence[int],
    plans: Callable[[list[Invitation], StaffActor, datetime], list[Plan]],
    carry_out: Callable[..., Sent],
    *,
    key: str,
    by: StaffActor,
    now: datetime,
) -> Outcome:
    invitations = queries.by_ids(ids, lock=True)
    if any(outgoing.messages_with_key(invitation.id, key) for invitation in invitations):
        return Outcome(0, before=True)
    capping.one_at_a_time()
    intended = plans(invitations, by, now)
    ready = [one for one in intended if not one.refused and one.recipients]
    for one in intended:
        if not ready and (one.full_until is not None or (not one.refused and one.free_again is not None)):
            sending.insist(one, now)
    sent = [carry_out(one, key=key, by=by, now=now) for one in ready]
    return Outcome(
        done=len(sent),
        messages=sum(one.messages for one in sent),
        skipped=sum(len(one.skipped) for one in intended if not one.refused),
        refused=len(intended) - len(ready),
    )


def deactivate_many(ids: Sequence[int], by: StaffActor, now: datetime) -> Outcome:
    """Deactivate those of these that are active."""
    return _outcome([life.deactivate(invitation.id, by, now) for invitation in queries.by_ids(ids, lock=True)])


def activate_many(ids: Sequence[int], by: StaffActor, now: datetime) -> Outcome:
    """Activate those of these that are inactive, and give no web role that this person may not give."""
    theirs = may_give(queries.by_ids(ids, lock=True), by)
    return _outcome([life.activate(invitation.id, by, now) for invitation in theirs])


def extend_many(ids: Sequence[int], day: date | None, by: StaffActor, now: datetime) -> Outcome:
    """Give those of these that are not completed another last day, leaving out what gives a web role that this person
    may not give. Raises Invalid for a day that is over."""
    open_ones = [one for one in may_give(queries.by_ids(ids, lock=True), by) if one.completed_at is None]
    return _outcome([changing.extend(invitation.id, day, by, now) for invitation in open_ones])


def may_give(invitations: Sequence[Invitation], by: StaffActor) -> list[Invitation]:
    """Those of these whose web roles this person may all give."""
    given = outgoing.roles_of([invitation.id for invitation in invitations])
    not_theirs = {invitation_id for invitation_id, role in given if beyond(by.role, [role])}
    return [invitation for invitation in invitations if invitation.id not in not_theirs]


def _outcome(changed: list[bool]) -> Outcome:
    return Outcome(done=sum(changed), refused=len(changed) - sum(changed))
