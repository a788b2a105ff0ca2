"""What the mails about signing in say; their links are made here, at delivery, and stored nowhere."""

from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import links
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


def prepare_notice(message: Message, now: datetime) -> Prepared:
    """A notice that says something happened to the sign-in: `password-changed`, `sign-in-replaced`."""
    contact = _contact(message)
    return _prepared(message.kind, contact, when=_local(message.created_at))


def _link(message: Message, purpose: str, now: datetime) -> tuple[Contact, str]:
    contact = _contact(message)
    link = db.session.get(OneTimeLink, int(message.detail["link"]))
    if link is None or link.used_at is not None:
        raise Cancelled(_("The link in this message was used or replaced."))
    if link.expires_at <= now:
        raise Cancelled(_("The link in this message expired before it could be sent."))
    if link.email_key != contact.email1_key:
        raise Cancelled(_("The contact has another e-mail address now."))
    return contact, links.token(ring(), link.public_id, purpose, link.id, link.email_key)


def _contact(message: Message) -> Contact:
    contact = contacts.find(message.contact_id or 0)
    if contact is None or not contact.active:
        raise Cancelled(_("The contact was deactivated."))
    if not contact.email1:
        raise Cancelled(_("The contact has no e-mail address any more."))
    return contact


def _prepared(template: str, contact: Contact, **values: Any) -> Prepared:
    named = {"site_name": site().name, "name": contact.first_name or contact.name, **values}
    return Prepared(to=contact.email1 or "", template=template, values=named, language=contact.language)


def _local(instant: datetime) -> datetime:
    """In the site's zone; the mail tells it in its own language."""
    return instant.astimezone(site().zone)
