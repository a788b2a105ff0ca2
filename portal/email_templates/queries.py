"""Reading e-mail templates."""

from sqlalchemy import select

from portal.email_templates.models import EmailTemplate, TemplateVersion
from portal.kernel.db import db, load
from portal.kernel.errors import NotFound
from portal.mail.texts import FIRST_LANGUAGE, Inactive, Source, shipped


def in_force(key: str, language: str) -> Source | None:
    """The saved texts that a message is written with now; None where the shipped ones are in force.

    The latest version in the language counts, else the shipped text in it; where there is neither, the same in English.
    Raises Inactive for a template that is deactivated.
    """
    template = by_key(key)
    if template is None:
        return None
    if not template.active:
        raise Inactive(template.name)
    for wanted in dict.fromkeys((language, FIRST_LANGUAGE)):
        found = text_in(template, wanted)
        if found is not None:
            return found
    return None


def text_in(template: EmailTemplate, language: str) -> Source | None:
    """What a template says in exactly this language, saved or shipped; None where it does not speak it."""
    latest = latest_version(template.id, language)
    if latest is not None and not latest.default:
        return Source(template.kind, language, latest.subject, latest.html, latest.text, latest.id)
    try:
        return shipped(template.key, language, strict=True)
    except ValueError:
        return None


def latest_version(template_id: int, language: str) -> TemplateVersion | None:
    """The version with the highest number."""
    own = (TemplateVersion.template_id == template_id, TemplateVersion.language == language)
    return db.session.scalar(select(TemplateVersion).where(*own).order_by(TemplateVersion.number.desc()).limit(1))


def by_key(key: str) -> EmailTemplate | None:
    """The template that code and files know by this name."""
    return db.session.scalar(select(EmailTemplate).where(EmailTemplate.key == key))


def get(template_id: int) -> EmailTemplate:
    """The template. Raises NotFound."""
    found = load(EmailTemplate, template_id)
    if found is None:
        raise NotFound
    return found


def all_of_them() -> list[EmailTemplate]:
    """Every template, by name."""
    return list(db.session.scalars(select(EmailTemplate).order_by(EmailTemplate.name)))
