"""Starting on a database that cannot be used, that is old, or that others start on at the same moment."""

import ctypes
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.live import BIN, ROOT

ADD = ["staff", "add", "--name", "Olga Owner", "--role", "owner"]
Run = Callable[..., subprocess.CompletedProcess[str]]
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2


def humble() -> None:
    """File permissions hold for root too in the program that follows."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "instance"
    made.mkdir()
    yield made
    made.chmod(0o700)


@pytest.fixture
def environment_of(folder: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    return {**ours, "PORTAL_INSTANCE": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def run(environment_of: dict[str, str]) -> Run:
    def start(*arguments: str, humbly: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(BIN / "portal"), *arguments],
            env={**environment_of, **more},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=humble if humbly else None,
        )

    return start


def words(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if not line.startswith("{")]


def test_a_database_that_cannot_be_written_is_told_at_once(run: Run, folder: Path) -> None:
    assert run(*ADD, "a@example.org").returncode == 0
    (folder / "portal.db").chmod(0o444)
    began = time.monotonic()
    done = run("serve", "--port", "48999", humbly=True)
    assert done.returncode == 1
    assert time.monotonic() - began < 15, "5 s on a machine that does nothing else"
    [line] = words(done)
    assert line.startswith("PORTAL_DATABASE_URL:")
    assert "readonly" in line


def test_an_instance_that_cannot_be_written_is_told(run: Run, folder: Path) -> None:
    folder.chmod(0o555)
    done = run("serve", "--port", "48999", humbly=True)
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in words(done)] == ["PORTAL_INSTANCE"]


def test_a_file_that_is_no_database_is_told(run: Run, folder: Path) -> None:
    (folder / "portal.db").write_bytes(b"this is a shopping list, not a database " * 100)
    done = run("serve", "--port", "48999")
    assert done.returncode == 1
    [line] = words(done)
    assert "not a database" in line


def test_a_folder_in_place_of_the_database_is_told(run: Run, folder: Path) -> None:
    (folder / "portal.db").mkdir()
    done = run("serve", "--port", "48999")
    assert (done.returncode, len(words(done))) == (1, 1)


def test_a_server_that_is_not_there_is_told_without_its_password(run: Run) -> None:
    url = "postgresql+psycopg://portal:hunter2@127.0.0.1:9/portal"
    done = run("serve", "--port", "48999", PORTAL_DATABASE_URL=url)
    assert (done.returncode, len(words(done))) == (1, 1)
    assert "hunter2" not in done.stderr


def test_a_missing_key_is_told(run: Run, folder: Path) -> None:
    assert run(*ADD, "a@example.org").returncode == 0
    (folder / "keys.json").unlink()
    done = run("serve", "--port", "48999")
    assert (done.returncode, len(words(done))) == (1, 1)
    assert "PORTAL_KEYS" in words(done)[0]


def test_of_four_that_start_at_once_one_migrates(folder: Path, environment_of: dict[str, str], run: Run) -> None:
    # The keys are there already: this is about the database.
    assert run(*ADD, "a@example.org").returncode == 0
    (folder / "portal.db").unlink()
    command = [str(BIN / "portal"), *ADD]
    started = [
        subprocess.Popen([*command, f"p{n}@example.org"], env=environment_of, stderr=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    logs = [process.communicate(timeout=120)[1] for process in started]
    assert [process.returncode for process in started] == [0] * 4, "\n".join(logs)
    events = [json.loads(line)["event"] for log in logs for line in log.splitlines() if line.startswith("{")]
    assert events.count("database.migrated") == 1


OLD = """
import sys
from portal.config import load
from portal.app import create_app
from flask_migrate import upgrade
app = create_app(load(make_secrets=True))
with app.app_context():
    upgrade(revision="0001")
"""
KILLED = """
import os, signal
from sqlalchemy import Engine, event
from portal.config import load
from portal.app import create_app
from portal.serving.database import bring_up_to_date
app = create_app(load())
@event.listens_for(Engine, "before_cursor_execute")
def _(connection, cursor, statement, *more):
    if statement.startswith("INSERT INTO workflow"):
        os.kill(os.getpid(), signal.SIGKILL)
bring_up_to_date(app)
"""


def python(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_migration_that_is_killed_leaves_nothing_half_done(
    folder: Path, environment_of: dict[str, str], run: Run
) -> None:
    assert python(OLD, environment_of).returncode == 0
    database = folder / "portal.db"
    killed = python(KILLED, environment_of)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert query(database, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert query(database, "SELECT count(*) FROM web_role") == [(0,)]
    [copy] = (folder / "backups").glob("*.db")
    assert query(copy, "SELECT version_num FROM alembic_version") == [("0001",)]
    assert run(*ADD, "a@example.org").returncode == 0
    assert query(database, "SELECT count(*) FROM workflow") == [(3,)]
    assert query(database, "PRAGMA foreign_key_check") == []
    assert query(database, "PRAGMA integrity_check") == [("ok",)]


def test_a_database_of_a_newer_version_is_left_alone(run: Run, folder: Path) -> None:
    assert run(*ADD, "a@example.org").returncode == 0
    connection = sqlite3.connect(folder / "portal.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    done = run("serve", "--port", "48999")
    assert done.returncode == 1
    assert "newer version" in words(done)[0]
