"""What a message's page shows of the template it was written with."""

from flask import render_template

from portal.contacts.services import languages
from portal.email_templates import queries
from portal.mail.models import Message


def of_message(message: Message) -> str:
    """A line that names template and version; empty for a message that was written with a shipped text, or not yet."""
    used = queries.used_by(message.template_version_id) if message.template_version_id else None
    if used is None:
        return ""
    return render_template("email_templates/_of_message.html", used=used, languages=languages())
