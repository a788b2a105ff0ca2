"""The page of one invitation."""

from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.contacts.services import languages
from portal.invitations import queries, services
from portal.invitations.models import GROUP
from portal.invitations.queries import reminders, requests
from portal.invitations.queries import values as wording
from portal.invitations.status import dead, expired, status_of
from portal.invitations.views.blueprint import bp
from portal.invitations.views.requests import shown_requests
from portal.journal import queries as journal
from portal.kernel import clock
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import may, needs
from portal.web.htmx import render

SHOWN = 100


@bp.get("/<int:invitation_id>")
@needs(Permission.VIEW)
def record(invitation_id: int) -> Response:
    """General, invitees, what redeeming does, redemptions, timeline."""
    now = clock.now()
    invitation = queries.get(invitation_id)
    related = queries.related(invitation)
    redemptions = queries.redemptions(invitation_id, SHOWN + 1)
    roles = queries.roles(invitation_id)
    invitees = queries.invitees(invitation_id, SHOWN + 1)
    return render(
        "invitations/record.html",
        invitation=invitation,
        standing=status_of(invitation),
        expired=expired(invitation, now),
        dead=dead(invitation, now),
        related=related,
        type_name=wording.type_name(invitation.type),
        who_redeems=wording.who_name(invitation.redeemable_by, invitation.type),
        language_name=languages().get(invitation.language or "", _("That of each contact")),
        is_group=invitation.type == GROUP,
        deletable=not related.redeemed,
        roles=roles,
        gives=services.beyond(actor().role, roles) is None,
        sees_code=services.sees_code(roles, actor()),
        invitees=invitees,
        redemptions=redemptions,
        asked=shown_requests(requests.of_invitation(invitation_id), now) if related.asked else [],
        reminders=reminders.of(invitation),
        planned=services.planned(invitation, now, invitees if len(invitees) <= SHOWN else None),
        shown=SHOWN,
        hint=f"••••-••••-••••-{invitation.code_hint}" if may(Permission.SHOW_CODES) else None,
        timeline=journal.timeline("invitation", invitation_id),
    )
