"""Staff members: adding them, their role, whether they work here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.addresses import canonical
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Invalid, Stale
from portal.staff import queries
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffRole
from portal.staff.services.changing import about, end_links


@dataclass(frozen=True)
class StaffValues:
    """What is typed about a staff member; the address is checked already."""

    email: str
    name: str
    role: str


def add(values: StaffValues, by: Actor, now: datetime, password_hash: str | None = None) -> StaffMember:
    """A new staff member; without a password they need a set-up link.

    Raises Invalid for an address that another has, or an unknown role.
    """
    _check(values, None)
    member = StaffMember(
        email=values.email,
        email_key=canonical(values.email),
        name=values.name,
        role=values.role,
        password_hash=password_hash,
        created_at=now,
    )
    with _unique_address():
        db.session.add(member)
    record("staff.added", about(member), by=by, now=now, detail={"role": member.role})
    return member


def change(staff_id: int, values: StaffValues, version: int, by: Actor, now: datetime) -> StaffMember:
    """New address, name or role. Another role ends their sessions, another address their set-up links.

    Raises Stale, Invalid.
    """
    member = _fresh(staff_id, version)
    _check(values, member)
    if member.role == StaffRole.OWNER and values.role != StaffRole.OWNER and _is_last_owner(member):
        raise Invalid({"role": _("This is the last owner. Make somebody else an owner first.")})
    changes = {
        name: [getattr(member, name), new]
        for name, new in (("email", values.email), ("name", values.name), ("role", values.role))
        if getattr(member, name) != new
    }
    if not changes:
        return member
    member.epoch += "role" in changes
    if "email" in changes:
        end_links(member.id, now)
    with _unique_address():
        member.email, member.email_key = values.email, canonical(values.email)
        member.name, member.role = values.name, values.role
        member.version += 1
    record("staff.changed", about(member), by=by, now=now, detail={"changes": changes})
    return member


def rename(staff_id: int, name: str, version: int, by: Actor, now: datetime) -> None:
    """Another name for oneself; raises Stale."""
    member = queries.get(staff_id)
    change(staff_id, StaffValues(member.email, name, member.role), version, by, now)


def deactivate(staff_id: int, heir_id: int | None, by: Actor, now: datetime) -> StaffMember:
    """They can no longer sign in; open sessions end. Their invitations are the caller's to hand over to the heir.

    Raises Conflict for oneself, for the last owner, and for somebody who is inactive already; Invalid for an
    heir who may not own invitations.
    """
    member = queries.held(staff_id)
    if heir_id is not None and (heir_id == staff_id or not queries.may_own(heir_id)):
        raise Invalid({"to": _("Please choose from the list.")})
    if by.kind == "staff" and by.id == member.id:
        raise Conflict(_("You cannot deactivate yourself. Ask another owner."))
    if not member.active:
        raise Conflict(_("%(name)s is inactive already.", name=member.name))
    if member.role == StaffRole.OWNER and _is_last_owner(member):
        raise Conflict(_("This is the last owner. Make somebody else an owner first."))
    member.active = False
    member.epoch += 1
    member.version += 1
    end_links(member.id, now)
    record("staff.deactivated", about(member), by=by, now=now)
    return member


def activate(staff_id: int, by: Actor, now: datetime) -> StaffMember:
    """They may sign in again, with the password they had; raises Conflict when they may already."""
    member = queries.held(staff_id)
    if member.active:
        raise Conflict(_("%(name)s is active already.", name=member.name))
    member.active = True
    member.version += 1
    record("staff.activated", about(member), by=by, now=now)
    return member


def _fresh(staff_id: int, version: int) -> StaffMember:
    member = queries.held(staff_id)
    if member.version != version:
        raise Stale(_("Somebody else changed this in the meantime."))
    return member


def _check(values: StaffValues, member: StaffMember | None) -> None:
    other = queries.by_email(canonical(values.email))
    if other is not None and other is not member:
        raise Invalid({"email": _("%(name)s has this address already.", name=other.name)})
    if values.role not in set(StaffRole):
        raise Invalid({"role": _("Please choose from the list.")})


@contextmanager
def _unique_address() -> Iterator[None]:
    """Answers as `_check` does where somebody took the address since it looked (PostgreSQL lets both look)."""
    try:
        with db.session.begin_nested():
            yield
    except IntegrityError as taken:
        raise Invalid({"email": _("Somebody has this address already.")}) from taken


def _is_last_owner(member: StaffMember) -> bool:
    return member.active and not queries.has_other_owner(member.id)
