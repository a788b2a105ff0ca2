"""Asking for a new invitation with a link that is over, and what staff decide about it."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from math import ceil
from typing import NamedTuple

from flask_babel import format_date
from flask_babel import gettext as _

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.invitations import queries
from portal.invitations.models import INVITED, SINGLE, Invitation, InvitationRequest
from portal.invitations.queries import requests
from portal.invitations.queries.values import LONGEST_NAME, stored
from portal.invitations.services import changing, saving, sending
from portal.invitations.services.answering import LONGEST_WORDS
from portal.invitations.services.checking import beyond
from portal.invitations.services.telling import REQUEST, tell_owner
from portal.invitations.status import dead
from portal.journal.services import Record, record
from portal.kernel import clock
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Forbidden, Invalid, TooFast
from portal.settings.queries import site
from portal.staff import queries as staff
from portal.staff.permissions import Permission, StaffActor

MOST_A_DAY = 3
DAY = timedelta(days=1)
REISSUED, REFUSED = "reissued", "refused"


class Reissued(NamedTuple):
    """What a request led to: the invitation that was sent, and whether it is a new one beside the old."""

    invitation: Invitation
    contact: Contact
    copied: bool


def ask(invitation: Invitation, contact: Contact, reason: str, words: str, by: Actor, now: datetime) -> bool:
    """An invitee asks for a new invitation, under the lock of the one that is over; its owner is told.

    `reason` says why it is over. False when they asked before and nobody has answered yet. Raises Conflict once that
    was refused, TooFast when this contact asked three times within a day.
    """
    before = requests.latest(invitation.id, contact.id)
    if before is not None and not before.decision:
        return False
    if before is not None and before.decision == REFUSED:
        raise Conflict(_("You have asked before, and the answer was no."))
    asked = requests.asked_since(contact.id, now - DAY)
    if len(asked) >= MOST_A_DAY:
        wait = max(1, ceil((asked[-MOST_A_DAY] + DAY - now).total_seconds()))
        raise TooFast(_("You have asked several times today. Please wait until tomorrow."), wait)
    request = InvitationRequest(
        invitation_id=invitation.id,
        contact_id=contact.id,
        reason=reason,
        words=words[:LONGEST_WORDS],
        asked_at=now,
        decision="",
    )
    db.session.add(request)
    db.session.flush()
    record("invitation.requested", *_about(invitation, contact), by=by, now=now, text=request.words)
    tell_owner(REQUEST, invitation, contact.id, now, request=request.id)
    return True


def revives(invitation: Invitation, invited: bool) -> bool:
    """Whether a new invitation is the old one made to work again; `invited` says whether that still invites the asker.

    Only a Single that nobody has used is: nothing of it reaches anybody else. A Group, and a Single that is used up,
    stay as they are, and this contact gets a Single of their own that gives the same.
    """
    return invitation.type == SINGLE and invited and invitation.completed_at is None


def effect(invitation: Invitation, invited: bool, now: datetime) -> str:
    """What sending a new invitation would do, in words; see `revives`."""
    if not revives(invitation, invited):
        day = saving.usual_end(now)
        if day is None:
            return _("They get an invitation of their own that gives the same.")
        return _("They get an invitation of their own that gives the same, through %(day)s.", day=_words(day))
    if dead(invitation, now) is None:
        return _("It works again already, and is sent once more.")
    day, ends = _end(invitation, now)
    if ends is None or day is None:
        return _("This invitation works again, with a new code and a new link.")
    return _("This invitation works again through %(day)s, with a new code and a new link.", day=_words(day))


def reissue(request_id: int, by: StaffActor, now: datetime) -> Reissued:
    """Send the asker a new invitation (see `revives`), with another code and another link; the old ones stay dead.

    Raises NotFound, Forbidden (a web role this person may not give), TooFast, or Conflict with the reason: decided
    before, the contact cannot get mail, the owner may no longer invite to this, the invitation cannot be repeated.
    """
    request, invitation, contact = _undecided(request_id)
    _check_people(invitation, contact, by)
    invited = queries.is_invited(invitation.id, contact.id)
    copied, told = not revives(invitation, invited), effect(invitation, invited, now)
    target = _copy(invitation, contact, by, now) if copied else _revive(invitation, contact, by, now)
    sent = sending.send(target.id, key=f"request-{request.id}", by=by, now=now)
    if not sent.messages:
        why = " ".join(f"{skipped.contact.name} {skipped.why}." for skipped in sent.skipped)
        raise Conflict(_("Nothing was sent. %(why)s", why=why))
    _decide(request, REISSUED, by, now)
    about = dict.fromkeys((*_about(invitation, contact), saving.about(target)))
    record("invitation.reissued", *about, by=by, now=now, text=told)
    return Reissued(target, contact, copied)


def refuse(request_id: int, by: StaffActor, now: datetime) -> Contact:
    """Say no. No mail is sent: the page behind the old link says so, and offers no further asking. Raises NotFound,
    Forbidden, or Conflict when it was decided before."""
    if not by.may(Permission.SEND):
        raise Forbidden
    request, invitation, contact = _undecided(request_id)
    _decide(request, REFUSED, by, now)
    record("invitation.request-refused", *_about(invitation, contact), by=by, now=now)
    return contact


def _words(day: date) -> str:
    return format_date(day, "medium")


def _undecided(request_id: int) -> tuple[InvitationRequest, Invitation, Contact]:
    """The invitation is locked before the request, as redeeming does it, so that the two never wait for each other."""
    invitation = queries.get(requests.get(request_id).invitation_id, lock=True)
    request = requests.get(request_id, lock=True)
    if request.decision == "redeemed":
        raise Conflict(_("They have redeemed the invitation meanwhile."))
    if request.decision:
        raise Conflict(_("Somebody has decided this request already."))
    return request, invitation, contacts.get(request.contact_id)


def _check_people(invitation: Invitation, contact: Contact, by: StaffActor) -> None:
    roles = queries.roles(invitation.id)
    if not (by.may(Permission.CREATE) and by.may(Permission.SEND)):
        raise Forbidden
    if which := beyond(by.role, roles):
        raise Forbidden(_("You may not give the web role %(name)s.", name=which))
    owner = staff.get(invitation.owner_id)
    if not owner.active or not owner.may(Permission.SEND):
        raise Conflict(_("Its owner, %(name)s, may no longer send. Choose another owner first.", name=owner.name))
    if which := beyond(owner.role, roles):
        text = _("Its owner, %(name)s, may not give the web role %(role)s.", name=owner.name, role=which)
        raise Conflict(text)
    if not contact.active:
        raise Conflict(_("%(name)s is inactive. Activate the contact first.", name=contact.name))
    if not contact.email1:
        raise Conflict(_("%(name)s has no e-mail address.", name=contact.name))


def _revive(invitation: Invitation, contact: Contact, by: StaffActor, now: datetime) -> Invitation:
    """Let it work again, as long as a new one would; one that works already is only sent."""
    invited = queries.invitee(invitation.id, contact.id)
    if invited is not None:  # who asks has thought better of it
        invited.declined_at, invited.declined_words = None, ""
    if dead(invitation, now) is None:
        db.session.flush()
        return invitation
    invitation.expires_on, invitation.expires_at = _end(invitation, now)
    invitation.deactivated_at, invitation.deactivated_why = None, ""
    db.session.flush()
    changing.new_code(invitation.id, "", by, now)
    db.session.flush()
    return invitation


def _end(invitation: Invitation, now: datetime) -> tuple[date | None, datetime | None]:
    """Until when it works once it is revived: as long as a new one, unless that is shorter than it had anyway."""
    day = saving.usual_end(now)
    usual = day, clock.end_of_day(day, site().zone) if day else None
    if invitation.expires_at is None or (usual[1] is not None and usual[1] <= invitation.expires_at):
        return invitation.expires_on, invitation.expires_at
    return usual


def _copy(invitation: Invitation, contact: Contact, by: StaffActor, now: datetime) -> Invitation:
    """A Single for this contact alone that gives the same."""
    name = invitation.name
    if invitation.type != SINGLE:
        tail = f" – {contact.name}"
        name = (name[: LONGEST_NAME - len(tail)] + tail)[:LONGEST_NAME]
    values = replace(
        stored(invitation),
        name=name,
        type=SINGLE,
        contact_ids=(contact.id,),
        expires_on=saving.usual_end(now),
        max_redemptions=None,
        redeemable_by=INVITED,
    )
    try:
        return saving.create(values, by, now)
    except Invalid as fault:
        why = " ".join(fault.fields.values())
        raise Conflict(
            _("This invitation cannot be repeated as it was: %(why)s Create a new one by hand.", why=why)
        ) from fault


def _decide(request: InvitationRequest, decision: str, by: StaffActor, now: datetime) -> None:
    request.decision, request.decided_at, request.decided_by = decision, now, by.id
    db.session.flush()


def _about(invitation: Invitation, contact: Contact) -> tuple[Record, Record]:
    return saving.about(invitation), Record("contact", contact.id, contact.name)
