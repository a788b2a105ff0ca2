"""What can be done to an invitation that is out already: more time, another code, another recipient."""

from datetime import date, datetime

from flask_babel import gettext as _
from sqlalchemy import delete

from portal.contacts import queries as contacts
from portal.invitations import queries
from portal.invitations.models import SINGLE, Invitation, InvitedContact
from portal.invitations.queries.values import LONGEST_NAME
from portal.invitations.services import checking, codes, planning
from portal.journal.services import Record, record
from portal.kernel import clock
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Conflict, Invalid
from portal.kernel.names import fold
from portal.kernel.secrets_ import new_public_id
from portal.settings.queries import site
from portal.staff.permissions import StaffActor


def extend(invitation_id: int, day: date | None, by: StaffActor, now: datetime) -> bool:
    """Let it be redeemed through the end of another day, None for ever; an expired one works again, links and all.

    False where that is the day it has. Raises NotFound, Invalid for a day that is over, Conflict once completed,
    Forbidden for a web role that this person may not give.
    """
    invitation = queries.get(invitation_id, lock=True)
    checking.insist_may_give(invitation.id, by)
    if invitation.completed_at is not None:
        raise Conflict(_("This invitation is completed: its last redemption was used."))
    fault = checking.expiry(day, None, now)
    if fault:
        raise Invalid({"expires_on": fault})
    if day == invitation.expires_on:
        return False
    before = invitation.expires_on
    invitation.expires_on = day
    invitation.expires_at = clock.end_of_day(day, site().zone) if day else None
    _touch(invitation, now)
    changes = {"expires_on": [before.isoformat() if before else "", day.isoformat() if day else ""]}
    record("invitation.extended", _named(invitation), by=by, now=now, detail={"changes": changes})
    planning.plan_ahead(invitation, now)
    return True


def new_code(invitation_id: int, typed: str, by: StaffActor, now: datetime) -> None:
    """Another code, the typed one or a generated one. The old code and all links that were mailed stop at once.

    Raises NotFound, Invalid for a code that cannot be, Forbidden for a web role that this person may not give: who
    chooses the code knows it.
    """
    invitation = queries.get(invitation_id, lock=True)
    checking.insist_may_give(invitation.id, by)
    _replace_code(invitation, typed, now)
    _touch(invitation, now)
    record("invitation.code-replaced", _named(invitation), by=by, now=now)


def change_recipient(invitation_id: int, contact_id: int, by: StaffActor, now: datetime) -> None:
    """Invite another contact instead, with a Single that nobody has redeemed.

    The link of the one before stops, and so does the code, which they may have read; a new one is made. Messages to
    them that still wait are not sent. Raises NotFound, Conflict, Invalid, or Forbidden for a web role that this person
    may not give.
    """
    invitation = queries.get(invitation_id, lock=True)
    if invitation.type != SINGLE:
        raise Conflict(_("Only a Single invitation has one recipient. Edit the invited contacts of a Group instead."))
    if queries.was_redeemed(invitation.id):
        raise Conflict(_("This invitation was redeemed, so its recipient stays."))
    checking.insist_may_give(invitation.id, by)
    contact = contacts.find(contact_id)
    if contact is None or not contact.active:
        raise Invalid({"contact": _("Please choose an active contact.")})
    [before] = queries.invited(invitation.id)
    if before.id == contact.id:
        raise Invalid({"contact": _("This contact is invited already. Please choose another one.")})
    execute_dml(delete(InvitedContact).where(InvitedContact.invitation_id == invitation.id))
    db.session.add(InvitedContact(invitation_id=invitation.id, contact_id=contact.id, public_id=new_public_id()))
    if invitation.name == before.name:  # as it was prefilled
        invitation.name = contact.name[:LONGEST_NAME]
        invitation.name_key = fold(invitation.name, LONGEST_NAME)
    _replace_code(invitation, "", now)
    _touch(invitation, now)
    people = [Record("contact", one.id, one.name) for one in (before, contact)]
    changes = {"changes": {"contacts": [before.name, contact.name]}}
    record("invitation.recipient-changed", _named(invitation), *people, by=by, now=now, detail=changes)


def _replace_code(invitation: Invitation, typed: str, now: datetime) -> None:
    code = codes.take(typed, now)
    invitation.code_lookup, invitation.code_hint = code.lookup, code.hint
    invitation.code_sealed = codes.seal(invitation.id, code)
    invitation.link_version += 1


def _touch(invitation: Invitation, now: datetime) -> None:
    """An edit form that was opened before must not undo this."""
    invitation.updated_at = now
    invitation.version += 1


def _named(invitation: Invitation) -> Record:
    return Record("invitation", invitation.id, invitation.name)
