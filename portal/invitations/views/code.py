"""Showing an invitation's code, copying its link, finding an invitation by its code."""

from flask import url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.invitations import queries, services
from portal.invitations.forms import FindForm
from portal.invitations.views.blueprint import bp
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other
from portal.web.security import refills_form


@bp.get("/<int:invitation_id>/show-code")
@needs(Permission.SHOW_CODES)
def ask_code(invitation_id: int) -> Response:
    """The question before: looking is noted."""
    return _ask(invitation_id, "invitations.show_code", _("Show code"))


@bp.post("/<int:invitation_id>/show-code")
@needs(Permission.SHOW_CODES)
def show_code(invitation_id: int) -> Response:
    """The code, once; the journal notes who looked."""
    with transaction():
        secret = services.show_code(invitation_id, actor(), clock.now())
    return _answer(invitation_id, _("Invitation code"), secret, _("Copy code"))


@bp.get("/<int:invitation_id>/copy-link")
@needs(Permission.SHOW_CODES)
def ask_link(invitation_id: int) -> Response:
    """The question before: taking the link is noted."""
    return _ask(invitation_id, "invitations.copy_link", _("Copy link"))


@bp.post("/<int:invitation_id>/copy-link")
@needs(Permission.SHOW_CODES)
def copy_link(invitation_id: int) -> Response:
    """A link that carries the code; the journal notes who took it."""
    with transaction():
        secret = services.copy_link(invitation_id, actor(), clock.now())
    return _answer(invitation_id, _("Link with the code"), secret, _("Copy link"))


@bp.route("/find", methods=["GET", "POST"])
@needs(Permission.SHOW_CODES)
@refills_form
def find() -> Response:
    """Exactly one invitation, by its code; never through an address, where the code would be kept."""
    form = FindForm()
    if form.validate_on_submit():
        try:
            with transaction():
                found = services.find_by_code(form.code.data, actor(), clock.now()).id
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for(".record", invitation_id=found))
    status = form.refusal() if form.is_submitted() else 200
    return render("invitations/find.html", status=status, form=form)


def _ask(invitation_id: int, endpoint: str, label: str) -> Response:
    invitation = queries.get(invitation_id)
    return render(
        "invitations/ask_code.html",
        invitation=invitation,
        action=url_for(endpoint, invitation_id=invitation_id),
        label=label,
    )


def _answer(invitation_id: int, title: str, secret: str, copy: str) -> Response:
    answer = render(
        "invitations/code.html",
        invitation=queries.get(invitation_id),
        title=title,
        secret=secret,
        copy=copy,
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer
