"""Running a failed workflow run again."""

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import see_other
from portal.workflows import queries, services

bp = staff_blueprint("workflows", __name__, "/workflow-runs")


@bp.post("/<int:run_id>/run-again")
@needs(Permission.CREATE)
def run_again(run_id: int) -> Response:
    """Take a failed run up where it stopped."""
    run = queries.run(run_id)
    back = _page_of(run.contact_id, run.invitation_id)
    with transaction():
        services.run_again(run_id, by=actor(), now=clock.now())
    return see_other(back, _("The workflow runs again; its result will show on the timeline."))


def _page_of(contact_id: int | None, invitation_id: int | None) -> str:
    """Where the button was: on the invitation's page or the contact's."""
    contact = url_for("contacts.record", contact_id=contact_id) if contact_id else ""
    if invitation_id is None:
        return contact
    invitation = url_for("invitations.record", invitation_id=invitation_id)
    return invitation if not contact or (request.referrer or "").endswith(invitation) else contact
