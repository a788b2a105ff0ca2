"""The second factor of a staff member: an authenticator app, and recovery codes that take its place."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import delete, update

from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Conflict, Invalid
from portal.settings.queries import ring
from portal.staff import codes, queries
from portal.staff.models import RecoveryCode, StaffMember
from portal.staff.queries import must_have_second_factor
from portal.staff.services.changing import about, notify

CODES_UNTIL_STOP = queries.MOST_FAILURES


def start_second_factor(staff_id: int) -> None:
    """Give them a secret for their app; it counts once a code of it was typed. Raises Conflict where they have one."""
    member = queries.get(staff_id, lock=True)
    if member.has_second_factor:
        raise Conflict(_("Two-factor sign-in is on already."))
    member.totp_sealed = ring().seal(codes.new_secret(), queries.totp_seal(member.id))


def turn_on_second_factor(staff_id: int, typed: str, by: Actor, now: datetime) -> tuple[StaffMember, list[str]]:
    """From now on signing in asks for a code, and these recovery codes are theirs. All sessions end; the caller renews
    the one it came from. Raises Invalid for a wrong code, Conflict where it is on, or was never started."""
    member = queries.get(staff_id, lock=True)
    if member.has_second_factor or member.totp_sealed is None:
        raise Conflict(_("This set-up is over. Please start again."))
    step = codes.step_of(queries.totp_secret(member), typed, now, member.totp_step)
    if step is None:
        raise Invalid({"code": _("This code is not right. Please type the one that your app shows now.")})
    member.totp_confirmed_at, member.totp_step, member.code_failures = now, step, 0
    member.epoch += 1
    record("staff.second-factor-on", about(member), by=by, now=now)
    notify(member.id, "second-factor-on", now)
    return member, _fresh_codes(member)


def new_recovery_codes(staff_id: int, by: Actor, now: datetime) -> list[str]:
    """Ten new recovery codes; those before stop working. Raises Conflict without a second factor."""
    member = queries.get(staff_id, lock=True)
    if not member.has_second_factor:
        raise Conflict(_("Two-factor sign-in is off."))
    record("staff.recovery-codes", about(member), by=by, now=now)
    notify(member.id, "recovery-codes", now)
    return _fresh_codes(member)


def remove_second_factor(staff_id: int, by: Actor, now: datetime) -> StaffMember:
    """Signing in asks for no code any more. All sessions end; whoever did it themselves renews theirs.

    Raises Conflict where there is none, and for somebody who must have one and would remove it themselves: an owner
    resets it for another, who then sets up a new one.
    """
    member = queries.get(staff_id, lock=True)
    if not member.has_second_factor:
        raise Conflict(_("Two-factor sign-in is off."))
    own = by.kind == "staff" and by.id == member.id
    if own and must_have_second_factor(member):
        raise Conflict(_("On this site owners need a second factor."))
    member.totp_sealed = member.totp_confirmed_at = None
    member.code_failures = 0
    member.epoch += 1
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == member.id))
    record("staff.second-factor-off", about(member), by=by, now=now)
    notify(member.id, "second-factor-off", now)
    return member


def check_code(staff_id: int, typed: str, now: datetime, ip: str | None) -> bool:
    """Use up a code of the app, or a recovery code. False when it is wrong, was used before, or too many were wrong in
    a row: then only an owner's reset or unlocking helps."""
    member = queries.get(staff_id, lock=True)
    if not member.has_second_factor or member.code_failures >= CODES_UNTIL_STOP:
        return False
    if codes.is_recovery(typed):
        fits = _use_recovery(member, typed, now, ip)
    else:
        step = codes.step_of(queries.totp_secret(member), typed, now, member.totp_step)
        fits, member.totp_step = step is not None, step or member.totp_step
    if fits:
        member.code_failures = 0
    return fits


def code_failed(staff_id: int, now: datetime, ip: str | None, *, limited: bool) -> None:
    """Count a wrong code, and note it. `limited` when no further try is allowed for now."""
    member = queries.get(staff_id, lock=True)
    member.code_failures += 1
    somebody = Actor("system", None, "", ip)
    record("sign-in.code-failed", about(member), by=somebody, now=now)
    if limited:
        record("sign-in.limited", about(member), by=somebody, now=now)
    if member.code_failures == CODES_UNTIL_STOP:
        record("sign-in.stopped", about(member), by=somebody, now=now)


def _use_recovery(member: StaffMember, typed: str, now: datetime, ip: str | None) -> bool:
    found = ring().lookups(queries.recovery_text(member.id, typed))
    unused = update(RecoveryCode).where(
        RecoveryCode.staff_id == member.id, RecoveryCode.lookup.in_(found), RecoveryCode.used_at.is_(None)
    )
    if execute_dml(unused.values(used_at=now)) != 1:
        return False
    record("staff.recovery-code-used", about(member), by=member.actor(ip), now=now)
    notify(member.id, "recovery-code-used", now)
    return True


def _fresh_codes(member: StaffMember) -> list[str]:
    db.session.execute(delete(RecoveryCode).where(RecoveryCode.staff_id == member.id))
    made = codes.new_recovery_codes()
    rows = [RecoveryCode(staff_id=member.id, lookup=ring().lookup(queries.recovery_text(member.id, c))) for c in made]
    db.session.add_all(rows)
    return made
