"""The editor of a template's texts: source, placeholders, preview, checks."""

from typing import Any

from flask import make_response, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from portal.contacts.services import languages
from portal.email_templates import labels, queries, services
from portal.email_templates.forms import TextsForm
from portal.email_templates.models import EmailTemplate
from portal.email_templates.services import SCHEMES, Texts
from portal.email_templates.views import drafts
from portal.email_templates.views.blueprint import asked_language, bp
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, NotFound, Stale
from portal.kernel.secrets_ import new_secret
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.forms import wants_find
from portal.web.guard import needs
from portal.web.htmx import render, see_other, wanted
from portal.web.security import POLICY, refills_form

# As with the outbox: a mail cannot do more here than in a mail program.
BODY_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@bp.route("/<int:template_id>/edit", methods=["GET", "POST"])
@needs(Permission.EDIT_TEMPLATES, proven=True)
@refills_form
def edit(template_id: int) -> Response:
    """Change the texts in one language."""
    template, language = queries.get(template_id), asked_language()
    form = TextsForm()
    if not form.is_submitted():
        _begin(form, template, language)
        return page(form, template, language)
    sound = form.validate()
    if wants_find() and not form.form_errors and "csrf_token" not in form.errors:
        return page(form, template, language)
    if not sound:
        return page(form, template, language, status=form.refusal())
    try:
        with transaction():
            saved = services.save(
                template_id,
                language,
                form.texts(),
                form.version.number,
                form.note.data,
                by=actor(),
                now=clock.now(),
            )
    except Invalid as refused:
        form.show(refused)
        return page(form, template, language, status=422)
    except Stale:
        return _stale(form, template_id, language)
    back = url_for(".record", template_id=template_id, language=language)
    if saved is None:
        return see_other(back, _("Nothing was changed, so no new version was made."), "info")
    return see_other(back, _told(queries.get(template_id), language, form.texts(), saved.number))


@bp.post("/<int:template_id>/preview")
@needs(Permission.EDIT_TEMPLATES)
def preview(template_id: int) -> Response:
    """What the typed texts become: a fragment while somebody types, the whole page without JavaScript."""
    template, language = queries.get(template_id), asked_language()
    form = TextsForm()
    return page(form, template, language)


@bp.get("/<int:template_id>/preview/body")
@needs(Permission.EDIT_TEMPLATES)
def body(template_id: int) -> Response:
    """The HTML part by itself, for the sandboxed frame: of the draft that the address names, else of what is saved."""
    template, language = queries.get(template_id), asked_language()
    asked = request.args.get("draft", "")
    draft = drafts.kept(asked, template_id) if asked else None
    if asked and draft is None:
        raise NotFound
    if draft is None:
        start = queries.starting_text(template, language)
        draft = drafts.Draft(language, Texts(start.subject, start.html, start.text))
    shown = services.preview(template, draft.language, draft.texts, clock.now(), draft.contact_id)
    answer = make_response(services.page_of(shown.html, request.args.get("scheme", "")))
    answer.headers["Content-Security-Policy"] = BODY_POLICY
    answer.headers["X-Frame-Options"] = ""
    return answer


def page(
    form: TextsForm, template: EmailTemplate, language: str, status: int = 200, differences: object = None
) -> Response:
    """The editor with what its form holds, or the preview alone where htmx asks for it."""
    contact_id, scheme = form.preview_as.one, request.values.get("scheme", "")
    shown = services.preview(template, language, form.texts(), clock.now(), contact_id)
    if request.method == "POST":
        draft = drafts.keep(template.id, drafts.Draft(language, form.texts(), contact_id)) if shown.whole else ""
    else:
        asked = request.args.get("draft", "")
        draft = asked if drafts.kept(asked, template.id) else ""
    context: dict[str, Any] = {
        "template": template,
        "language": language,
        "preview": shown,
        "draft": draft,
        "scheme": scheme if scheme in SCHEMES else SCHEMES[0],
    }
    if request.endpoint == "email_templates.preview" and wanted():
        return render("email_templates/_preview.html", **context)
    nonce = new_secret()
    answer = render(
        "email_templates/edit.html",
        status=status,
        form=form,
        nonce=nonce,
        languages=languages(),
        standings=queries.standings([template])[template.id],
        palette=labels.palette(template.kind),
        differences=differences,
        **context,
    )
    # CodeMirror makes a style element of its own; this page alone lets it, by name.
    policy = POLICY.replace("style-src 'self'", f"style-src 'self' 'nonce-{nonce}'")
    answer.headers["Content-Security-Policy"] = f"{policy}; frame-src 'self'"
    return answer


def _begin(form: TextsForm, template: EmailTemplate, language: str) -> None:
    latest = queries.latest_version(template.id, language)
    draft = drafts.kept(request.args.get("draft", ""), template.id)
    if draft is not None and draft.language == language:
        form.begin(draft.texts, draft.number, draft.contact_id)
        return
    start = queries.starting_text(template, language)
    form.begin(Texts(start.subject, start.html, start.text), latest.number if latest else 0)


def _stale(form: TextsForm, template_id: int, language: str) -> Response:
    template = queries.get(template_id)
    latest = queries.latest_version(template_id, language)
    form.version.data = str(latest.number if latest else 0)
    now = queries.starting_text(template, language)
    saved, yours = Texts(now.subject, now.html, now.text), form.texts()
    parts = [services.compare(part, getattr(saved, part), getattr(yours, part)) for part in Texts._fields]
    return page(form, template, language, status=409, differences=parts)


def _told(template: EmailTemplate, language: str, texts: Texts, number: int) -> str:
    told = _("Version %(number)s is in force.", number=number)
    warnings = len(services.check(template.kind, language, texts, clock.now()))
    if warnings:
        told += " " + ngettext("There is %(num)s warning.", "There are %(num)s warnings.", warnings)
    if not template.active:
        told += " " + _("The template is deactivated: nothing is sent with it.")
    return told
