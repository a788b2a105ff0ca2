"""A database with data in it comes from each released schema to the newest with every row, and as if it were new."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import JSON, Boolean, Date, DateTime, Integer, LargeBinary, MetaData, Table, func, inspect, select, text
from sqlalchemy.exc import IntegrityError

from portal.kernel.db import db, side_transaction
from tests.support import databases

RELEASED = ["0002"]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def reflected() -> MetaData:
    """The tables as they are in the database."""
    metadata = MetaData()
    metadata.reflect(db.engine)
    db.session.rollback()
    return metadata


def a_row(table: Table, number: int) -> dict[str, Any]:
    """Something in every column, and in those that point somewhere the first row there."""
    return {column.name: _value(table, column, number) for column in table.columns}


def _value(table: Table, column: Any, number: int) -> Any:
    if column.foreign_keys:
        return 1
    if column.primary_key and isinstance(column.type, Integer):
        return number
    known = {"type": "group", "redeemable_by": "anyone", "max_redemptions": 5, "used": 1, "current": "x"}
    if table.name == "invitation" and column.name in known:
        return known[column.name]
    kinds: list[tuple[Any, Any]] = [
        (Boolean, True),
        (Integer, number),
        (DateTime, NOW),
        (Date, date(2026, 11, 20)),
        (JSON, []),
        (LargeBinary, number.to_bytes(16, "big")),
    ]
    for kind, value in kinds:
        if isinstance(column.type, kind):
            return value
    text_of = f"{column.name[:4]}{number}"
    return text_of[: getattr(column.type, "length", None) or 50]


def counts(metadata: MetaData) -> dict[str, int]:
    """Rows by table."""
    with db.engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
            if table.name != "alembic_version"
        }


def schema() -> dict[str, tuple[list[str], list[str]]]:
    """Columns and indexes by table, as the database tells them."""
    asked = inspect(db.engine)
    return {
        name: (
            sorted(c["name"] for c in asked.get_columns(name)),
            sorted(str(i["name"]) for i in asked.get_indexes(name)),
        )
        for name in asked.get_table_names()
    }


@pytest.mark.parametrize("release", RELEASED)
def test_every_row_of_a_released_schema_comes_along(app: Flask, database: databases.Database, release: str) -> None:
    new = schema()
    downgrade(revision=release)
    before = reflected()
    with side_transaction() as connection:
        for table in before.sorted_tables:
            if table.name not in ("alembic_version", "web_role", "workflow"):
                connection.execute(table.insert(), [a_row(table, 1)])
    had = counts(before)
    assert had["invitation"] == had["staff_member"] == had["credential"] == had["workflow_run"] == had["message"] == 1
    upgrade()
    has = counts(reflected())
    assert {name: has[name] for name in had} == {**had, "workflow": had["workflow"] + 1}
    assert schema() == new
    if database.kind == "sqlite":
        with db.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_what_points_nowhere_is_refused_again_after_a_migration(app: Flask) -> None:
    downgrade(revision="0003")
    upgrade()
    with pytest.raises(IntegrityError), side_transaction() as connection:
        connection.execute(text("INSERT INTO contact_web_role VALUES (999, 999, '2026-11-20')"))
