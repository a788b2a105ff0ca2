"""Who staff members are at the providers: linking, signing in, removing."""

from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.addresses import canonical
from portal.kernel.db import db
from portal.kernel.errors import Conflict, NotFound
from portal.passkeys import services as passkeys
from portal.providers.claims import Claims
from portal.staff import queries
from portal.staff.models import StaffIdentity, StaffMember
from portal.staff.services.changing import about, notify


def sign_in_with(claims: Claims, now: datetime, ip: str | None) -> StaffMember | None:
    """Whose sign-in at the provider this is: a known identity; or, once, the active person whose address, entered by
    an owner, the provider has proven, and who has no identity there, nor had one removed. None for everybody else."""
    found = queries.identity(claims.issuer, claims.subject)
    if found is not None:
        member = queries.get(found.staff_id, lock=True)
        if not member.active:
            return None
        found.used_at = now
        return member
    known = queries.by_email(canonical(claims.email)) if claims.email_proven and claims.email else None
    if known is None:
        return None
    member = queries.get(known.id, lock=True)
    here = any(one.issuer == claims.issuer for one in queries.identities(member.id))
    if not member.active or here or not member.linked_by_address or member.email_key != canonical(claims.email):
        return None
    _link(member, claims, member.actor(ip), now)
    return member


def link_identity(staff_id: int, claims: Claims, by: Actor, now: datetime) -> None:
    """Let a signed-in person sign in with this identity, too. Raises Conflict where it is somebody's already."""
    member = queries.get(staff_id, lock=True)
    found = queries.identity(claims.issuer, claims.subject)
    if found is not None and found.staff_id == member.id:
        raise Conflict(_("This sign-in is linked to you already."))
    if found is not None:
        raise Conflict(_("This sign-in belongs to somebody else here. Nothing was changed."))
    _link(member, claims, by, now)


def remove_identity(staff_id: int, identity_id: int, by: Actor, now: datetime) -> StaffMember:
    """They can no longer sign in with it; all sessions end, whoever did it themselves renews theirs. Raises NotFound;
    Conflict where somebody would take their own last way."""
    member = queries.get(staff_id, lock=True)
    found = next((one for one in queries.identities(member.id) if one.id == identity_id), None)
    if found is None:
        raise NotFound
    provider = queries.provider_name(found.provider_id)
    member.linked_by_address = False  # else the next sign-in there would put it back
    db.session.delete(found)
    db.session.flush()
    _took_away(member, by)
    record("staff.identity-removed", about(member), by=by, now=now, text=provider)
    notify(member.id, "identity-removed", now, name=provider)
    return member


def remove_passkey(staff_id: int, passkey_id: int, by: Actor, now: datetime) -> None:
    """They can no longer sign in with it. Raises NotFound; Conflict where somebody would take their own last way."""
    member = queries.get(staff_id, lock=True)
    name = passkeys.remove(passkeys.Owner(staff_id=member.id), passkey_id)
    _took_away(member, by)
    record("staff.passkey-removed", about(member), by=by, now=now, text=name)
    notify(member.id, "passkey-removed", now, name=name)


def _took_away(member: StaffMember, by: Actor) -> None:
    """Nobody shuts themselves out; and what was opened with the way that is gone must not stay open."""
    if by.kind == "staff" and by.id == member.id and not queries.ways_to_sign_in(member):
        raise Conflict(_("This is your last way to sign in. Set up another one first."))
    member.epoch += 1


def _link(member: StaffMember, claims: Claims, by: Actor, now: datetime) -> None:
    provider = queries.provider_name(claims.provider_id)
    made = StaffIdentity(
        staff_id=member.id,
        provider_id=claims.provider_id,
        issuer=claims.issuer,
        subject=claims.subject,
        email=claims.email[:254],
        created_at=now,
        used_at=now,
    )
    try:
        with db.session.begin_nested():
            db.session.add(made)
    except IntegrityError as taken:
        raise Conflict(_("This sign-in was linked a moment ago. Please try again.")) from taken
    record("staff.identity-linked", about(member), by=by, now=now, text=provider)
    notify(member.id, "identity-linked", now, name=provider)
