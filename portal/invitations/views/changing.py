"""The dialogs for an invitation that is out already; each says its effect before it has one."""

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.invitations import queries, services
from portal.invitations.forms import CodeForm, ExtendForm, RecipientForm
from portal.invitations.models import SINGLE
from portal.invitations.queries import values as wording
from portal.invitations.services.codes import weak
from portal.invitations.views.blueprint import bp
from portal.invitations.views.form import presets
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.settings.queries import site
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.forms import wants_find
from portal.web.guard import needs
from portal.web.htmx import render, see_other
from portal.web.security import refills_form


@bp.route("/<int:invitation_id>/extend", methods=["GET", "POST"])
@needs(Permission.CREATE)
@refills_form
def extend(invitation_id: int) -> Response:
    """Another day through which it can be redeemed."""
    invitation, now = queries.get(invitation_id), clock.now()
    form = ExtendForm(data={"expires_on": services.usual_end(now)})
    if form.validate_on_submit():
        try:
            with transaction():
                done = services.extend(invitation_id, form.expires_on.data, actor(), clock.now())
            toast = _("Saved. Code and links stay the same.") if done else _("That is the day it has already.")
            return see_other(url_for(".record", invitation_id=invitation_id), toast)
        except Invalid as refused:
            form.show(refused)
    status = form.refusal() if form.errors else 200
    return render(
        "invitations/extend.html",
        status=status,
        form=form,
        invitation=invitation,
        presets=presets(now),
        zone=site().timezone,
    )


@bp.route("/<int:invitation_id>/new-code", methods=["GET", "POST"])
@needs(Permission.CREATE)
@refills_form
def new_code(invitation_id: int) -> Response:
    """Another code; the old one and all links stop."""
    invitation, form = queries.get(invitation_id), CodeForm()
    if form.validate_on_submit():
        try:
            with transaction():
                services.new_code(invitation_id, form.code.data, actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            toast = _("The new code is in force. Send the invitation again, so that the invited get it.")
            if weak(form.code.data):
                toast += " " + _("It is easy to guess: let the invitation expire soon.")
            return see_other(url_for(".record", invitation_id=invitation_id), toast)
    status = form.refusal() if form.errors else 200
    invited = len(queries.invited_ids(invitation_id))
    return render("invitations/new_code.html", status=status, form=form, invitation=invitation, invited=invited)


@bp.route("/<int:invitation_id>/change-recipient", methods=["GET", "POST"])
@needs(Permission.CREATE)
@refills_form
def change_recipient(invitation_id: int) -> Response:
    """Invite somebody else instead."""
    invitation, form = queries.get(invitation_id), RecipientForm()
    if not form.is_submitted() or wants_find():
        return _recipient(form, invitation_id, form.refusal() if wants_find() else 200)
    if form.validate():
        try:
            with transaction():
                services.change_recipient(invitation_id, form.contact.one or 0, actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            toast = _("The recipient is changed. Send the invitation, so that they get it.")
            return see_other(url_for(".record", invitation_id=invitation.id), toast)
    return _recipient(form, invitation_id, form.refusal())


def _recipient(form: RecipientForm, invitation_id: int, status: int) -> Response:
    invitation = queries.get(invitation_id)
    possible = invitation.type == SINGLE and not queries.was_redeemed(invitation_id)
    return render(
        "invitations/change_recipient.html",
        status=status,
        form=form,
        invitation=invitation,
        possible=possible,
        invited=queries.invited(invitation_id),
        is_group=wording.type_name(invitation.type) if invitation.type != SINGLE else "",
    )


@bp.route("/<int:invitation_id>/undo-redemption", methods=["GET", "POST"])
@needs(Permission.CREATE)
def undo_redemption(invitation_id: int) -> Response:
    """Take back what one contact got by redeeming; the dialog lists it first."""
    contact_id = request.values.get("contact", 0, type=int)
    invitation = queries.get(invitation_id)
    if request.method != "POST":
        intended = services.undoing(invitation_id, contact_id)
        withheld = services.beyond(actor().role, intended.taken)
        return render("invitations/undo.html", invitation=invitation, undoing=intended, withheld=withheld)
    with transaction():
        done = services.undo(invitation_id, contact_id, actor(), clock.now())
        name = done.contact.name
    toast = _("Undone. %(name)s can redeem it again, as long as the invitation is open.", name=name)
    return see_other(url_for(".record", invitation_id=invitation_id), toast)
