"""Reading e-mail templates."""

from collections.abc import Iterable
from email.utils import parseaddr
from typing import Any, NamedTuple

from sqlalchemy import Row, func, select

from portal.contacts.services import LANGUAGES
from portal.email_templates.models import EmailTemplate, TemplateVersion
from portal.kernel.addresses import canonical
from portal.kernel.db import db, load
from portal.kernel.errors import NotFound
from portal.mail.models import Message
from portal.mail.texts import FIRST_LANGUAGE, Inactive, Source, shipped
from portal.settings.queries import operator
from portal.staff.models import StaffMember

MOST_VERSIONS = 100
SAVED, SHIPPED, FALLBACK = "saved", "shipped", "fallback"


class Standing(NamedTuple):
    """How a template stands in a language: `state` is saved, shipped or fallback (the English text is sent)."""

    language: str
    state: str
    number: int = 0


class ListRow(NamedTuple):
    """A template in the list."""

    template: EmailTemplate
    languages: list[Standing]


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
        texts = (latest.subject, latest.html, latest.text)
        return Source(template.kind, language, *texts, latest.id, sender_of(template))
    return shipped_text(template, language)


def shipped_text(template: EmailTemplate, language: str) -> Source | None:
    """What the portal ships for a template in exactly this language."""
    try:
        found = shipped(template.key, language, strict=True)
    except ValueError:
        return None
    return found._replace(subject=found.subject.strip(), sender=sender_of(template))


def sender_of(template: EmailTemplate) -> str | None:
    """Its own From address, unless the operator has moved the site's mail to another domain since it was typed."""
    if not template.sender:
        return None
    ours, own = (canonical(one).rpartition("@")[2] for one in (parseaddr(operator().mail_from)[1], template.sender))
    return template.sender if own == ours else None


def starting_text(template: EmailTemplate, language: str) -> Source:
    """What an editor begins with: the text in force, else the one sent in its stead; empty where there is none."""
    for wanted in dict.fromkeys((language, FIRST_LANGUAGE)):
        found = text_in(template, wanted)
        if found is not None:
            return found
    return Source(template.kind, language, "", "", "")


def latest_version(template_id: int, language: str) -> TemplateVersion | None:
    """The version with the highest number."""
    own = (TemplateVersion.template_id == template_id, TemplateVersion.language == language)
    return db.session.scalar(select(TemplateVersion).where(*own).order_by(TemplateVersion.number.desc()).limit(1))


def version(template_id: int, language: str, number: int) -> TemplateVersion:
    """One version. Raises NotFound."""
    own = (TemplateVersion.template_id == template_id, TemplateVersion.language == language)
    found = None
    if 0 < number < 2**31:
        found = db.session.scalar(select(TemplateVersion).where(*own, TemplateVersion.number == number))
    if found is None:
        raise NotFound
    return found


def versions(template_id: int, language: str) -> list[Row[Any]]:
    """The versions in a language, newest first, each with who saved it and how many messages were written with it."""
    used = (
        select(func.count())
        .select_from(Message)
        .where(Message.template_version_id == TemplateVersion.id)
        .correlate(TemplateVersion)
        .scalar_subquery()
    )
    columns = (
        *(TemplateVersion.id, TemplateVersion.number, TemplateVersion.subject, TemplateVersion.default),
        *(TemplateVersion.note, TemplateVersion.created_at, StaffMember.name.label("author"), used.label("used")),
    )
    rows = select(*columns).outerjoin(StaffMember, StaffMember.id == TemplateVersion.created_by)
    own = (TemplateVersion.template_id == template_id, TemplateVersion.language == language)
    newest = rows.where(*own).order_by(TemplateVersion.number.desc()).limit(MOST_VERSIONS)
    return list(db.session.execute(newest).all())


def used_by(version_id: int) -> Any:
    """What a message was written with: the template's id and name, language and number of the version."""
    columns = (EmailTemplate.id, EmailTemplate.name, TemplateVersion.language, TemplateVersion.number)
    joined = select(*columns).join(EmailTemplate, EmailTemplate.id == TemplateVersion.template_id)
    return db.session.execute(joined.where(TemplateVersion.id == version_id)).one_or_none()


def standings(templates: Iterable[EmailTemplate]) -> dict[int, list[Standing]]:
    """How each template stands in every language."""
    asked = list(templates)
    last = (
        select(TemplateVersion.template_id, TemplateVersion.language, func.max(TemplateVersion.number).label("number"))
        .where(TemplateVersion.template_id.in_([template.id for template in asked]))
        .group_by(TemplateVersion.template_id, TemplateVersion.language)
        .subquery()
    )
    match = (
        (TemplateVersion.template_id == last.c.template_id)
        & (TemplateVersion.language == last.c.language)
        & (TemplateVersion.number == last.c.number)
    )
    columns = (
        *(TemplateVersion.template_id, TemplateVersion.language),
        TemplateVersion.number,
        TemplateVersion.default,
    )
    rows = {(row[0], row[1]): row for row in db.session.execute(select(*columns).join(last, match))}
    return {one.id: [_standing(one, language, rows.get((one.id, language))) for language in LANGUAGES] for one in asked}


def _standing(template: EmailTemplate, language: str, latest: Any) -> Standing:
    number = latest.number if latest is not None else 0
    if latest is not None and not latest.default:
        return Standing(language, SAVED, number)
    return Standing(language, SHIPPED if shipped_text(template, language) else FALLBACK, number)


def by_key(key: str) -> EmailTemplate | None:
    """The template that code and files know by this name."""
    return db.session.scalar(select(EmailTemplate).where(EmailTemplate.key == key))


def get(template_id: int, *, lock: bool = False) -> EmailTemplate:
    """The template. Raises NotFound."""
    found = load(EmailTemplate, template_id, lock=lock)
    if found is None:
        raise NotFound
    return found


def all_of_them() -> list[EmailTemplate]:
    """Every template, by name."""
    return list(db.session.scalars(select(EmailTemplate).order_by(EmailTemplate.name)))


def rows() -> list[ListRow]:
    """Every template with its languages, for the list: those of the site first, then the shipped ones."""
    found = sorted(all_of_them(), key=lambda one: one.shipped)
    spoken = standings(found)
    return [ListRow(one, spoken[one.id]) for one in found]
