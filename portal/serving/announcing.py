"""What the operator is told once the portal answers."""

from flask import Flask
from flask_babel import gettext as _

from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, transaction
from portal.settings.queries import absolute_url, operator
from portal.staff import queries, services


def announcement(app: Flask) -> str:
    """Where the portal is; while nobody can sign in to the staff side, with the one-time link of its first owner."""
    with app.app_context():
        lines = [_("The portal is at %(url)s", url=absolute_url("/"))]
        if queries.somebody_has_password():
            lines.append(_("Staff sign in at %(url)s", url=absolute_url("/staff/")))
        else:
            with transaction():
                path = services.create_set_up_link(None, by=SYSTEM, now=clock.now())
            lines.append(_("Become its owner, once, within 72 hours: %(url)s", url=absolute_url(path)))
        if operator().keeps_mail:
            lines.append(_("Mail stays here and is shown at %(url)s", url=absolute_url("/staff/outbox/")))
        lines.append(_("Ctrl-C stops it."))
        db.engine.dispose()  # the children open connections of their own
    return "\n".join(["", *(f"  {line}" for line in lines), ""])
