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
from portal.passkeys.models import Passkey
from portal.passkeys.queries import of_staff
from portal.providers.models import Provider
from portal.providers.queries import offered_to_staff
from portal.settings.queries import ring, site
from portal.staff.codes import plain
from portal.staff.links import genuine
from portal.staff.models import RecoveryCode, SetUpLink, StaffIdentity, StaffMember
from portal.staff.permissions import HOLDS, Permission, StaffRole

MOST_FAILURES = 100
"""So many passwords, or codes, may be wrong in a row."""


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


def find(staff_id: int, *, lock: bool = False) -> StaffMember | None:
    """The staff member, or None."""
    return load(StaffMember, staff_id, lock=lock)


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
        or_(StaffMember.password_hash.is_not(None), _has_identity(), _has_passkey()).label("ready"),
        StaffMember.totp_confirmed_at.is_not(None).label("two_factor"),
        _is_stopped().label("stopped"),
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


def password_stopped(member: StaffMember) -> bool:
    """Whether so many passwords were wrong in a row that none is right any more, where the site has a lockout."""
    return site().lockout and member.failures >= MOST_FAILURES


def stopped(member: StaffMember) -> bool:
    """Whether so many passwords, or codes, were wrong in a row that only an owner, or a set-up link, lets them on."""
    return password_stopped(member) or member.code_failures >= MOST_FAILURES


def identity(issuer: str, subject: str) -> StaffIdentity | None:
    """Whose identity at a provider this is."""
    return db.session.scalar(
        select(StaffIdentity).where(StaffIdentity.issuer == issuer, StaffIdentity.subject == subject)
    )


def identities(staff_id: int) -> list[StaffIdentity]:
    """The identities of a staff member, oldest first."""
    of_theirs = select(StaffIdentity).where(StaffIdentity.staff_id == staff_id)
    return list(db.session.scalars(of_theirs.order_by(StaffIdentity.id)))


def identities_shown(staff_id: int) -> Sequence[Any]:
    """The same for a page: with what each provider is called, and its mark."""
    columns = (
        StaffIdentity.id,
        StaffIdentity.provider_id,
        StaffIdentity.email,
        StaffIdentity.created_at,
        StaffIdentity.used_at,
        Provider.caption,
        Provider.mark,
    )
    found = select(*columns).join(Provider, Provider.id == StaffIdentity.provider_id)
    return db.session.execute(found.where(StaffIdentity.staff_id == staff_id).order_by(StaffIdentity.id)).all()


def provider_name(provider_id: int) -> str:
    """What a provider is called."""
    return db.session.scalar(select(Provider.caption).where(Provider.id == provider_id)) or ""


def ways_to_sign_in(member: StaffMember) -> int:
    """In how many ways they can sign in: password, identities, passkeys. A provider that is switched off counts not."""
    offered = {provider.id for provider in offered_to_staff()}
    linked = [one for one in identities(member.id) if one.provider_id in offered]
    return (member.password_hash is not None) + len(linked) + len(of_staff(member.id))


def must_have_second_factor(member: StaffMember) -> bool:
    """Whether this site asks this person for a second factor."""
    return site().owners_need_second_factor and member.role == StaffRole.OWNER


def totp_seal(staff_id: int) -> str:
    """What the secret of their app is bound to."""
    return f"totp:{staff_id}"


def totp_secret(member: StaffMember) -> str:
    """The secret of their app, which they have. Raises KeyMissing without its key."""
    return ring().open(member.totp_sealed or "", totp_seal(member.id))


def recovery_text(staff_id: int, code: str) -> str:
    """What a recovery code is kept as a keyed hash of."""
    return f"recovery:{staff_id}:{plain(code)}"


def recovery_codes_left(staff_id: int) -> int:
    """How many of their recovery codes were not used yet."""
    unused = (RecoveryCode.staff_id == staff_id, RecoveryCode.used_at.is_(None))
    return db.session.scalar(select(func.count()).select_from(RecoveryCode).where(*unused)) or 0


def nobody_works(waits: Iterable[Callable[[datetime], bool]], now: datetime) -> bool:
    """Whether the workers fell silent, or there is none although work is waiting.

    `waits` say whether work of the slices above has been due since before an instant.
    """
    seen = last_seen()
    if seen is not None:
        return now - seen > QUIET_AFTER
    due = select(Job.id).where(Job.state == "queued", Job.due_at <= now - QUIET_AFTER).limit(1)
    return db.session.scalar(due) is not None or any(wait(now - QUIET_AFTER) for wait in waits)


def _has_identity() -> Any:
    return select(StaffIdentity.id).where(StaffIdentity.staff_id == StaffMember.id).exists()


def _has_passkey() -> Any:
    return select(Passkey.id).where(Passkey.staff_id == StaffMember.id).exists()


def _is_stopped() -> Any:
    codes = StaffMember.code_failures >= MOST_FAILURES
    return or_(StaffMember.failures >= MOST_FAILURES, codes) if site().lockout else codes
