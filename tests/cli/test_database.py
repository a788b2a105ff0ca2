"""The database is brought up to date once, and told of when it is not."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal.kernel.db import db
from portal.serving import database
from portal.serving.faults import CannotServe
from tests.support.databases import difference, dump


@pytest.fixture
def says(app: Flask) -> Iterator[Callable[[str | None], None]]:
    """Make the database say that it has another schema, for the length of the test."""
    newest = database.revisions()[1]

    def say(version: str | None) -> None:
        with db.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM alembic_version")
            if version:
                connection.exec_driver_sql(f"INSERT INTO alembic_version VALUES ('{version}')")

    yield say
    say(newest)


def test_an_old_schema_is_refused_by_a_half_alone(app: Flask, says: Callable[[str | None], None]) -> None:
    says("0001")
    with pytest.raises(CannotServe, match="portal serve"):
        database.check_up_to_date(app)


def test_what_is_up_to_date_stays_as_it_is(app: Flask, environment: dict[str, str]) -> None:
    database.bring_up_to_date(app)
    before = dump()
    database.bring_up_to_date(app)
    database.check_up_to_date(app)
    assert not difference(before, dump())
    assert not (Path(environment["PORTAL_INSTANCE"]) / "backups").exists()


def test_a_schema_that_is_half_there_fails_and_is_undone(app: Flask, says: Callable[[str | None], None]) -> None:
    """The tables are there, but the database says that nothing is: the migration fails, and leaves no trace."""
    says(None)
    before = dump()
    with pytest.raises(CannotServe, match="already exists"):
        database.bring_up_to_date(app)
    assert not difference(before, dump())
