"""The messages that workflows send to contacts."""

from datetime import datetime

from flask_babel import gettext as _

from portal.contacts.models import Contact
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
    values = {"site_name": site().name, "name": contact.first_name or contact.name, "link": absolute_url("/profile")}
    template = str(message.detail.get("template", "welcome"))
    return Prepared(to=contact.email1, template=template, values=values, language=contact.language)
