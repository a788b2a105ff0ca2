"""Fresh databases, each a copy of one that was migrated once per run."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import psycopg
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import select
from sqlalchemy.engine import Engine

from portal.kernel.db import Base, db

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
    """A database of a running server, made with `CREATE DATABASE … TEMPLATE`."""

    kind = "postgresql"

    def __init__(self, socket_folder: str, make_app: Callable[[str], Flask]) -> None:
        self.host = socket_folder
        self.url = self._url("portal_test")
        self._execute("CREATE DATABASE portal_template")
        _migrate(make_app(self._url("portal_template")))

    def fresh(self) -> None:
        self._execute(
            "DROP DATABASE IF EXISTS portal_test WITH (FORCE)",
            "CREATE DATABASE portal_test TEMPLATE portal_template STRATEGY FILE_COPY",
        )

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@/{name}?host={self.host}"

    def _execute(self, *statements: str) -> None:
        with psycopg.connect(host=self.host, user="postgres", dbname="postgres", autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]


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
