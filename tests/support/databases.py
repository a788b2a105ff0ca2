"""Fresh databases, each a copy of one that was migrated once per run."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psycopg
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import Table, delete, insert, select
from sqlalchemy.engine import Engine

from portal.kernel.db import Base, db, transaction

Rows = dict[str, list[tuple[object, ...]]]
FLEETING = frozenset({"server_session", "rate_limit"})


class Database(Protocol):
    """A kind of database: `url` is where the fresh copy of the running test is."""

    kind: str
    url: str

    def fresh(self) -> None:
        """Replace what is there by a copy of the migrated template; nothing may be connected to it."""


class SQLite:
    """A file, copied from the template's."""

    kind = "sqlite"

    def __init__(self, folder: Path, make_app: Callable[[str], Flask]) -> None:
        self.template, self.file = folder / "template.db", folder / "test.db"
        self.url = f"sqlite:///{self.file}"
        _migrate(make_app(f"sqlite:///{self.template}"))

    def fresh(self) -> None:
        for suffix in ("-wal", "-shm"):
            Path(f"{self.file}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self.template, self.file)


class PostgreSQL:
    """A database of a running server: made once from the migrated template, then emptied and refilled for each test,
    which takes a fifth of the time of making it anew."""

    kind = "postgresql"

    def __init__(self, socket_folder: str, make_app: Callable[[str], Flask]) -> None:
        self.host = socket_folder
        self.url = self._url("portal_test")
        self._execute("postgres", "CREATE DATABASE portal_template")
        _migrate(make_app(self._url("portal_template")))
        self.refill = ""

    def fresh(self) -> None:
        if not self.refill:
            self._make()
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        left_over = f"{others} WHERE datname = current_database() AND pid <> pg_backend_pid()"
        self._execute("portal_test", left_over, self.refill)

    def _make(self) -> None:
        self._execute("postgres", "CREATE DATABASE portal_test TEMPLATE portal_template")
        tables = Base.metadata.sorted_tables
        keep = [f"CREATE TABLE shipped.{table.name} AS TABLE public.{table.name}" for table in tables]
        self._execute("portal_test", "CREATE SCHEMA shipped", *keep)
        empty = [f"DELETE FROM public.{table.name}" for table in reversed(tables)]
        fill = [f"INSERT INTO public.{table.name} SELECT * FROM shipped.{table.name}" for table in tables]
        self.refill = "; ".join([*empty, *fill, *map(_count_anew, tables)])

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.host}"

    def _execute(self, database: str, *statements: str) -> None:
        with psycopg.connect(host=self.host, user="postgres", dbname=database, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]


def _count_anew(table: Table) -> str:
    """Let the numbers of a table go on where the shipped rows end."""
    column = table.autoincrement_column
    if column is None:
        return "SELECT 1"
    sequence = f"pg_get_serial_sequence('public.{table.name}', '{column.name}')"
    return f"SELECT setval({sequence}, (SELECT coalesce(max({column.name}), 0) + 1 FROM public.{table.name}), false)"


class Shared:
    """A database that real processes keep open all through the run: `fresh` empties and refills it in place."""

    kind = "sqlite"

    def __init__(self, source: SQLite, file: Path, make_app: Callable[[str], Flask]) -> None:
        shutil.copyfile(source.template, file)
        self.url = f"sqlite:///{file}"
        self.app = make_app(self.url)
        with self.app.app_context():
            self.shipped = {table: db.session.execute(select(table)).mappings().all() for table in _tables()}

    def fresh(self) -> None:
        with self.app.app_context(), transaction():
            for table in reversed(_tables()):
                db.session.execute(delete(table))
            for table, rows in self.shipped.items():
                if rows:
                    db.session.execute(insert(table), [dict(row) for row in rows])


def _tables() -> list[Table]:
    return [table for table in Base.metadata.sorted_tables if table.name != "worker"]


def _migrate(app: Flask) -> None:
    with app.app_context():
        upgrade()
        if db.engine.dialect.name == "sqlite":
            with db.engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        db.engine.dispose()


def dump(engine: Engine | None = None, *, without: frozenset[str] = FLEETING) -> Rows:
    """Every row of every table, in a fixed order, but for sessions and rate limits. Compare two with `==`."""
    found: Rows = {}
    with (engine or db.engine).connect() as connection:
        for table in Base.metadata.sorted_tables:
            if table.name not in without:
                found[table.name] = sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
    return found


def difference(before: Rows, after: Rows) -> dict[str, tuple[list[object], list[object]]]:
    """By table: the rows that went and the rows that came."""
    changed = [name for name in before if before[name] != after[name]]
    return {name: (_only(before[name], after[name]), _only(after[name], before[name])) for name in changed}


def _only(these: list[tuple[object, ...]], those: list[tuple[object, ...]]) -> list[object]:
    return [row for row in these if row not in those]
