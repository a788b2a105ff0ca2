"""Creating, changing and deleting web roles, and the one check of who may give them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.exc import IntegrityError

from portal.journal.services import Record, record
from portal.kernel import references
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Forbidden, Invalid, Stale
from portal.kernel.names import fold, visible
from portal.roles import queries
from portal.roles.models import WebRole
from portal.staff.permissions import may_grant

LONGEST_NAME, LONGEST_KEY, LONGEST_DESCRIPTION = 100, 300, 500


@dataclass(frozen=True)
class RoleValues:
    """What a web role's form holds."""

    name: str
    description: str = ""
    managers_may_grant: bool = False


def check_grant(role_ids: Iterable[int], *by_roles: str) -> None:
    """Refuse web roles that not everybody in `by_roles` (staff roles) may give.

    Raises Forbidden for an existing role that one of them may not give, Invalid for one that is implicit or gone.
    """
    wanted = set(role_ids)
    roles = queries.by_ids(wanted)
    for role in roles:
        allowed = (may_grant(staff_role, managers_may_grant=role.managers_may_grant) for staff_role in by_roles)
        if role.implicit is None and not all(allowed):
            raise Forbidden(_("You may not give the web role %(name)s.", name=role.name))
    for role in roles:
        if role.implicit is not None:
            raise Invalid({"web_roles": _("%(name)s is never given by hand.", name=role.name)})
    if len(roles) != len(wanted):
        raise Invalid({"web_roles": _("One of those no longer exists. Please choose again.")})


def create(values: RoleValues, by: Actor, now: datetime) -> WebRole:
    """A new web role. Raises Invalid, for a name that is taken too."""
    _check(values)
    role = WebRole(
        name=values.name,
        name_key=fold(values.name, LONGEST_KEY),
        description=values.description,
        managers_may_grant=values.managers_may_grant,
        created_at=now,
        updated_at=now,
    )
    _save(role)
    record("role.created", _named(role), by=by, now=now)
    return role


def update(role_id: int, values: RoleValues, version: int, by: Actor, now: datetime) -> WebRole:
    """Change a web role that still has this version. Raises NotFound, Conflict (implicit), Stale or Invalid."""
    role = queries.get(role_id, lock=True)
    refuse_implicit(role)
    if role.version != version:
        raise Stale
    _check(values)
    before = RoleValues(role.name, role.description, role.managers_may_grant)
    if before == values:
        return role
    role.name, role.name_key = values.name, fold(values.name, LONGEST_KEY)
    role.description, role.managers_may_grant = values.description, values.managers_may_grant
    role.updated_at = now
    role.version += 1
    _save(role)
    changes = {
        field: [getattr(before, field), getattr(values, field)]
        for field in ("name", "description", "managers_may_grant")
        if getattr(before, field) != getattr(values, field)
    }
    record("role.updated", _named(role), by=by, now=now, detail={"changes": changes})
    return role


def held_by(role_id: int) -> list[str]:
    """What keeps a web role from being deleted, in words: "3 contacts", "1 invitation"."""
    held = references.holding(WebRole.__tablename__, role_id)
    return [_counted(table, rows) for table, rows in held.items()]


def delete(role_id: int, by: Actor, now: datetime) -> None:
    """Delete a web role that nobody has and no invitation gives. Raises NotFound or Conflict."""
    role = queries.get(role_id, lock=True)
    refuse_implicit(role)
    held = held_by(role_id)
    if held:
        raise Conflict(_("This web role is still used by %(what)s, so it stays.", what=", ".join(held)))
    about = _named(role)
    db.session.delete(role)
    try:
        db.session.flush()
    except IntegrityError as fault:  # somebody took it into use just now
        raise Conflict(_("This web role has just been taken into use, so it stays.")) from fault
    record("role.deleted", about, by=by, now=now)


def _counted(table: str, rows: int) -> str:
    if table == "contact_web_role":
        return str(ngettext("%(num)s contact", "%(num)s contacts", rows))
    if table == "invitation_web_role":
        return str(ngettext("%(num)s invitation", "%(num)s invitations", rows))
    return str(ngettext("%(num)s other record", "%(num)s other records", rows))


def refuse_implicit(role: WebRole) -> None:
    """Raise Conflict for one of the two web roles that nobody can change."""
    if role.implicit is not None:
        raise Conflict(_("%(name)s belongs to the portal and cannot be changed.", name=role.name))


def _check(values: RoleValues) -> None:
    faults = {}
    if not values.name.strip():
        faults["name"] = _("Please fill this in.")
    elif len(values.name) > LONGEST_NAME or visible(values.name) != values.name:
        faults["name"] = _("Please use at most %(most)s plain characters.", most=LONGEST_NAME)
    if len(values.description) > LONGEST_DESCRIPTION or visible(values.description) != values.description:
        faults["description"] = _("Please use at most %(most)s plain characters.", most=LONGEST_DESCRIPTION)
    if faults:
        raise Invalid(faults)


def _save(role: WebRole) -> None:
    taken = _("Another web role has this name already.")
    with db.session.no_autoflush:
        other = queries.with_name(role.name_key)
    if other is not None and other is not role:
        raise Invalid({"name": taken})
    db.session.add(role)
    try:
        db.session.flush()
    except IntegrityError as fault:  # created by somebody else at this moment
        raise Invalid({"name": taken}) from fault


def _named(role: WebRole) -> Record:
    return Record("role", role.id, role.name)
