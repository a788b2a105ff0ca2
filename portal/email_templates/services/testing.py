"""Sends a text to the staff member who works on it."""

from datetime import datetime, timedelta

from flask_babel import gettext as _

from portal.email_templates import messages, queries
from portal.email_templates.services.checking import check, refusals
from portal.email_templates.services.finding import Texts
from portal.journal.services import Record, record
from portal.kernel.errors import Invalid, TooFast
from portal.mail import outbox
from portal.mail import queries as messages_sent
from portal.mail.models import Message
from portal.staff.permissions import StaffActor

TESTS, WINDOW = 20, timedelta(minutes=10)


def send_test(template_id: int, language: str, texts: Texts, by: StaffActor, now: datetime) -> Message:
    """Queue these texts, saved or not, for whoever asks; with sample values and a marked subject.

    A deactivated template can be tested too. Raises NotFound, Invalid (texts that cannot be sent), TooFast.
    """
    if messages_sent.tests_since(by.id, now - WINDOW, messages.KIND) >= TESTS:
        raise TooFast(_("You have asked for %(most)s test messages within 10 minutes.", most=TESTS), 600)
    template = queries.get(template_id)
    refused = refusals(check(template.kind, language, texts, now))
    if refused:
        raise Invalid(refused)
    about = Record("template", template.id, template.name)
    record("template.tested", about, by=by, now=now, text=language.upper())
    detail = {"template": template.id, "language": language, "mark": _("Test"), **texts._asdict()}
    return outbox.enqueue(messages.KIND, now=now, staff_id=by.id, created_by=by.id, detail=detail)
