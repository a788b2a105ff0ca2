"""What surrounds the texts of a template: making one, its name, its own sender, whether it may send."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parseaddr

from flask_babel import gettext as _

from portal.email_templates import queries
from portal.email_templates.labels import OWN
from portal.email_templates.models import EmailTemplate
from portal.email_templates.services.finding import Texts
from portal.email_templates.services.saving import save
from portal.journal.services import Record, record
from portal.kernel import addresses
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Invalid, Stale
from portal.kernel.names import visible
from portal.kernel.secrets_ import new_public_id
from portal.mail.texts import FIRST_LANGUAGE, shipped
from portal.settings.queries import operator

LONGEST_NAME, LONGEST_DESCRIPTION = 100, 300


@dataclass(frozen=True)
class Surroundings:
    """What the form of a template's name and sender holds; `sender` is empty for the site's own address."""

    name: str
    description: str = ""
    sender: str = ""


def create(values: Surroundings, by: Actor, now: datetime) -> EmailTemplate:
    """A new template for workflows to send to contacts, with a text to begin with. Raises Invalid."""
    sender = _checked(values)
    template = EmailTemplate(
        key=f"own-{new_public_id().hex()[:32]}",
        kind=OWN,
        name=values.name,
        description=values.description,
        sender=sender,
        created_at=now,
        updated_at=now,
    )
    db.session.add(template)
    db.session.flush()
    record("template.created", _about(template), by=by, now=now)
    start = shipped(OWN, FIRST_LANGUAGE)
    texts = Texts(start.subject, start.html, start.text)
    save(template.id, FIRST_LANGUAGE, texts, 0, "", by, now)
    return template


def describe(template_id: int, values: Surroundings, version: int, by: Actor, now: datetime) -> EmailTemplate:
    """Another name, description or sender. Raises NotFound, Stale, Invalid."""
    template = queries.get(template_id, lock=True)
    if template.version != version:
        raise Stale
    sender = _checked(values)
    before = {"name": template.name, "description": template.description, "sender": template.sender}
    template.name, template.description, template.sender = values.name, values.description, sender
    changes = {key: [old, getattr(template, key)] for key, old in before.items() if getattr(template, key) != old}
    if changes:
        template.updated_at = now
        template.version += 1
        record("template.updated", _about(template), by=by, now=now, detail={"changes": changes})
    return template


def deactivate(template_id: int, by: Actor, now: datetime) -> None:
    """Nothing is sent with it any more. Raises NotFound, Conflict where that is so already."""
    _turn(template_id, to=False, by=by, now=now)


def activate(template_id: int, by: Actor, now: datetime) -> None:
    """It sends again. Raises NotFound, Conflict where that is so already."""
    _turn(template_id, to=True, by=by, now=now)


def _turn(template_id: int, *, to: bool, by: Actor, now: datetime) -> None:
    template = queries.get(template_id, lock=True)
    if template.active == to:
        raise Conflict(_("This template is active already.") if to else _("This template is deactivated already."))
    template.active = to
    template.updated_at = now
    template.version += 1
    record("template.activated" if to else "template.deactivated", _about(template), by=by, now=now)


def _checked(values: Surroundings) -> str | None:
    faults = {}
    if not values.name.strip():
        faults["name"] = _("Please fill this in.")
    elif len(values.name) > LONGEST_NAME or visible(values.name) != values.name:
        faults["name"] = _("Please use at most %(most)s plain characters.", most=LONGEST_NAME)
    if len(values.description) > LONGEST_DESCRIPTION or visible(values.description) != values.description:
        faults["description"] = _("Please use at most %(most)s plain characters.", most=LONGEST_DESCRIPTION)
    sender, fault = _sender(values.sender)
    if fault:
        faults["sender"] = fault
    if faults:
        raise Invalid(faults)
    return sender


def _sender(typed: str) -> tuple[str | None, str]:
    """The address, and what is wrong with it: other domains would not vouch for this site's mail."""
    if not typed:
        return None, ""
    try:
        address = addresses.parse(typed)
    except addresses.BadAddress:
        return None, _("Please enter one e-mail address, such as anna@example.org.")
    ours = addresses.canonical(parseaddr(operator().mail_from)[1]).rpartition("@")[2]
    if addresses.canonical(address).rpartition("@")[2] != ours:
        return None, _("Mail comes from %(domain)s only: please use an address there.", domain=ours)
    if not address.isascii():
        return None, _("Please use an address of plain letters.")
    return address, ""


def _about(template: EmailTemplate) -> Record:
    return Record("template", template.id, template.name)
