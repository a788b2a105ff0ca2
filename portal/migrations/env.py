"""Runs migrations in the app's own engine, on SQLite as well as PostgreSQL."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection

from portal import composition  # noqa: F401  (imports every slice, and so every table)
from portal.kernel.db import Base

config = context.config


def run_offline() -> None:
    """Print the SQL instead of running it."""
    url = current_app.config["SQLALCHEMY_DATABASE_URI"]
    context.configure(url=url, target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


def run_online() -> None:
    """Run the migrations in one transaction; SQLite checks foreign keys afterwards, not during batch changes."""
    given: Connection | None = config.attributes.get("connection")
    if given is not None:
        _run(given)
        return
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect() as connection:
        _run(connection)


def _run(connection: Connection) -> None:
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        _check_foreign_keys(connection, on=False)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        transactional_ddl=True,
    )
    try:
        with context.begin_transaction():
            context.run_migrations()
            if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise RuntimeError("a migration left a row that points nowhere")
        if connection.in_transaction():
            connection.commit()
    finally:
        if sqlite:
            connection.rollback()
            _check_foreign_keys(connection, on=True)


def _check_foreign_keys(connection: Connection, *, on: bool) -> None:
    """Said to the driver itself: in a transaction, which SQLAlchemy begins with the first word, it has no effect."""
    driver = connection.connection.dbapi_connection
    if driver is not None:
        driver.cursor().execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")


if context.is_offline_mode():
    run_offline()
else:
    run_online()
