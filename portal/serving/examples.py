"""Loading the example records from the command line."""

from flask_babel import gettext as _
from sqlalchemy import select

from portal import demo
from portal.contacts.models import Contact
from portal.kernel import clock
from portal.kernel.db import db
from portal.settings.queries import operator
from portal.staff.models import StaffMember


def wanted() -> bool:
    """Whether this is a first start to try things out: nobody is there yet, and mail stays on this machine."""
    nobody = all(db.session.scalar(select(table.id).limit(1)) is None for table in (StaffMember, Contact))
    return nobody and operator().keeps_mail


def load(invitations: int) -> str:
    """Load them, and say how many invitations were written."""
    written = demo.load(invitations, clock.now())
    return _("%(written)s example invitations were loaded.", written=written)
