"""Brings the database up to date at the start: one process migrates, the others wait for it."""

import fcntl
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import structlog
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import Flask, current_app
from flask_migrate import upgrade
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError, DBAPIError

from portal.config import Settings
from portal.kernel import clock
from portal.kernel.db import db, side_transaction, transaction
from portal.providers import services as providers
from portal.serving.faults import CannotServe
from portal.settings import services as settings

log = structlog.get_logger("serving")
# Any number will do, as long as every version of the portal takes the same.
ADVISORY_LOCK = 7_310_482_651


def bring_up_to_date(app: Flask) -> None:
    """Migrate if need be, make sure that no key is missing, and take over the providers of `portal.toml`.

    Of several processes that start at once, one migrates. Raises CannotServe with a line for the operator.
    """
    with app.app_context(), _told_plainly():
        chosen: Settings = app.config["PORTAL_SETTINGS"]
        with _alone(chosen.instance / "migrate.lock"):
            _check_writable()
            _migrate(chosen)
        with transaction():
            fault = settings.check_keys()
        if fault:
            raise CannotServe(fault)
        _take_over(chosen)
        db.engine.dispose()


def take_over_providers(app: Flask) -> None:
    """Make the providers of `portal.toml` what it says. Raises BadSettings with one line per fault, or CannotServe."""
    with app.app_context(), _told_plainly():
        _take_over(app.config["PORTAL_SETTINGS"])
        db.engine.dispose()


def check_up_to_date(app: Flask) -> None:
    """Raise CannotServe unless the database is there, can be written and has the newest schema."""
    with app.app_context(), _told_plainly():
        _check_writable()
        found, newest = revisions()
        if found != newest:
            raise CannotServe("the database has another schema than this version; `portal serve` brings it up to date")
        with transaction():
            fault = settings.check_keys()
        if fault:
            raise CannotServe(fault)
        db.engine.dispose()


def _take_over(chosen: Settings) -> None:
    with transaction():
        providers.sync(chosen.providers, clock.now())


def revisions() -> tuple[str | None, str | None]:
    """The schema the database has (None: none yet), and the newest one."""
    with db.engine.connect() as connection:
        found = MigrationContext.configure(connection).get_current_revision()
    return found, _newest(current_app.extensions["migrate"].directory)


def _migrate(chosen: Settings) -> None:
    found, newest = revisions()
    if found == newest:
        return
    if found is not None and found not in {revision.revision for revision in _script().walk_revisions()}:
        raise CannotServe(f"the database was made by a newer version of the portal (schema {found})")
    copy = _copy(chosen, found) if found is not None else None
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        upgrade()
    except (SystemExit, CommandError, RuntimeError, DatabaseError) as fault:
        why = " ".join(str(fault.orig if isinstance(fault, DatabaseError) else fault).split())
        kept = f"; the copy made before is {copy}" if copy else ""
        raise CannotServe(f"the migration to schema {newest} failed and was undone ({why}){kept}") from fault
    log.info("database.migrated", found=found, to=newest, copy=str(copy) if copy else None)


def _copy(chosen: Settings, found: str) -> Path | None:
    """A copy of a SQLite database before its schema changes; PostgreSQL undoes a failed migration by itself."""
    path = db.engine.url.database
    if db.engine.dialect.name != "sqlite" or path is None:
        return None
    folder = chosen.instance / "backups"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = folder / f"before-migration-from-{found}-{clock.now():%Y%m%dT%H%M%S}.db"
    part = copy.with_suffix(".part")
    with sqlite3.connect(path) as source, sqlite3.connect(part) as target:
        source.backup(target)
    source.close()
    target.close()
    part.chmod(0o600)
    part.replace(copy)
    return copy


@cache
def _newest(directory: str) -> str | None:
    return ScriptDirectory(directory).get_current_head()


def _script() -> ScriptDirectory:
    return ScriptDirectory(current_app.extensions["migrate"].directory)


class _Undone(Exception):
    pass


def _check_writable() -> None:
    """Write something and take it back: a read-only file with a log beside it lets one begin to write, and no more."""
    with suppress(_Undone), side_transaction() as connection:
        if connection.dialect.name == "sqlite":
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            connection.exec_driver_sql(f"PRAGMA user_version = {int(version)}")
        else:
            connection.execute(text("SELECT 1"))
        raise _Undone


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of this machine, and on PostgreSQL that of all machines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if db.engine.dialect.name != "postgresql":
            yield
            return
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            _advisory(connection, "lock")
            try:
                yield
            finally:
                with suppress(DBAPIError):
                    _advisory(connection, "unlock")
    finally:
        os.close(descriptor)


def _advisory(connection: Connection, act: str) -> None:
    connection.execute(text(f"SELECT pg_advisory_{act}({ADVISORY_LOCK})"))


@contextmanager
def _told_plainly() -> Iterator[None]:
    """Database and file faults as one line that names the setting."""
    try:
        yield
    except DatabaseError as fault:
        url = db.engine.url.render_as_string(hide_password=True)
        words = " ".join(str(fault.orig).split())
        raise CannotServe(f"PORTAL_DATABASE_URL: {url} cannot be used: {words}") from fault
    except OSError as fault:
        raise CannotServe(f"PORTAL_INSTANCE: {fault.filename}: {fault.strerror}") from fault
