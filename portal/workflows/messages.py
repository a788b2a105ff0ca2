"""The message that a workflow sends."""

from datetime import datetime

from flask_babel import gettext as _

from portal.contacts.models import Contact
from portal.kernel.db import db
from portal.mail.models import Message
from portal.mail.outbox import Cancelled, Prepared
from portal.settings.queries import absolute_url, site


def prepare_welcome(message: Message, now: datetime) -> Prepared:
    """The welcome to a new member."""
    contact = db.session.get(Contact, message.contact_id)
    if contact is None or not contact.active:
        raise Cancelled(_("The contact was deactivated."))
    if not contact.email1:
        raise Cancelled(_("The contact has no e-mail address any more."))
    values = {"site_name": site().name, "name": contact.first_name or contact.name, "link": absolute_url("/profile")}
    return Prepared(to=contact.email1, template="welcome", values=values, language=contact.language)
