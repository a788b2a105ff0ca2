"""The one message that the outbox writes by itself: the test of the way to the mail server."""

from datetime import datetime

from flask_babel import gettext as _

from portal.mail.models import Message
from portal.mail.outbox import Cancelled, Prepared
from portal.settings.queries import absolute_url, site
from portal.staff import queries as staff


def prepare_test(message: Message, now: datetime) -> Prepared:
    """To the staff member who pressed the button."""
    member = staff.get(message.staff_id or 0)
    if not member.active:
        raise Cancelled(_("The person who asked for it was deactivated."))
    values = {"site_name": site().name, "name": member.name, "link": absolute_url(f"/staff/outbox/{message.id}")}
    return Prepared(to=member.email, template="test-mail", values=values)
