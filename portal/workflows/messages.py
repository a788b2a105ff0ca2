"""The messages that workflows send to contacts."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.email_templates import queries as templates
from portal.kernel.db import db
from portal.mail.models import Message
from portal.mail.outbox import Cancelled, Prepared
from portal.settings.queries import absolute_url, site


def prepare(message: Message, now: datetime) -> Prepared:
    """A message to the contact of a run, with the template that its step chose."""
    contact = db.session.get(Contact, message.contact_id)
    if contact is None or not contact.active:
        raise Cancelled(_("The contact was deactivated."))
    if not contact.email1:
        raise Cancelled(_("The contact has no e-mail address any more."))
    key = str(message.detail.get("template", "welcome"))
    template = templates.by_key(key)
    values = _values(contact, whole=template is not None and template.kind == "message")
    return Prepared(to=contact.email1, template=key, values=values, language=contact.language)


def _values(contact: Contact, *, whole: bool) -> dict[str, Any]:
    """What the placeholders show; `whole` for a template of the site's own, which knows more of them."""
    first = contact.first_name or contact.name
    values: dict[str, Any] = {"site_name": site().name, "name": first, "link": absolute_url("/profile")}
    if whole:
        values |= {
            "contact_name": contact.name,
            "contact_first_name": first,
            "account_name": accounts.names([contact.account_id]).get(contact.account_id or 0, ""),
            "role_names": [role.name for role in contacts.web_roles(contact.id)],
        }
    return values
