"""Reading staff members, their set-up links, and whether work is being done."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select

from portal.jobs.models import Job
from portal.jobs.presence import QUIET_AFTER, last_seen
from portal.kernel.db import db, load
from portal.kernel.errors import NotFound
from portal.kernel.secrets_ import token_id
from portal.settings.queries import ring
from portal.staff.links import genuine
from portal.staff.models import SetUpLink, StaffMember
from portal.staff.permissions import HOLDS, Permission, StaffRole


def for_session(staff_id: int, epoch: int) -> StaffMember | None:
    """The active staff member a session belongs to, or None once their sessions were ended."""
    member = db.session.get(StaffMember, staff_id)
    return member if member is not None and member.active and member.epoch == epoch else None


def by_email(key: str) -> StaffMember | None:
    """The staff member with this canonical address."""
    return db.session.scalar(select(StaffMember).where(StaffMember.email_key == key))


def get(staff_id: int, *, lock: bool = False) -> StaffMember:
    """The staff member; with `lock` nobody else changes them before this transaction ends. Raises NotFound."""
    member = load(StaffMember, staff_id, lock=lock)
    if member is None:
        raise NotFound
    return member


def held(staff_id: int) -> StaffMember:
    """The staff member, locked together with the owners, so that none of them changes before this transaction ends.

    Always locked in the same order, so that two who change each other never wait for each other. Raises NotFound.
    """
    member = get(staff_id)
    theirs = or_(StaffMember.id == staff_id, StaffMember.role == StaffRole.OWNER)
    locked = select(StaffMember).where(theirs).order_by(StaffMember.id).with_for_update()
    db.session.scalars(locked.execution_options(populate_existing=True)).all()
    return member


def rows() -> Sequence[Any]:
    """Everybody, those who work here first, by name."""
    columns = (
        StaffMember.id,
        StaffMember.name,
        StaffMember.email,
        StaffMember.role,
        StaffMember.active,
        StaffMember.password_hash.is_not(None).label("ready"),
        StaffMember.signed_in_at,
    )
    order = (StaffMember.active.desc(), func.lower(StaffMember.name), StaffMember.id)
    return db.session.execute(select(*columns).order_by(*order)).all()


def active_with(permission: str) -> list[StaffMember]:
    """The active staff members whose role holds the permission, by name."""
    roles = [role for role, held in HOLDS.items() if permission in held]
    statement = select(StaffMember).where(StaffMember.active, StaffMember.role.in_(roles))
    return list(db.session.scalars(statement.order_by(func.lower(StaffMember.name), StaffMember.id)))


def may_own(staff_id: int) -> bool:
    """Whether invitations may belong to this person: active, and allowed to send."""
    member = db.session.get(StaffMember, staff_id)
    return member is not None and member.active and member.may(Permission.SEND)


def has_other_owner(staff_id: int) -> bool:
    """Whether another active owner can sign in. Inside `transaction()` it locks the owners, so that two of
    them cannot take the role from each other at once."""
    statement = select(StaffMember.id).where(
        StaffMember.role == StaffRole.OWNER, StaffMember.active, StaffMember.password_hash.is_not(None)
    )
    owners = db.session.scalars(statement.order_by(StaffMember.id).with_for_update()).all()
    return any(owner != staff_id for owner in owners)


def somebody_has_password() -> bool:
    """Whether any staff member ever set a password: then the site has had its first owner."""
    statement = select(StaffMember.id).where(StaffMember.password_hash.is_not(None)).limit(1)
    return db.session.scalar(statement) is not None


def link(token: str) -> SetUpLink:
    """The set-up link a token was made for, used or not; raises NotFound for a token nobody made."""
    public_id = token_id(token)
    found = db.session.scalar(select(SetUpLink).where(SetUpLink.public_id == public_id)) if public_id else None
    if found is None or not genuine(ring(), found.id, token):
        raise NotFound
    return found


def nobody_works(waits: Iterable[Callable[[datetime], bool]], now: datetime) -> bool:
    """Whether the workers fell silent, or there is none although work is waiting.

    `waits` say whether work of the slices above has been due since before an instant.
    """
    seen = last_seen()
    if seen is not None:
        return now - seen > QUIET_AFTER
    due = select(Job.id).where(Job.state == "queued", Job.due_at <= now - QUIET_AFTER).limit(1)
    return db.session.scalar(due) is not None or any(wait(now - QUIET_AFTER) for wait in waits)
