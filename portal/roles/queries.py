"""Reading web roles."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, Select, select

from portal.kernel.db import db, load, possible
from portal.kernel.errors import NotFound
from portal.roles.models import WebRole
from portal.staff.permissions import may_grant

AUTHENTICATED = "authenticated"


def find(role_id: int) -> WebRole | None:
    """The web role, or None."""
    return load(WebRole, role_id)


def get(role_id: int, *, lock: bool = False) -> WebRole:
    """The web role. Raises NotFound."""
    role = load(WebRole, role_id, lock=lock)
    if role is None:
        raise NotFound
    return role


def by_ids(ids: Iterable[int]) -> list[WebRole]:
    """The web roles with these ids, as far as they exist, by name."""
    return list(db.session.scalars(select(WebRole).where(WebRole.id.in_(possible(ids))).order_by(WebRole.name_key)))


def grantable(staff_role: str) -> list[WebRole]:
    """The web roles that somebody in this staff role may give, by name; never the implicit ones."""
    rows = db.session.scalars(select(WebRole).where(WebRole.implicit.is_(None)).order_by(WebRole.name_key))
    return [role for role in rows if may_grant(staff_role, managers_may_grant=role.managers_may_grant)]


def authenticated() -> list[str]:
    """The names of the roles that everybody has who is signed in."""
    return list(db.session.scalars(select(WebRole.name).where(WebRole.implicit == AUTHENTICATED)))


def with_name(name_key: str) -> WebRole | None:
    """The web role with this folded name."""
    return db.session.scalar(select(WebRole).where(WebRole.name_key == name_key))


def all_rows() -> list[Row[Any]]:
    """All web roles for the list, the implicit ones first."""
    columns: tuple[Any, ...] = (
        WebRole.id,
        WebRole.name,
        WebRole.description,
        WebRole.managers_may_grant,
        WebRole.implicit,
    )
    rows: Select[Any] = select(*columns).order_by(WebRole.implicit.is_(None), WebRole.name_key)
    return list(db.session.execute(rows))
