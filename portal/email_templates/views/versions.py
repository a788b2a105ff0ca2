"""Versions of a template's texts: comparing, restoring, going back to what is shipped."""

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.contacts.services import languages
from portal.email_templates import queries, services
from portal.email_templates.models import EmailTemplate
from portal.email_templates.services import Texts
from portal.email_templates.views.blueprint import asked_language, bp
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict, Invalid, NotFound
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other

SHIPPED = "shipped"


@bp.get("/<int:template_id>/compare")
@needs(Permission.EDIT_TEMPLATES)
def compare(template_id: int) -> Response:
    """Two versions side by side, the shipped text among them."""
    template, language = queries.get(template_id), asked_language()
    saved = queries.versions(template_id, language)
    choices = [(str(row.number), _("Version %(number)s", number=row.number)) for row in saved if not row.default]
    if queries.shipped_text(template, language):
        choices.append((SHIPPED, _("Shipped text")))
    known = [value for value, _label in choices]
    right = _chosen("right", known, known[:1])
    left = _chosen("left", known, known[1:2] or known[:1])
    parts = []
    if known:
        ours, theirs = (_texts(template, language, which) for which in (left, right))
        parts = [services.compare(part, getattr(ours, part), getattr(theirs, part)) for part in Texts._fields]
    return render(
        "email_templates/compare.html",
        template=template,
        language=language,
        languages=languages(),
        choices=choices,
        left=left,
        right=right,
        parts=parts,
    )


@bp.route("/<int:template_id>/restore", methods=["GET", "POST"])
@needs(Permission.EDIT_TEMPLATES, proven=True)
def restore(template_id: int) -> Response:
    """The dialog, and putting an older version in force again."""
    template, language = queries.get(template_id), asked_language()
    number = request.args.get("number", "")
    older = queries.version(template_id, language, int(number)) if number.isascii() and number.isdigit() else None
    if older is None or older.default:
        raise NotFound
    if request.method != "POST":
        return render(
            "email_templates/restore.html",
            template=template,
            language=language,
            languages=languages(),
            version=older,
        )
    try:
        with transaction():
            made = services.restore(template_id, language, int(number), by=actor(), now=clock.now())
    except Invalid as refused:
        raise Conflict(_("This version cannot be sent any more: %(why)s", why=refused.message)) from refused
    told = (
        _("Version %(old)s is in force again, as version %(new)s.", old=int(number), new=made.number)
        if made
        else _("This text is in force already.")
    )
    return see_other(url_for(".record", template_id=template_id, language=language), told)


@bp.route("/<int:template_id>/default", methods=["GET", "POST"])
@needs(Permission.EDIT_TEMPLATES, proven=True)
def default(template_id: int) -> Response:
    """The dialog, and going back to the shipped text."""
    template, language = queries.get(template_id), asked_language()
    if request.method == "POST":
        with transaction():
            services.back_to_default(template_id, language, by=actor(), now=clock.now())
        told = _("The text of your own is withdrawn. It stays among the versions.")
        return see_other(url_for(".record", template_id=template_id, language=language), told)
    latest = queries.latest_version(template_id, language)
    return render(
        "email_templates/default.html",
        template=template,
        language=language,
        languages=languages(),
        shipped=queries.shipped_text(template, language) is not None,
        own=latest is not None and not latest.default,
    )


def _chosen(side: str, known: list[str], otherwise: list[str]) -> str:
    asked = request.args.get(side, "")
    return asked if asked in known else (otherwise or [""])[0]


def _texts(template: EmailTemplate, language: str, which: str) -> Texts:
    found = (
        queries.shipped_text(template, language)
        if which == SHIPPED
        else queries.version(template.id, language, int(which))
    )
    return Texts(found.subject, found.html, found.text) if found else Texts("", "", "")
