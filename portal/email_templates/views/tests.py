"""Tests that staff send to themselves, and the page where their links lead."""

from flask import url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.email_templates import queries, services
from portal.email_templates.forms import TextsForm
from portal.email_templates.messages import TEST_PAGE
from portal.email_templates.views import drafts
from portal.email_templates.views.blueprint import asked_language, bp, public
from portal.email_templates.views.editing import page
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.staff.guard import actor, current_staff
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other
from portal.web.security import refills_form


@bp.post("/<int:template_id>/test")
@needs(Permission.EDIT_TEMPLATES)
@refills_form
def test(template_id: int) -> Response:
    """Send the typed texts to oneself, saved or not; the editor comes back with them."""
    template, language = queries.get(template_id), asked_language()
    form, address = TextsForm(), current_staff().email
    if not form.validate():
        return page(form, template, language, status=form.refusal())
    try:
        with transaction():
            services.send_test(template_id, language, form.texts(), by=actor(), now=clock.now())
    except Invalid as refused:
        form.show(refused)
        return page(form, template, language, status=422)
    draft = drafts.Draft(language, form.texts(), form.preview_as.one, form.version.number)
    back = url_for(".edit", template_id=template_id, language=language, draft=drafts.keep(template_id, draft))
    return see_other(back, _("A test goes to %(address)s. Nothing is saved yet.", address=address))


@public.get(TEST_PAGE)
def landing() -> Response:
    """Where the links of a test lead: nothing happens here."""
    return render("email_templates/test_link.html")
