"""Sending an invitation anew to one contact whom it did not reach."""

from dataclasses import replace
from datetime import datetime

from flask_babel import gettext as _

from portal.invitations import queries
from portal.invitations.services import capping, sending
from portal.staff.permissions import StaffActor


def resend(invitation_id: int, contact_id: int, by: StaffActor, now: datetime) -> str:
    """Write this contact another message; says why not where it is not due any more, empty where it was written.

    The further steps of the workflow that sends do not run again: they did when it was sent to everybody.
    """
    invitation = queries.find(invitation_id, lock=True)
    if invitation is None:
        return _("The invitation was deleted.")
    capping.one_at_a_time()
    intended = sending.plan(invitation, by, now, only=contact_id)
    if intended.refused:
        return intended.refused
    if not intended.recipients:
        why = next((one.why for one in intended.skipped if one.contact.id == contact_id), "")
        return _("The contact %(why)s.", why=why or _("is no longer invited"))
    intended.skipped = []
    intended.how = replace(intended.how, workflow_id=None)
    sending.carry_out(intended, key=sending.new_send_key(), by=by, now=now)
    return ""
