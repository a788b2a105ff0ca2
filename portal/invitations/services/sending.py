"""Sending an invitation: who gets a mail, who is skipped and why, and putting the mails into the outbox."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from flask_babel import gettext as _
from flask_babel import ngettext

from portal.contacts.models import Contact
from portal.invitations import queries
from portal.invitations.models import Invitation
from portal.invitations.queries import outgoing
from portal.invitations.services import capping, planning
from portal.invitations.services.checking import beyond
from portal.invitations.status import Reason, dead
from portal.journal.services import Record, record
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Forbidden, TooFast
from portal.kernel.secrets_ import new_secret
from portal.mail import outbox
from portal.roles.models import WebRole
from portal.staff.models import StaffMember
from portal.staff.permissions import Permission, StaffActor
from portal.workflows import services as workflows
from portal.workflows.services import Sending

MOST = 3
MOST_NAMED = 10
WINDOW = timedelta(hours=6)


class Skipped(NamedTuple):
    """An invited contact who gets no mail, and why."""

    contact: Contact
    why: str
    until: datetime | None = None


@dataclass
class Plan:
    """What sending would do. `refused` says why it cannot be sent at all; `forbidden` that this person may not,
    `full_until` that the limit of a day is reached, and until when."""

    invitation: Invitation
    how: Sending = field(default_factory=Sending)
    refused: str = ""
    forbidden: bool = False
    full_until: datetime | None = None
    recipients: list[Contact] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def free_again(self) -> datetime | None:
        """When somebody who had too many mails may get one again, if nobody else is left to send to."""
        waits = [skipped.until for skipped in self.skipped if skipped.until is not None]
        return min(waits) if waits and not self.recipients else None


class Sent(NamedTuple):
    """What sending did: how many messages were written, who was skipped; `before`: this dialog was confirmed before;
    `later`: a job writes them."""

    messages: int
    skipped: list[Skipped]
    before: bool = False
    later: bool = False


def new_send_key() -> str:
    """What makes one dialog count once, however often its button is pressed."""
    return new_secret()[:22]


def plan(invitation: Invitation, by: StaffActor | None, now: datetime, *, only: int | None = None) -> Plan:
    """What sending this invitation would do, to everybody or to the contact `only`. Without `by` a workflow sends, and
    the rights of its owner decide."""
    outline = outlined([invitation], workflows.sending(), by, now)
    if only is not None:
        outline[0].recipients = [contact for contact in outline[0].recipients if contact.id == only]
    return capping.hold_back(outline, by, now)[0]


def plans(invitations: Sequence[Invitation], by: StaffActor | None, now: datetime) -> list[Plan]:
    """What sending each of these would do; the same few statements for any number of them."""
    return capping.hold_back(outlined(invitations, workflows.sending(), by, now), by, now)


def outlined(invitations: Sequence[Invitation], how: Sending, by: StaffActor | None, now: datetime) -> list[Plan]:
    """The plans before anybody looks at the limits of the day."""
    ids = [invitation.id for invitation in invitations]
    roles: dict[int, list[WebRole]] = defaultdict(list)
    for invitation_id, role in outgoing.roles_of(ids):
        roles[invitation_id].append(role)
    invited: dict[int, list[Contact]] = defaultdict(list)
    for invitation_id, contact in outgoing.invited_of(ids):
        invited[invitation_id].append(contact)
    owners = outgoing.owners_of(invitations)
    redeemed = outgoing.redeemed_of(ids)
    recent = outgoing.recent_messages(ids, now - WINDOW)
    declined = outgoing.declined_of(ids)
    made = []
    for invitation in invitations:
        one = Plan(invitation, how)
        _refuse(one, owners[invitation.owner_id], roles[invitation.id], by, now)
        for contact in invited[invitation.id]:
            key = (invitation.id, contact.id)
            skipped = _skip(contact, key in redeemed, recent.get(key), declined=key in declined)
            if skipped is None:
                one.recipients.append(contact)
            else:
                one.skipped.append(skipped)
        made.append(one)
    return made


def send(invitation_id: int, *, key: str, by: StaffActor, now: datetime) -> Sent:
    """Write one message for each invited contact who can get one.

    The same `key` again writes nothing. Raises NotFound, Conflict (cannot be sent now), Forbidden (a web role
    this person may not give) or TooFast (everybody left has had three in six hours, or the day's limit is reached).
    """
    invitation = queries.get(invitation_id, lock=True)
    if outgoing.messages_with_key(invitation.id, key):
        return Sent(0, [], before=True)
    capping.one_at_a_time()
    intended = plan(invitation, by, now)
    insist(intended, now)
    return carry_out(intended, key=key, by=by, now=now)


def standing(invitation: Invitation, by: StaffActor, now: datetime) -> Plan:
    """What stands against sending it, whoever its recipients are; says nothing of these."""
    one = Plan(invitation, workflows.sending())
    owner = outgoing.owners_of([invitation])[invitation.owner_id]
    _refuse(one, owner, [role for _, role in outgoing.roles_of([invitation.id])], by, now)
    return one


def insist(intended: Plan, now: datetime) -> None:
    """Raise what stands against a plan: Forbidden, TooFast or Conflict."""
    if intended.forbidden:
        raise Forbidden(intended.refused)
    if intended.full_until is not None:
        raise TooFast(intended.refused, seconds_until(intended.full_until, now))
    if intended.refused:
        raise Conflict(intended.refused)
    if intended.free_again is not None:
        raise too_fast(intended.free_again, now)


def carry_out(intended: Plan, *, key: str, by: StaffActor, now: datetime) -> Sent:
    """Write the messages of a plan made in this transaction, under the lock of its invitation."""
    invitation = intended.invitation
    prefix = outgoing.dedupe_prefix(invitation.id)
    outbox.enqueue_many(
        queries.KIND,
        {contact.id: f"{prefix}{contact.id}:{key}" for contact in intended.recipients},
        now=now,
        about=(queries.KIND, invitation.id),
        created_by=by.id,
        detail={"template": intended.how.template},
    )
    if intended.recipients:
        invitation.sent_at = invitation.sent_at or now
        named = [Record("contact", contact.id, contact.name) for contact in intended.recipients]
        record(
            "invitation.sent",
            Record("invitation", invitation.id, invitation.name),
            *named,
            by=by,
            now=now,
            text=told(intended),
            detail={"messages": len(intended.recipients), "skipped": len(intended.skipped)},
        )
        db.session.flush()
        planning.plan_ahead(invitation, now, sent_now=True)
        workflows.go_on_after_sending(intended.how, invitation.id, by.id, now)
    return Sent(len(intended.recipients), intended.skipped)


def too_fast(free_again: datetime, now: datetime) -> TooFast:
    """The refusal of a fourth mail within six hours."""
    message = _("Everybody who is left has had %(most)s mails in the last 6 hours. Nothing was sent.", most=MOST)
    return TooFast(message, seconds_until(free_again, now))


def seconds_until(instant: datetime, now: datetime) -> int:
    """For how long to wait."""
    return max(1, ceil((instant - now).total_seconds()))


def _refuse(one: Plan, owner: StaffMember, roles: list[WebRole], by: StaffActor | None, now: datetime) -> None:
    reason = dead(one.invitation, now)
    if reason is not None:
        one.refused = _why_dead(reason)
    elif by is not None and one.how.refused:
        one.refused = one.how.refused
    elif not owner.active or not owner.may(Permission.SEND):
        one.refused = _("Its owner, %(name)s, may no longer send. Choose another owner first.", name=owner.name)
    elif which := beyond(owner.role, roles):
        one.refused = _(
            "Its owner, %(name)s, may not give the web role %(role)s. Choose another owner, or take the role away.",
            name=owner.name,
            role=which,
        )
    elif by is not None and (which := beyond(by.role, roles)):
        one.refused = _("You may not give the web role %(name)s.", name=which)
        one.forbidden = True


def _why_dead(reason: Reason) -> str:
    return {
        Reason.INACTIVE: _("This invitation is inactive. Activate it first."),
        Reason.COMPLETED: _("This invitation is completed: its last redemption was used."),
        Reason.EXPIRED: _("This invitation has expired. Choose a later date first."),
    }[reason]


def _skip(contact: Contact, redeemed: bool, recent: tuple[int, datetime] | None, *, declined: bool) -> Skipped | None:
    if redeemed:
        return Skipped(contact, _("has redeemed it already"))
    if declined:
        return Skipped(contact, _("has declined it"))
    if not contact.active:
        return Skipped(contact, _("is inactive"))
    if not contact.email1:
        return Skipped(contact, _("has no e-mail address"))
    if recent is not None and recent[0] >= MOST:
        return Skipped(contact, _("has had %(most)s mails in the last 6 hours", most=MOST), until=recent[1] + WINDOW)
    return None


def told(intended: Plan) -> str:
    """What came of a plan, for the timeline."""
    queued = ngettext("%(num)s e-mail queued", "%(num)s e-mails queued", len(intended.recipients))
    names = ", ".join(f"{skipped.contact.name} ({skipped.why})" for skipped in intended.skipped[:MOST_NAMED])
    return f"{queued}; {_('skipped')}: {names}" if names else queued
