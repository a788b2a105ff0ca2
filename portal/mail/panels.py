"""What the overview shows of the outbox: messages that did not arrive, a queue that stands still."""

from datetime import timedelta

from flask import render_template

from portal.kernel import clock
from portal.mail import queries
from portal.settings.queries import operator


def overview(_staff: object) -> str:
    """The block for the overview; empty while all is well."""
    return render_template(
        "outbox/_overview.html",
        pause=queries.pause() if not operator().keeps_mail else None,
        counts={
            **queries.counts(["deferred"]),
            **queries.counts(["failed"], since=clock.now() - timedelta(days=7)),
        },
    )
