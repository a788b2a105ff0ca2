"""A demonstration: a small firm's invitations in every view, and as many more as one likes."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import select

from portal.accounts.models import Account
from portal.demo import bulk, story
from portal.kernel.db import db
from portal.kernel.errors import Conflict
from portal.roles.models import WebRole
from portal.settings.queries import operator
from portal.staff.models import StaffMember
from portal.staff.permissions import Permission

MOST = 1_000_000


def load(invitations: int, now: datetime) -> int:
    """Load the story, unless it is there already, and invitations in bulk until there are `invitations` more.

    Returns how many invitations were written. Raises Conflict where mail would leave the machine: the people of the
    demonstration are invented.
    """
    if not operator().keeps_mail:
        raise Conflict(_("The demonstration is for trying out: set PORTAL_MAIL_URL to outbox: first."))
    written = 0
    if not is_loaded():
        story.tell(now)
        written = len(story.CHAPTERS)
    more = min(invitations, MOST) - written
    if more > 0:
        bulk.load(more, _owners(), list(db.session.scalars(select(Account.id))), _roles(), now)
        written += more
    return written


def is_loaded() -> bool:
    """Whether the story's people are here already."""
    names = [name for name, _role, _ticked in story.ROLES]
    return db.session.scalar(select(WebRole.id).where(WebRole.name.in_(names)).limit(1)) is not None


def _owners() -> list[int]:
    return [member.id for member in db.session.scalars(select(StaffMember)) if member.may(Permission.SEND)]


def _roles() -> list[int]:
    return list(db.session.scalars(select(WebRole.id).where(WebRole.implicit.is_(None))))
