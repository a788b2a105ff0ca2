"""Set-up links: with one a person sets their password, or becomes the site's first owner."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import update

from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Conflict, Gone
from portal.kernel.secrets_ import new_public_id
from portal.settings.queries import ring
from portal.staff import links, queries
from portal.staff.models import SetUpLink, StaffMember
from portal.staff.services.changing import about, end_links, notify
from portal.staff.services.people import StaffValues, add


def create_set_up_link(staff_id: int | None, by: Actor, now: datetime) -> str:
    """The path of a link with which this person sets their password, or, for None, somebody becomes the first owner.

    It lives 72 hours, works once, and ends the ones before. It is told once and not kept.
    Raises Conflict for an inactive person, and for None when the site has an owner.
    """
    if staff_id is None and queries.somebody_has_password():
        raise Conflict(_("This site has an owner already."))
    member = None if staff_id is None else queries.get(staff_id)
    if member is not None and not member.active:
        raise Conflict(_("%(name)s is inactive. Activate them first.", name=member.name))
    end_links(staff_id, now)
    link = SetUpLink(public_id=new_public_id(), staff_id=staff_id, created_at=now, expires_at=now + links.LIVES)
    db.session.add(link)
    db.session.flush()
    record("staff.link-created", *([about(member)] if member else []), by=by, now=now)
    return f"/staff/set-up/{links.token(ring(), link.public_id, link.id)}"


def usable(link: SetUpLink, now: datetime) -> StaffMember | None:
    """Whose password the link sets; None for the first owner. Raises Gone when its time is over."""
    member = None if link.staff_id is None else queries.get(link.staff_id)
    over = link.used_at is not None or link.expires_at <= now
    late = queries.somebody_has_password() if member is None else not member.active
    if over or late:
        raise Gone(_("This set-up link was used already, or is too old. Ask an owner of the site for a new one."))
    return member


def set_up(token: str, password_hash: str, owner: StaffValues | None, now: datetime, ip: str | None) -> StaffMember:
    """Use a set-up link: set the password of its person, or create the first owner from `owner`.

    Raises NotFound, Gone, Invalid.
    """
    link = queries.link(token)
    member = usable(link, now)
    unused = update(SetUpLink).where(SetUpLink.id == link.id, SetUpLink.used_at.is_(None))
    if execute_dml(unused.values(used_at=now)) != 1:
        raise Gone(_("This set-up link was used already."))
    if member is None:
        if owner is None:
            raise ValueError("the first owner is described by nobody")
        first = Actor("system", None, owner.name, ip)
        member = add(owner, by=first, now=now, password_hash=password_hash)
    else:
        member = queries.get(member.id, lock=True)
        member.password_hash, member.failures, member.code_failures = password_hash, 0, 0
        member.epoch += 1
        member.version += 1
        notify(member.id, "password-set", now)
    if not member.has_second_factor:
        member.signed_in_at = now
    record("staff.set-up", about(member), by=member.actor(ip), now=now)
    return member
