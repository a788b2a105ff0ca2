"""Reminding those who were sent an invitation and did not answer: by hand, and by schedule."""

from collections.abc import Callable, Sequence
from datetime import datetime

from flask_babel import gettext as _

from portal.contacts.models import Contact
from portal.email_templates import queries as templates
from portal.invitations import queries
from portal.invitations.models import Invitation
from portal.invitations.queries import outgoing, reminders
from portal.invitations.queries.outgoing import Mailed
from portal.invitations.services import capping, planning, sending
from portal.invitations.services.sending import Plan, Sent, Skipped
from portal.invitations.status import dead
from portal.journal.services import Record, record
from portal.kernel.actor import SYSTEM, Actor
from portal.mail import outbox
from portal.settings.queries import site
from portal.staff.permissions import StaffActor
from portal.workflows.services import Sending


def reminder_plans(invitations: Sequence[Invitation], by: StaffActor | None, now: datetime) -> list[Plan]:
    """What reminding would do for each of these. Without `by` the schedule reminds, and the rights of its owner decide.

    Beside those whom sending skips: who was never sent the invitation, and whom the last mail did not reach.
    """
    return capping.hold_back(_sifted(invitations, by, now), by, now)


def _sifted(invitations: Sequence[Invitation], by: StaffActor | None, now: datetime) -> list[Plan]:
    made, ids = sending.outlined(invitations, _how(), by, now), [invitation.id for invitation in invitations]
    mailed = outgoing.mailed_of(ids)
    for one in made:
        if not one.refused and one.how.refused:
            one.refused = one.how.refused
        elif not one.refused and one.invitation.sent_at is None:
            one.refused = _("This invitation has not been sent yet. Send it first.")
        sifted, one.recipients = one.recipients, []
        for contact in sifted:
            why = _out_of_reach(mailed.get((one.invitation.id, contact.id)))
            if why:
                one.skipped.append(Skipped(contact, why))
            else:
                one.recipients.append(contact)
    return made


def reminder_plan(invitation: Invitation, by: StaffActor | None, now: datetime) -> Plan:
    """What reminding would do."""
    return reminder_plans([invitation], by, now)[0]


def remind(invitation_id: int, *, key: str, by: StaffActor, now: datetime) -> Sent:
    """Write a reminder for everybody who was sent the invitation and did not answer; the same `key` again writes
    nothing. In quiet hours they wait for their end.

    Raises NotFound, Conflict, Forbidden or TooFast, as sending does.
    """
    invitation = queries.get(invitation_id, lock=True)
    if outgoing.messages_with_key(invitation.id, key):
        return Sent(0, [], before=True)
    capping.one_at_a_time()
    intended = reminder_plan(invitation, by, now)
    sending.insist(intended, now)
    return carry_out(intended, key=key, by=by, now=now)


def carry_out(intended: Plan, *, key: str, by: StaffActor, now: datetime) -> Sent:
    """Write the reminders of a plan made in this transaction, under the lock of its invitation."""
    prefix = outgoing.dedupe_prefix(intended.invitation.id)
    return _write(intended, lambda contact: f"{prefix}{contact.id}:{key}", by, now)


def remind_as_planned(invitation_id: int, which: str, now: datetime) -> None:
    """The reminder `which` of the schedule, at its time: looks anew whether and to whom it is due.

    Where it has moved since, it is put into the queue again; where the next one is due as well, only that goes out.
    """
    invitation = queries.find(invitation_id, lock=True)
    if invitation is None or dead(invitation, now) is not None or reminders.went_out(invitation_id, which):
        return
    awake, due = site().awake(now), set[int]()
    for base, contact_ids in planning.sent_at(invitation.id).items():
        moments = reminders.moments(invitation, base, site())
        mine = next((moment for moment in moments if moment.key == which), None)
        if mine is None or any(mine.at < moment.at <= now for moment in moments):
            continue
        if mine.at > now or awake > now:
            planning.enqueue(invitation.id, which, max(mine.at, awake), now)
        else:
            due |= contact_ids
    if due:
        _remind_these(invitation, due, which, now)


def _remind_these(invitation: Invitation, contact_ids: set[int], which: str, now: datetime) -> None:
    capping.one_at_a_time()
    [intended] = _sifted([invitation], None, now)
    intended.recipients = [contact for contact in intended.recipients if contact.id in contact_ids]
    intended.skipped = []  # who answered meanwhile is no news
    capping.hold_back([intended], None, now)
    if intended.full_until is not None:
        planning.enqueue(invitation.id, which, site().awake(intended.full_until), now)
    elif not intended.recipients:
        return
    elif intended.refused:
        about = Record("invitation", invitation.id, invitation.name)
        record("invitation.not-reminded", about, by=SYSTEM, now=now, text=intended.refused)
    else:
        prefix = reminders.dedupe_prefix(invitation.id, which)
        _write(intended, lambda contact: f"{prefix}{contact.id}", SYSTEM, now)


def _write(intended: Plan, key_of: Callable[[Contact], str], by: Actor, now: datetime) -> Sent:
    invitation, due_at = intended.invitation, site().awake(now)
    for contact in intended.recipients:
        outbox.enqueue(
            queries.REMINDER,
            now=now,
            contact_id=contact.id,
            about=(queries.KIND, invitation.id),
            dedupe_key=key_of(contact),
            created_by=by.id if isinstance(by, StaffActor) else None,
            detail={"template": intended.how.template},
            due_at=due_at,
        )
    if intended.recipients:
        named = [Record("contact", contact.id, contact.name) for contact in intended.recipients]
        detail = {"messages": len(intended.recipients), "skipped": len(intended.skipped)}
        about = Record("invitation", invitation.id, invitation.name)
        record("invitation.reminded", about, *named, by=by, now=now, text=sending.told(intended), detail=detail)
    return Sent(len(intended.recipients), intended.skipped)


def _how() -> Sending:
    template = templates.by_key(queries.REMINDER)
    if template is None or not template.active:
        name = template.name if template else queries.REMINDER
        return Sending(_("The e-mail template “%(name)s” is deactivated. Activate it first.", name=name))
    return Sending(template=template.key)


def _out_of_reach(mailed: Mailed | None) -> str:
    """Why somebody is not reminded, seen from their mails so far; blank for nothing."""
    if mailed is None or mailed.sent_at is None:
        return _("has not been sent it yet")
    if mailed.state == "failed":
        return _("could not be reached by the last mail")
    return "" if mailed.state == "sent" else _("still has a mail on its way")
