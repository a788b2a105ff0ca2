"""The list of e-mail templates, a new one, one of them, its name and sender."""

from flask import url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.contacts.services import languages
from portal.email_templates import labels, queries, services
from portal.email_templates.forms import DescribeForm, NewForm
from portal.email_templates.views.blueprint import asked_language, bp
from portal.journal import queries as journal
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.settings.queries import operator
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other
from portal.web.security import POLICY, refills_form


@bp.get("/")
@needs(Permission.EDIT_TEMPLATES)
def index() -> Response:
    """All templates."""
    return render("email_templates/index.html", rows=queries.rows(), languages=languages())


@bp.route("/new", methods=["GET", "POST"])
@needs(Permission.EDIT_TEMPLATES)
@refills_form
def new() -> Response:
    """A template of the site's own, for workflows."""
    form = NewForm()
    if form.validate_on_submit():
        try:
            with transaction():
                template = services.create(form.values(), by=actor(), now=clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for(".edit", template_id=template.id), _("Template created. Write its text now."))
    return _form(form, status=form.refusal() if form.is_submitted() else 200)


@bp.get("/<int:template_id>")
@needs(Permission.EDIT_TEMPLATES)
def record(template_id: int) -> Response:
    """One template: languages, versions, timeline."""
    template, language = queries.get(template_id), asked_language()
    standings = queries.standings([template])[template.id]
    answer = render(
        "email_templates/record.html",
        template=template,
        language=language,
        languages=languages(),
        standings=standings,
        standing=next(one for one in standings if one.language == language),
        shipped=queries.shipped_text(template, language) is not None,
        versions=queries.versions(template_id, language),
        consequence=labels.consequence(template.kind),
        site_sender=operator().mail_from,
        timeline=journal.timeline("template", template_id),
    )
    answer.headers["Content-Security-Policy"] = f"{POLICY}; frame-src 'self'"
    return answer


@bp.route("/<int:template_id>/settings", methods=["GET", "POST"])
@needs(Permission.EDIT_TEMPLATES, proven=True)
@refills_form
def describe(template_id: int) -> Response:
    """Name, description and own sender."""
    template = queries.get(template_id)
    form = DescribeForm(obj=template)
    if not form.is_submitted():
        return _form(form, template=template)
    if form.validate():
        try:
            with transaction():
                values = form.values()
                services.describe(template_id, values, form.version.number, by=actor(), now=clock.now())
        except Invalid as refused:
            form.show(refused)
        except Stale:
            return _stale(form, template_id)
        else:
            return see_other(url_for(".record", template_id=template_id), _("Template saved."))
    return _form(form, template=template, status=form.refusal())


def _stale(form: DescribeForm, template_id: int) -> Response:
    template = queries.get(template_id)
    form.version.data = str(template.version)
    fields = (form.name, form.description, form.sender)
    saved = (template.name, template.description, template.sender or "")
    differences = [(field.label.text, old, field.data) for field, old in zip(fields, saved, strict=True)]
    return _form(form, template=template, differences=differences, status=409)


def _form(form: NewForm, status: int = 200, template: object = None, differences: object = ()) -> Response:
    return render(
        "email_templates/form.html",
        status=status,
        form=form,
        template=template,
        differences=differences,
        site_sender=operator().mail_from,
    )
