"""Takes in a report of undelivered mail from a mail server's pipe."""

from typing import BinaryIO, NamedTuple

from flask import Flask
from flask_babel import gettext as _
from sqlalchemy.exc import DBAPIError

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.mail import bounces, reports
from portal.mail.bounces import Outcome

# EX_TEMPFAIL: every mail server keeps the mail then, and tries again later.
TRY_LATER = 75


class Told(NamedTuple):
    """One line for the mail server's log, and whether the report should be brought again later."""

    words: str
    later: bool = False


def take(app: Flask, pipe: BinaryIO) -> Told:
    """Mark the message that the report in `pipe` is about. Anything that is no report about one of ours is let be."""
    raw = pipe.read(reports.LONGEST + 1)
    if len(raw) > reports.LONGEST:
        while pipe.read(1 << 20):  # a mail server whose pipe breaks would take that for a fault
            pass
        return Told(_("Ignored: longer than 10 MB."))
    report = reports.read(raw)
    with app.app_context():
        try:
            with transaction():
                outcome, message_id = bounces.take(report, clock.now())
        except DBAPIError as fault:
            return Told(_("The database cannot be used: %(why)s", why=" ".join(str(fault.orig).split())), later=True)
    if outcome is Outcome.MARKED:
        return Told(_("Message %(id)s did not arrive.", id=message_id))
    if outcome is Outcome.NOTED:
        return Told(_("Message %(id)s is late.", id=message_id))
    if outcome is Outcome.LATER:
        return Told(_("Message %(id)s is just being sent; try again later.", id=message_id), later=True)
    return Told(_("Ignored: no report about a message of this site that could still change anything."))
