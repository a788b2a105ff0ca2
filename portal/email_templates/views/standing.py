"""Deactivating and activating a template."""

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.email_templates import labels, queries, services
from portal.email_templates.views.blueprint import bp
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other


@bp.route("/<int:template_id>/deactivate", methods=["GET", "POST"])
@needs(Permission.EDIT_TEMPLATES, proven=True)
def deactivate(template_id: int) -> Response:
    """The dialog that says what will not be sent, and doing it."""
    template = queries.get(template_id)
    if request.method != "POST":
        consequence = labels.consequence(template.kind)
        return render("email_templates/deactivate.html", template=template, consequence=consequence)
    with transaction():
        services.deactivate(template_id, by=actor(), now=clock.now())
    return see_other(url_for(".record", template_id=template_id), _("Template deactivated: nothing is sent with it."))


@bp.route("/<int:template_id>/activate", methods=["GET", "POST"])
@needs(Permission.EDIT_TEMPLATES, proven=True)
def activate(template_id: int) -> Response:
    """The dialog, and doing it."""
    template = queries.get(template_id)
    if request.method != "POST":
        return render("email_templates/activate.html", template=template)
    with transaction():
        services.activate(template_id, by=actor(), now=clock.now())
    return see_other(url_for(".record", template_id=template_id), _("Template activated: it sends again."))
