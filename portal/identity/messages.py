"""What the mails about signing in say; their links are made here, at delivery, and stored nowhere."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import links, queries
from portal.identity.models import OneTimeLink
from portal.kernel.db import db
from portal.mail.models import Message
from portal.mail.outbox import Cancelled, Prepared
from portal.settings.queries import absolute_url, ring, site


def prepare_reset(message: Message, now: datetime) -> Prepared:
    """The link that lets somebody choose a new password."""
    contact, token = _link(message, links.RESET, now)
    minutes = links.LIVES[links.RESET] // timedelta(minutes=1)
    return _prepared("reset-password", contact, link=absolute_url(f"/reset-password/{token}"), minutes=minutes)


def prepare_confirmation(message: Message, now: datetime) -> Prepared:
    """The link that confirms an e-mail address."""
    contact, token = _link(message, links.CONFIRM, now)
    hours = links.LIVES[links.CONFIRM] // timedelta(hours=1)
    return _prepared("confirm-email", contact, link=absolute_url(f"/confirm-email/{token}"), hours=hours)


def prepare_second_factor(message: Message, now: datetime) -> Prepared:
    """The code that is asked for after the password."""
    contact, _token = _link(message, links.CODE, now)
    link = db.session.get_one(OneTimeLink, int(message.detail["link"]))
    code = links.code(ring(), link.public_id, link.id, link.email_key)
    minutes = links.LIVES[links.CODE] // timedelta(minutes=1)
    return _prepared("second-factor", contact, code=code, minutes=minutes)


def prepare_notice(message: Message, now: datetime) -> Prepared:
    """A notice that says something happened to the sign-in: `password-changed`, `sign-in-replaced`."""
    contact = _contact(message)
    return _prepared(message.kind, contact, when=_local(message.created_at))


def prepare_changed(message: Message, now: datetime) -> Prepared:
    """A notice that a way to sign in changed (see `services.notify`); to the earlier address where that changed."""
    detail = message.detail
    which = next((str(text) for name, text in detail.items() if name not in ("what", "to")), "")
    contact = _contact(message, mailed_to=detail.get("to"))
    prepared = _prepared(message.kind, contact, when=_local(message.created_at), what=detail["what"], which=which)
    return replace(prepared, to=detail["to"]) if detail.get("to") else prepared


def prepare_set(message: Message, now: datetime) -> Prepared:
    """The link that lets somebody choose a password, which staff sent."""
    contact, token = _link(message, links.SET, now)
    held = queries.credential(contact.id)
    values = {"hours": links.LIVES[links.SET] // timedelta(hours=1), "username": held.username if held else ""}
    return _prepared("set-password", contact, link=absolute_url(f"/set-password/{token}"), **values)


def prepare_move(message: Message, now: datetime) -> Prepared:
    """The link, mailed to a new address, that makes it the contact's."""
    link = _living(message, now)
    contact = _contact(message, mailed_to=link.email)
    bound = links.moving(link.email_key, links.moves_from(contact.email1_key, contact.epoch))
    token = links.token(ring(), link.public_id, links.CHANGE, link.id, bound)
    hours = links.LIVES[links.CHANGE] // timedelta(hours=1)
    prepared = _prepared("change-email", contact, link=absolute_url(f"/change-email/{token}"), hours=hours)
    return replace(prepared, to=link.email or "")


def _link(message: Message, purpose: str, now: datetime) -> tuple[Contact, str]:
    contact, link = _contact(message), _living(message, now)
    if link.email_key != contact.email1_key:
        raise Cancelled(_("The contact has another e-mail address now."))
    return contact, links.token(ring(), link.public_id, purpose, link.id, link.email_key)


def _living(message: Message, now: datetime) -> OneTimeLink:
    link = db.session.get(OneTimeLink, int(message.detail["link"]))
    if link is None or link.used_at is not None:
        raise Cancelled(_("The link in this message was used or replaced."))
    if link.expires_at <= now:
        raise Cancelled(_("The link in this message expired before it could be sent."))
    return link


def _contact(message: Message, mailed_to: str | None = None) -> Contact:
    contact = contacts.find(message.contact_id or 0)
    if contact is None or not contact.active:
        raise Cancelled(_("The contact was deactivated."))
    if not (mailed_to or contact.email1):
        raise Cancelled(_("The contact has no e-mail address any more."))
    return contact


def _prepared(template: str, contact: Contact, **values: Any) -> Prepared:
    named = {"site_name": site().name, "name": contact.first_name or contact.name, **values}
    return Prepared(to=contact.email1 or "", template=template, values=named, language=contact.language)


def _local(instant: datetime) -> datetime:
    """In the site's zone; the mail tells it in its own language."""
    return instant.astimezone(site().zone)
