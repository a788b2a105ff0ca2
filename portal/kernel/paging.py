"""Paging by key: a page continues after the last row of the one before, however many rows there are."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ScalarSelect, Select, func, select

from portal.kernel.db import LARGEST_ID, db
from portal.kernel.names import visible

PAGE_SIZE = 50
COUNTED = 10_000
R = TypeVar("R")


class Page(NamedTuple, Generic[R]):
    """Rows of a list, and the cursor of the page after it (None on the last)."""

    rows: list[R]
    after: str | None


def cursor(*keys: str | int) -> str:
    """An opaque text that names the row with these sort keys."""
    return base64.urlsafe_b64encode(json.dumps(keys).encode()).decode().rstrip("=")


def keys(text: str, *types: type) -> tuple[Any, ...] | None:
    """The sort keys that `cursor` was given, or None (the first page) for anything else."""
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return None
    if not isinstance(found, list) or [type(key) for key in found] != list(types):
        return None
    return tuple(found) if all(map(_plausible, found)) else None


def page(found: Sequence[R], keys_of: Callable[[R], tuple[str | int, ...]]) -> Page[R]:
    """A page out of up to `PAGE_SIZE` + 1 rows: the one too many only says that there is another page."""
    rows = list(found[:PAGE_SIZE])
    return Page(rows, cursor(*keys_of(rows[-1])) if len(found) > PAGE_SIZE else None)


def capped(rows: Select[Any]) -> int:
    """How many rows there are, counted to 10,001 at most: an exact total costs more than the page."""
    return db.session.scalar(select(capped_column(rows))) or 0


def capped_column(rows: Select[Any]) -> ScalarSelect[int]:
    """The same count as a column, so that one statement counts several lists."""
    limited = rows.order_by(None).limit(COUNTED + 1).subquery()
    return select(func.count()).select_from(limited).scalar_subquery()


def _plausible(key: str | int) -> bool:
    if isinstance(key, str):
        return len(key) <= 300 and visible(key) == key
    return 0 <= key <= LARGEST_ID
