"""Signing in to the staff side: what is noted, what is counted, what ends."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import update

from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import LARGEST_ID, execute_dml
from portal.kernel.errors import Conflict
from portal.staff import queries
from portal.staff.models import StaffMember
from portal.staff.services.changing import about, end_links, notify

FAILURES_UNTIL_STOP = queries.MOST_FAILURES


def sign_in(staff_id: int, hashes: tuple[str, str | None], now: datetime) -> StaffMember | None:
    """Note that a password was right. None when the person was deactivated, or the password changed, meanwhile.

    `hashes` are the one it was checked against, and a better one to keep from now on, if any. Whether they are in is
    for `signed_in` to note: a second factor may be missing.
    """
    member = queries.get(staff_id, lock=True)
    seen, better = hashes
    if not member.active or member.password_hash != seen:
        return None
    member.password_hash, member.failures = better or seen, 0
    return member


def signed_in(staff_id: int, epoch: int, by: str, now: datetime, ip: str | None) -> StaffMember | None:
    """Note that somebody is in, with all that it takes; `by` is `password`, `passkey` or `provider:<slug>`.

    None when their sessions were ended since they proved who they are, in `epoch`.
    """
    member = queries.find(staff_id, lock=True)
    if member is None or not member.active or member.epoch != epoch:
        return None
    member.signed_in_at = now
    record("sign-in.ok", about(member), by=member.actor(ip), now=now, detail={"by": by})
    return member


def sign_in_failed(staff_id: int | None, now: datetime, ip: str | None, *, limited: bool) -> None:
    """Count a wrong password against the account, and note it without what was typed. Where there is no such account
    the same statements run and find nothing to count. `limited` when no further try is allowed for now."""
    member = queries.find(staff_id or LARGEST_ID)
    held = StaffMember.id == (member.id if member else LARGEST_ID)
    execute_dml(update(StaffMember).where(held).values(failures=StaffMember.failures + 1))
    somebody = Actor("system", None, "", ip)
    text = _("Account of %(name)s", name=member.name) if member else ""
    record("sign-in.failed", by=somebody, now=now, text=text)
    if limited:
        record("sign-in.limited", by=somebody, now=now, text=text)
    if member is not None and member.failures == FAILURES_UNTIL_STOP:
        record("sign-in.stopped", about(member), by=somebody, now=now)


def password_was_right(staff_id: int, now: datetime) -> None:
    """A signed-in person typed their password once more: the failures before are forgotten."""
    queries.get(staff_id, lock=True).failures = 0


def change_password(staff_id: int, hashes: tuple[str | None, str], by: Actor, now: datetime) -> StaffMember:
    """Another password; all sessions end, the caller renews the one it came from, and the person is told.

    `hashes` are the one that was checked, and the new one. Raises Conflict when it was changed meanwhile.
    """
    member = queries.get(staff_id, lock=True)
    seen, password_hash = hashes
    if member.password_hash != seen:
        raise Conflict(_("The password was changed in the meantime. Please try again."))
    member.password_hash, member.failures = password_hash, 0
    member.epoch += 1
    member.version += 1
    end_links(member.id, now)
    record("staff.password-changed", about(member), by=by, now=now)
    notify(member.id, "password-changed", now)
    return member


def end_sessions(staff_id: int, by: Actor, now: datetime) -> StaffMember:
    """Sign this person out everywhere."""
    member = queries.get(staff_id, lock=True)
    member.epoch += 1
    record("staff.signed-out-everywhere", about(member), by=by, now=now)
    return member


def session_ended(staff_id: int, device: str, by: Actor, now: datetime) -> None:
    """Note that somebody signed out on another device; `device` is what it calls itself."""
    record("staff.signed-out-there", about(queries.get(staff_id)), by=by, now=now, text=device)


def unlock(staff_id: int, by: Actor, now: datetime) -> StaffMember:
    """Let somebody try their password, and their codes, again."""
    member = queries.get(staff_id, lock=True)
    member.failures = member.code_failures = 0
    record("staff.unlocked", about(member), by=by, now=now)
    return member
