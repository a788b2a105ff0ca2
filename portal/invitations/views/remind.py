"""The dialog that reminds those who were sent an invitation and did not answer."""

from datetime import datetime

from flask import request, url_for
from werkzeug.wrappers import Response

from portal.invitations import queries, services
from portal.invitations.services.sending import MOST_NAMED
from portal.invitations.views.blueprint import bp
from portal.invitations.views.send import posted_key, told
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.settings.queries import site
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other


@bp.route("/<int:invitation_id>/remind", methods=["GET", "POST"])
@needs(Permission.SEND)
def remind(invitation_id: int) -> Response:
    """Who gets a reminder and who does not; then queue them."""
    now = clock.now()
    if request.method != "POST":
        intended = services.reminder_plan(queries.get(invitation_id), actor(), now)
        key, goes_at = services.new_send_key(), waits_until(now)
        return render("invitations/remind.html", plan=intended, send_key=key, named=MOST_NAMED, goes_at=goes_at)
    with transaction():
        sent = services.remind(invitation_id, key=posted_key(), by=actor(), now=now)
    category = "success" if sent.messages or sent.before else "warning"
    return see_other(url_for(".record", invitation_id=invitation_id), told(sent), category)


def waits_until(now: datetime) -> datetime | None:
    """The end of the quiet hours, where these are going on."""
    awake = site().awake(now)
    return awake if awake > now else None
