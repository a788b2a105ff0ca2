"""What other pages show of the outbox: messages that did not arrive, a queue that stands still, a contact's mail."""

from datetime import timedelta

from flask import render_template

from portal.contacts.models import Contact
from portal.kernel import clock
from portal.mail import queries, words
from portal.settings.queries import operator

SHOWN = 5


def of_contact(contact: Contact) -> str:
    """The latest messages to a contact."""
    return render_template(
        "outbox/_of_contact.html",
        contact=contact,
        rows=queries.latest_to(contact.id, SHOWN),
        states=words.states(),
        kinds=words.kinds(),
    )


def overview(_staff: object) -> str:
    """The block for the overview; empty while all is well."""
    return render_template(
        "outbox/_overview.html",
        pause=queries.pause() if not operator().keeps_mail else None,
        counts=queries.counts(["deferred", "failed"], failed_since=clock.now() - timedelta(days=7)),
    )
