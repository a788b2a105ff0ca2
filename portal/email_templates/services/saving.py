"""Saving the texts of a template: each change is a new version, none is ever lost."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from portal.contacts.services import LANGUAGES
from portal.email_templates import queries
from portal.email_templates.models import EmailTemplate, TemplateVersion
from portal.email_templates.services.checking import check, refusals
from portal.email_templates.services.finding import Texts
from portal.journal.services import Record, record
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Invalid, NotFound, Stale
from portal.mail.texts import FIRST_LANGUAGE


def save(
    template_id: int, language: str, texts: Texts, number: int, note: str, by: Actor, now: datetime
) -> TemplateVersion | None:
    """Put new texts in force in a language that still has version `number` (0 for none); None where nothing differs.

    Raises NotFound, Invalid (texts that cannot be sent), Stale.
    """
    template, latest = _locked(template_id, language)
    refused = refusals(check(template.kind, language, texts, now))
    if refused:
        raise Invalid(refused)
    if (latest.number if latest else 0) != number:
        raise Stale
    if _says(template, language) == texts:
        return None
    return _add(template, latest, language, texts, note, "template.saved", by, now)


def restore(template_id: int, language: str, number: int, by: Actor, now: datetime) -> TemplateVersion | None:
    """Put an older version in force again, as a new one; None where nothing differs.

    Raises NotFound, Invalid (a placeholder it uses is gone).
    """
    template, latest = _locked(template_id, language)
    older = queries.version(template_id, language, number)
    texts = Texts(older.subject, older.html, older.text)
    if _says(template, language) == texts:
        return None
    refused = refusals(check(template.kind, language, texts, now))
    if refused:
        raise Invalid(refused)
    note = _("Version %(number)s restored", number=number)
    return _add(template, latest, language, texts, note, "template.restored", by, now)


def back_to_default(template_id: int, language: str, by: Actor, now: datetime) -> None:
    """Send the shipped text again, or where none is shipped in this language the English one.

    Raises NotFound, Conflict where that is so already or where nothing would be left to send.
    """
    template, latest = _locked(template_id, language)
    if latest is None or latest.default:
        raise Conflict(_("There is no text of your own in this language."))
    shipped = queries.shipped_text(template, language)
    if shipped is None and language == FIRST_LANGUAGE:
        raise Conflict(_("This template is your own: there is nothing to go back to."))
    texts = Texts(shipped.subject, shipped.html, shipped.text) if shipped else Texts("", "", "")
    note = _("Back to the shipped text") if shipped else _("Own text withdrawn")
    _add(template, latest, language, texts, note, "template.default", by, now, default=True)


def _locked(template_id: int, language: str) -> tuple[EmailTemplate, TemplateVersion | None]:
    if language not in LANGUAGES:
        raise NotFound
    template = queries.get(template_id, lock=True)
    return template, queries.latest_version(template_id, language)


def _says(template: EmailTemplate, language: str) -> Texts | None:
    found = queries.text_in(template, language)
    return Texts(found.subject, found.html, found.text) if found else None


def _add(
    template: EmailTemplate,
    latest: TemplateVersion | None,
    language: str,
    texts: Texts,
    note: str,
    action: str,
    by: Actor,
    now: datetime,
    *,
    default: bool = False,
) -> TemplateVersion:
    version = TemplateVersion(
        template_id=template.id,
        language=language,
        number=(latest.number if latest else 0) + 1,
        subject=texts.subject,
        html=texts.html,
        text=texts.text,
        default=default,
        note=note,
        created_at=now,
        created_by=getattr(by, "id", None) or None,
    )
    db.session.add(version)
    template.updated_at = now
    template.version += 1
    try:
        db.session.flush()
    except IntegrityError as fault:  # saved by somebody else at this moment
        raise Stale from fault
    told = f"{language.upper()} · {_('version %(number)s', number=version.number)}" + (f" · {note}" if note else "")
    about = Record("template", template.id, template.name)
    record(action, about, by=by, now=now, text=told, detail={"language": language, "number": version.number})
    return version
