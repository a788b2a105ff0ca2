"""The database: the declarative base, how SQLite is opened, and `transaction()`, the only place that commits."""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import CursorResult, Engine, Executable, MetaData, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry

from portal.kernel.columns import UTCDateTime

# A writer waits this long for another before it gives up; the page then answers 503.
BUSY_TIMEOUT_MS = 15_000
_WRITES, _LASTING = "portal_writes", "portal_lasting"
LARGEST_ID = 2**31 - 1
M = TypeVar("M", bound=DeclarativeBase)


class Base(DeclarativeBase):
    """What every table inherits; each constraint gets a name, so that a migration can speak of it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime()}


db = SQLAlchemy(metadata=Base.metadata)


@contextmanager
def transaction(*, lasting: bool = True) -> Iterator[None]:
    """Commit what the block did, or nothing of it.

    Not `lasting`: it survives the end of any process, but a power cut may take back the last moment's. For what can be
    done again, and is done thousands of times in a row.

    Ends the read that went before and begins a write at once (`BEGIN IMMEDIATE` on SQLite: turning a read
    into a write fails as soon as somebody else wrote in between). Records loaded earlier are read anew when
    next touched. Blocks do not nest: raises RuntimeError.
    """
    session = db.session()
    if session.info.get(_WRITES):
        raise RuntimeError("a transaction is open already")
    session.rollback()
    session.info[_WRITES] = True
    try:
        session.connection(execution_options={_WRITES: True, _LASTING: lasting})
        yield
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop(_WRITES, None)


@contextmanager
def side_transaction() -> Iterator[Any]:
    """A write of its own, apart from the request's transaction: a counter or a session row that must last
    even where the request is refused. Yields a Core connection. Never use it inside `transaction()`."""
    with db.engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        yield connection


def load(model: type[M], record_id: int, *, lock: bool = False) -> M | None:
    """The record, or None; a number that no column could hold is nobody's.

    `lock` keeps other writers off it until the transaction ends (PostgreSQL; on SQLite there is only one).
    """
    if not 0 < record_id <= LARGEST_ID:
        return None
    if lock:
        return db.session.get(model, record_id, with_for_update=True, populate_existing=True)
    return db.session.get(model, record_id)


def possible(ids: Iterable[int]) -> list[int]:
    """Those of the numbers that could be ids; PostgreSQL refuses to compare with larger ones."""
    return [number for number in ids if 0 < number <= LARGEST_ID]


def execute_dml(statement: Executable) -> int:
    """Run an UPDATE or DELETE in the open transaction and say how many rows it changed."""
    return cast(CursorResult[Any], db.session.execute(statement)).rowcount


def contains(text: str) -> str:
    """A LIKE pattern for 'holds this text', in which the text's own % and _ are plain characters (escape `\\`)."""
    return f"%{escape_like(text)}%"


def escape_like(text: str) -> str:
    """`text` with LIKE's own signs made plain (escape character `\\`)."""
    return re.sub(r"([\\%_])", r"\\\1", text)


@event.listens_for(Session, "before_flush")
def _only_in_a_transaction(session: Session, *_: object) -> None:
    if not session.info.get(_WRITES):
        raise RuntimeError("records are changed inside `with transaction():` only")


@event.listens_for(Engine, "connect")
def _open_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # the driver must not begin transactions of its own
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # no redemption is lost with the power
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


@event.listens_for(Engine, "begin")
def _begin(connection: Any) -> None:
    lasting = connection.get_execution_options().get(_LASTING, True)
    if connection.dialect.name == "sqlite":
        writes = connection.get_execution_options().get(_WRITES, False)
        if connection.info.get(_LASTING, True) is not lasting:
            connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if lasting else 'NORMAL'}")
            connection.info[_LASTING] = lasting
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
    elif not lasting:
        connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
