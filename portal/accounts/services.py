"""Creating, changing and deleting accounts."""

from datetime import datetime

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.exc import IntegrityError

from portal.accounts import queries
from portal.accounts.models import Account
from portal.journal.services import Record, record
from portal.kernel import references
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Invalid, Stale
from portal.kernel.names import fold, visible

LONGEST = 200


def create(name: str, by: Actor, now: datetime) -> Account:
    """A new account. Raises Invalid."""
    _check(name)
    account = Account(name=name, name_key=fold(name, LONGEST), created_at=now, updated_at=now)
    db.session.add(account)
    db.session.flush()
    record("account.created", Record("account", account.id, name), by=by, now=now)
    return account


def update(account_id: int, name: str, version: int, by: Actor, now: datetime) -> Account:
    """Rename an account that still has this version. Raises NotFound, Stale or Invalid."""
    account = queries.get(account_id, lock=True)
    if account.version != version:
        raise Stale
    _check(name)
    before = account.name
    if name == before:
        return account
    account.name, account.name_key, account.updated_at = name, fold(name, LONGEST), now
    account.version += 1
    changes = {"name": [before, name]}
    record("account.updated", Record("account", account.id, name), by=by, now=now, detail={"changes": changes})
    return account


def held_by(account_id: int) -> list[str]:
    """What keeps an account from being deleted, in words: "3 contacts", "1 invitation"."""
    held = references.holding(Account.__tablename__, account_id)
    return [_counted(table, rows) for table, rows in held.items()]


def delete(account_id: int, by: Actor, now: datetime) -> None:
    """Delete an account that nothing refers to. Raises NotFound or Conflict."""
    account = queries.get(account_id, lock=True)
    held = held_by(account_id)
    if held:
        raise Conflict(_("This account is still used by %(what)s, so it stays.", what=", ".join(held)))
    db.session.delete(account)
    try:
        db.session.flush()
    except IntegrityError as fault:  # somebody took it into use just now
        raise Conflict(_("This account has just been taken into use, so it stays.")) from fault
    record("account.deleted", Record("account", account_id, account.name), by=by, now=now)


def _counted(table: str, rows: int) -> str:
    if table == "contact":
        return str(ngettext("%(num)s contact", "%(num)s contacts", rows))
    if table == "invitation":
        return str(ngettext("%(num)s invitation", "%(num)s invitations", rows))
    return str(ngettext("%(num)s other record", "%(num)s other records", rows))


def _check(name: str) -> None:
    if not name.strip():
        raise Invalid({"name": _("Please fill this in.")})
    if len(name) > LONGEST or visible(name) != name:
        raise Invalid({"name": _("Please use at most %(most)s plain characters.", most=LONGEST)})
