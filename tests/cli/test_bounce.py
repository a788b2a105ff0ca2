"""`portal mail bounce`, as a mail server's pipe calls it."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from flask import Flask

from portal.kernel import clock
from portal.mail import outbox, reports
from tests.mail import dsn
from tests.mail.dsn import Returned
from tests.support import make
from tests.support.live import ROOT
from tests.support.post import message

pytestmark = pytest.mark.sqlite_only
Environment = Callable[..., dict[str, str]]


@pytest.fixture
def pipe(app: Flask, live_environment: Environment) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    def run(raw: bytes, **more: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "portal.cli", "mail", "bounce"]
        return subprocess.run(
            command, input=raw, env=live_environment(**more), cwd=ROOT, capture_output=True, timeout=60, check=False
        )

    return run


@pytest.fixture
def sent(app: Flask) -> tuple[int, Returned]:
    contact = make.make_contact(email1="anna@example.net")
    one = make.make_message(
        "welcome",
        contact=contact,
        state="sent",
        sent_at=clock.now(),
        to_address="anna@example.net",
        message_id="AbCdEfGhIjKlMnOp@portal.example",
    )
    return one.id, Returned("bounces@portal.example", "anna@example.net", outbox.message_id(one))


def test_it_marks_the_message_and_answers_0(
    pipe: Callable[..., subprocess.CompletedProcess[bytes]], sent: tuple[int, Returned]
) -> None:
    number, mail = sent
    done = pipe(dsn.postfix(mail))
    assert (done.returncode, done.stdout.decode().strip()) == (0, f"Message {number} did not arrive.")
    assert message(number).state == "failed"


@pytest.mark.parametrize(
    "raw", [b"", b"Subject: hello\r\n\r\nhi", b"\xff\x00\xfe" * 999], ids=["none", "mail", "bytes"]
)
def test_what_is_no_report_is_ignored_with_0(
    pipe: Callable[..., subprocess.CompletedProcess[bytes]], sent: tuple[int, Returned], raw: bytes
) -> None:
    done = pipe(raw)
    assert done.returncode == 0
    assert done.stdout.startswith(b"Ignored")
    assert message(sent[0]).state == "sent"


def test_ten_megabytes_are_the_limit(
    pipe: Callable[..., subprocess.CompletedProcess[bytes]], sent: tuple[int, Returned]
) -> None:
    done = pipe(dsn.postfix(sent[1]) + b"x" * reports.LONGEST)
    assert (done.returncode, done.stdout.decode().strip()) == (0, "Ignored: longer than 10 MB.")
    assert message(sent[0]).state == "sent"
    assert pipe(dsn.postfix(sent[1]) + b"x\r\n" * 2_000_000).returncode == 0
    assert message(sent[0]).state == "failed"


def test_a_database_that_is_away_makes_the_mail_server_try_later(
    pipe: Callable[..., subprocess.CompletedProcess[bytes]], sent: tuple[int, Returned]
) -> None:
    done = pipe(dsn.postfix(sent[1]), PORTAL_DATABASE_URL="sqlite:////nowhere/at/all.db")
    assert done.returncode == 75


def test_a_return_path_must_be_a_short_plain_address(pipe: Callable[..., subprocess.CompletedProcess[bytes]]) -> None:
    for wrong in ("bounces", "a b@example.org", f"{'b' * 31}@example.org", "bounces+x@example.org", "b@example.org>"):
        done = pipe(b"", PORTAL_MAIL_RETURN_PATH=wrong)
        assert done.returncode == 1
        assert b"PORTAL_MAIL_RETURN_PATH: must look like" in done.stderr
