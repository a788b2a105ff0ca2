"""Reading accounts."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, Select, select, tuple_

from portal.accounts.models import Account
from portal.kernel import paging
from portal.kernel.db import contains, db, load, possible
from portal.kernel.errors import NotFound
from portal.kernel.names import fold, searchable
from portal.kernel.options import Option

OFFERED = 20


def find(account_id: int) -> Account | None:
    """The account, or None."""
    return load(Account, account_id)


def get(account_id: int, *, lock: bool = False) -> Account:
    """The account. Raises NotFound."""
    account = load(Account, account_id, lock=lock)
    if account is None:
        raise NotFound
    return account


def options(text: str) -> list[Option]:
    """At most 20 accounts whose name holds `text`, for a picker."""
    found = _matching(text).order_by(Account.name_key, Account.id).limit(OFFERED)
    return _told_apart([Option(row.id, row.name) for row in db.session.execute(found)])


def by_ids(ids: Iterable[int]) -> list[Option]:
    """The accounts with these ids, as far as they exist, for a picker's chosen ones."""
    found = select(Account.id, Account.name).where(Account.id.in_(possible(ids))).order_by(Account.name_key, Account.id)
    return [Option(row.id, row.name) for row in db.session.execute(found)]


def names(ids: Iterable[int | None]) -> dict[int, str]:
    """The names of accounts by id."""
    return {option.value: option.label for option in by_ids(number for number in ids if number)}


def page(text: str, after: str) -> paging.Page[Row[Any]]:
    """A page of the accounts whose name holds `text`, by name; `after` is the cursor of the page before."""
    rows = _matching(text, Account.created_at, Account.name_key)
    reached = paging.keys(after, str, int)
    if reached:
        rows = rows.where(tuple_(Account.name_key, Account.id) > tuple_(*reached))
    rows = rows.order_by(Account.name_key, Account.id).limit(paging.PAGE_SIZE + 1)
    return paging.page(db.session.execute(rows).all(), lambda row: (row.name_key, row.id))


def count(text: str) -> int:
    """How many accounts match, at most 10,001."""
    return paging.capped(_matching(text))


def _matching(text: str, *more: Any) -> Select[Any]:
    rows = select(Account.id, Account.name, *more)
    for word in fold(searchable(text), 200).split():
        rows = rows.where(Account.name_key.like(contains(word), escape="\\"))
    return rows


def _told_apart(options: list[Option]) -> list[Option]:
    """Two accounts may have the same name; their number then stands beside it."""
    labels = [option.label.casefold() for option in options]
    return [
        option._replace(hint=f"#{option.value}") if labels.count(option.label.casefold()) > 1 else option
        for option in options
    ]
