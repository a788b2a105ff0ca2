"""Ending an invitation, taking it up again, deleting it, handing it to another owner."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import ColumnElement, func, select
from sqlalchemy import delete as sql_delete

from portal.invitations import queries
from portal.invitations.models import Invitation, InvitationRequest, InvitationWebRole, InvitedContact
from portal.invitations.services.checking import insist_may_give
from portal.journal.services import Record, record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Conflict, Invalid
from portal.staff import queries as staff
from portal.staff.permissions import StaffActor

UNFINISHED = (Invitation.deactivated_at.is_(None), Invitation.completed_at.is_(None))


def deactivate(invitation_id: int, by: Actor, now: datetime, why: str = "") -> bool:
    """Stop its code and links at once. False when it is inactive already. Raises NotFound."""
    invitation = queries.get(invitation_id, lock=True)
    if invitation.deactivated_at is not None:
        return False
    _deactivate(invitation, by, now, why)
    return True


def activate(invitation_id: int, by: StaffActor, now: datetime) -> bool:
    """Return it to where its facts put it; code and links work again. False when it is active. Raises NotFound, or
    Forbidden for a web role that this person may not give."""
    invitation = queries.get(invitation_id, lock=True)
    if invitation.deactivated_at is None:
        return False
    insist_may_give(invitation.id, by)
    invitation.deactivated_at, invitation.deactivated_why = None, ""
    _touch(invitation, now)
    record("invitation.activated", _named(invitation), by=by, now=now)
    return True


def delete(invitation_id: int, by: Actor, now: datetime) -> str:
    """Delete an invitation that nobody ever redeemed; returns its name. Its code stays used up for good.

    Raises NotFound, or Conflict once it was redeemed.
    """
    invitation = queries.get(invitation_id, lock=True)
    if invitation.used or queries.was_redeemed(invitation.id):
        raise Conflict(_("This invitation was redeemed, so it stays. You can deactivate it."))
    contacts = [Record("contact", contact.id, contact.name) for contact in queries.invited(invitation.id)]
    record("invitation.deleted", _named(invitation), *contacts, by=by, now=now)
    for model in (InvitedContact, InvitationWebRole, InvitationRequest):
        execute_dml(sql_delete(model).where(model.invitation_id == invitation.id))
    db.session.delete(invitation)
    db.session.flush()
    return invitation.name


def open_of(staff_id: int) -> int:
    """How many invitations a staff member owns that are neither completed nor inactive."""
    return db.session.scalar(select(func.count()).select_from(Invitation).where(*_owned(staff_id))) or 0


def hand_over(staff_id: int, to_staff_id: int | None, by: Actor, now: datetime) -> int:
    """Give all unfinished invitations of one staff member to another, or deactivate them; returns how many.

    Raises Invalid when the other one is inactive or may not send. Web roles that the new owner may not give
    stay on the invitation, and are withheld until somebody else owns it.
    """
    if to_staff_id is not None and (to_staff_id == staff_id or not staff.may_own(to_staff_id)):
        raise Invalid({"to": _("Choose an active staff member who may send invitations.")})
    before = staff.get(staff_id).name
    found = select(Invitation).where(*_owned(staff_id)).order_by(Invitation.id.desc()).with_for_update()
    invitations = list(db.session.scalars(found))
    for invitation in invitations:
        if to_staff_id is None:
            _deactivate(invitation, by, now, _("Its owner, %(name)s, was deactivated", name=before))
        else:
            invitation.owner_id = to_staff_id
            _touch(invitation, now)
            detail = {"changes": {"owner": [before, staff.get(to_staff_id).name]}}
            record("invitation.handed-over", _named(invitation), by=by, now=now, detail=detail)
    return len(invitations)


def _owned(staff_id: int) -> tuple[ColumnElement[bool], ...]:
    return (Invitation.owner_id == staff_id, *UNFINISHED)


def _deactivate(invitation: Invitation, by: Actor, now: datetime, why: str) -> None:
    invitation.deactivated_at, invitation.deactivated_why = now, why[:200]
    _touch(invitation, now)
    record("invitation.deactivated", _named(invitation), by=by, now=now, text=why)


def _touch(invitation: Invitation, now: datetime) -> None:
    """An edit form that was opened before must not undo this."""
    invitation.updated_at = now
    invitation.version += 1


def _named(invitation: Invitation) -> Record:
    return Record("invitation", invitation.id, invitation.name)
