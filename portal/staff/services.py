"""Changing staff members: adding them, their role, their password, whether they work here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from portal.journal.services import Record, record
from portal.kernel.actor import Actor
from portal.kernel.addresses import canonical
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Conflict, Gone, Invalid, Stale
from portal.kernel.secrets_ import new_public_id
from portal.settings.queries import ring
from portal.staff import links, queries
from portal.staff.models import SetUpLink, StaffMember
from portal.staff.permissions import StaffRole


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
        _end_links(member.id, now)
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
    _end_links(member.id, now)
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
    _end_links(staff_id, now)
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
        member.password_hash = password_hash
        member.epoch += 1
        member.version += 1
    member.signed_in_at = now
    record("staff.set-up", about(member), by=member.actor(ip), now=now)
    return member


def sign_in(staff_id: int, hashes: tuple[str, str | None], now: datetime, ip: str | None) -> StaffMember | None:
    """Note that a password was right. None when the person was deactivated, or the password changed, meanwhile.

    `hashes` are the one it was checked against, and a better one to keep from now on, if any.
    """
    member = queries.get(staff_id, lock=True)
    seen, better = hashes
    if not member.active or member.password_hash != seen:
        return None
    member.password_hash = better or seen
    member.signed_in_at = now
    record("sign-in.ok", about(member), by=member.actor(ip), now=now)
    return member


def sign_in_failed(account: str, now: datetime, ip: str | None, *, limited: bool) -> None:
    """Note that signing in failed, without what was typed: `account` is the name of the person whose address it
    was, or empty. `limited` when no further try is allowed for now."""
    somebody = Actor("system", None, "", ip)
    text = _("Account of %(name)s", name=account) if account else ""
    record("sign-in.failed", by=somebody, now=now, text=text)
    if limited:
        record("sign-in.limited", by=somebody, now=now, text=text)


def change_password(staff_id: int, hashes: tuple[str | None, str], by: Actor, now: datetime) -> StaffMember:
    """Another password; all sessions end, the caller renews the one it came from.

    `hashes` are the one that was checked, and the new one. Raises Conflict when it was changed meanwhile.
    """
    member = queries.get(staff_id, lock=True)
    seen, password_hash = hashes
    if member.password_hash != seen:
        raise Conflict(_("The password was changed in the meantime. Please try again."))
    member.password_hash = password_hash
    member.epoch += 1
    member.version += 1
    _end_links(member.id, now)
    record("staff.password-changed", about(member), by=by, now=now)
    return member


def end_sessions(staff_id: int, by: Actor, now: datetime) -> None:
    """Sign this person out everywhere."""
    member = queries.get(staff_id, lock=True)
    member.epoch += 1
    record("staff.signed-out-everywhere", about(member), by=by, now=now)


def about(member: StaffMember) -> Record:
    """The staff member as the journal names them."""
    return Record("staff", member.id, member.name)


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


def _end_links(staff_id: int | None, now: datetime) -> None:
    of_theirs = SetUpLink.staff_id.is_(None) if staff_id is None else SetUpLink.staff_id == staff_id
    live = of_theirs & SetUpLink.used_at.is_(None) & (SetUpLink.expires_at > now)
    execute_dml(update(SetUpLink).where(live).values(expires_at=now))
