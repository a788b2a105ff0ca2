"""The dialogs that end an invitation, take it up again, or delete it."""

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.invitations import queries, services
from portal.invitations.views.blueprint import bp
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other


@bp.route("/<int:invitation_id>/deactivate", methods=["GET", "POST"])
@needs(Permission.CREATE)
def deactivate(invitation_id: int) -> Response:
    """Stop its code and links."""
    if request.method != "POST":
        return _dialog("invitations/deactivate.html", invitation_id)
    with transaction():
        done = services.deactivate(invitation_id, actor(), clock.now())
    toast = _("Invitation deactivated. Its code and links no longer work.") if done else _("It is inactive already.")
    return see_other(url_for(".record", invitation_id=invitation_id), toast)


@bp.route("/<int:invitation_id>/activate", methods=["GET", "POST"])
@needs(Permission.CREATE)
def activate(invitation_id: int) -> Response:
    """Let its code and links work again."""
    if request.method != "POST":
        return _dialog("invitations/activate.html", invitation_id)
    with transaction():
        done = services.activate(invitation_id, actor(), clock.now())
    toast = _("Invitation activated. Its code and links work again.") if done else _("It is active already.")
    return see_other(url_for(".record", invitation_id=invitation_id), toast)


@bp.route("/<int:invitation_id>/delete", methods=["GET", "POST"])
@needs(Permission.CREATE)
def delete(invitation_id: int) -> Response:
    """Delete one that was never redeemed."""
    if request.method != "POST":
        return _dialog("invitations/delete.html", invitation_id)
    with transaction():
        name = services.delete(invitation_id, actor(), clock.now())
    return see_other(url_for(".index", view="all"), _("Invitation “%(name)s” deleted.", name=name))


def _dialog(template: str, invitation_id: int) -> Response:
    invitation = queries.get(invitation_id)
    return render(
        template,
        invitation=invitation,
        redeemed=queries.was_redeemed(invitation_id),
        invited=len(queries.invited_ids(invitation_id)),
    )
