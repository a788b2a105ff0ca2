"""The commands: what they refuse, in one line each, and what they do."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.live import BIN, ROOT, Process, free_port

Run = Callable[..., subprocess.CompletedProcess[str]]
PORTAL = str(BIN / "portal")


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    return tmp_path / "instance"


@pytest.fixture
def bare(instance: Path) -> Callable[..., dict[str, str]]:
    """The environment of somebody who set nothing but where the data is."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    return lambda **more: {**ours, "PORTAL_INSTANCE": str(instance), **more}


@pytest.fixture
def run(bare: Callable[..., dict[str, str]]) -> Run:
    def start(*arguments: str, input: str = "", within: float = 60, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PORTAL, *arguments],
            cwd="/",
            env=bare(**more),
            input=input,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )

    return start


def plain(text: str) -> list[str]:
    """The lines for people, without the log."""
    return [line for line in text.splitlines() if line and not line.startswith("{")]


def test_without_keys_it_refuses_in_one_line_per_fault(run: Run, instance: Path) -> None:
    done = run("doctor", PORTAL_BASE_URL="http://portal.example.org", PORTAL_TIMEZONE="Mars/Base")
    assert done.returncode == 1
    assert [line.partition(":")[0] for line in plain(done.stderr)] == [
        "PORTAL_SECRET_KEY",
        "PORTAL_KEYS",
        "PORTAL_BASE_URL",
        "PORTAL_TIMEZONE",
    ]
    assert not instance.exists()


@pytest.mark.parametrize("command", [["web"], ["worker"]])
def test_a_half_alone_does_not_migrate(run: Run, instance: Path, command: list[str]) -> None:
    key = "0123456789abcdefghij0123456789abcdefghijZZ"
    keys = '{"current": "k", "keys": {"k": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}}'
    instance.mkdir()
    done = run(*command, PORTAL_SECRET_KEY=key, PORTAL_KEYS=keys)
    assert done.returncode == 1
    assert "portal serve" in plain(done.stderr)[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["staff", "add"], 2, "Missing argument"),
        (["staff", "add", "a@example.org", "--name", "A", "--role", "king"], 2, "king"),
        (["staff", "add", "no address", "--name", "A", "--role", "owner"], 1, "e-mail address"),
        (["staff", "add", "a@example.org,b@example.org", "--name", "A", "--role", "owner"], 1, "e-mail address"),
        (["staff", "add", "a@example.org", "--name", " ", "--role", "owner"], 1, "NAME"),
        (["staff", "add", "a@example.org", "--name", "A\x0bB", "--role", "owner"], 1, "NAME"),
        (["demo", "load", "--invitations", "-1"], 2, "-1"),
        (["serve", "--port", "0"], 2, "0"),
        (["fly"], 2, "No such command"),
    ],
)
def test_wrong_use_is_told(run: Run, arguments: list[str], code: int, words: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_somebody_who_is_shut_out_is_let_in_again_with_a_link(run: Run) -> None:
    assert run("staff", "add", "--role", "owner", "--name", "Olga Owner", "olga@example.org").returncode == 0
    link = run("staff", "link", "Olga@Example.org", "--reset-second-factor")
    assert link.returncode == 0, link.stderr
    assert re.search(r"^http://127\.0\.0\.1:5000/staff/set-up/[\w-]{43}$", link.stdout, re.M)
    nobody = run("staff", "link", "nobody@example.org")
    assert (nobody.returncode, len(plain(nobody.stderr))) == (1, 1)


def test_staff_are_added_with_a_link_or_with_a_password(run: Run) -> None:
    add = ["staff", "add", "--role", "owner", "--name", "Olga Owner"]
    link = run(*add, "olga@example.org")
    assert link.returncode == 0
    assert re.search(r"^http://127\.0\.0\.1:5000/staff/set-up/[\w-]{43}$", link.stdout, re.M)
    again = run(*add, "OLGA@example.org")
    assert (again.returncode, len(plain(again.stderr))) == (1, 1)
    weak = run(*add, "otto@example.org", "--password-stdin", input="short\n")
    assert (weak.returncode, "15" in weak.stderr) == (1, True)
    good = run(*add, "otto@example.org", "--password-stdin", input="green lamps over quiet water\n")
    assert good.returncode == 0
    assert "/staff/set-up/" not in good.stdout
    sound = run("doctor")
    assert sound.returncode == 0, sound.stdout
    assert [line.split()[1].rstrip(":") for line in sound.stdout.splitlines()] == [
        "configuration",
        "database",
        "migrations",
        "queue",
        "mail",
    ]
    assert run("db", "check").returncode == 0


def test_the_doctor_tells_a_fault(run: Run) -> None:
    run("staff", "add", "a@example.org", "--name", "A", "--role", "owner")
    port = free_port()
    done = run("doctor", PORTAL_MAIL_URL=f"smtp://127.0.0.1:{port}")
    assert done.returncode == 1
    assert re.search(r"^FAULT  mail: .*refused", done.stdout, re.M)


class Serving(Process):
    """`portal serve`, ready."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.port = free_port()
        super().__init__([PORTAL, "serve", "--port", str(self.port)], environment, log)
        self.until(lambda: "Ctrl-C" in self.log)

    def until(self, holds: Callable[[], bool], within: float = 60) -> None:
        deadline = time.monotonic() + within
        while not holds():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)


@pytest.fixture
def serving(bare: Callable[..., dict[str, str]], tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    started: list[Serving] = []

    def start(**more: str) -> Serving:
        started.append(Serving(bare(**more), tmp_path / "serve.log"))
        return started[-1]

    yield start
    for process in started:
        process.stop(45)


def children(pid: int) -> dict[str, int]:
    """The children of a process by the command they run."""
    found: dict[str, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            words = stat.with_name("cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid and b"portal.cli" in words:
            found[words[words.index(b"portal.cli") + 1].decode()] = int(stat.parent.name)
    return found


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_serve_starts_everything_from_nothing_and_stops_it(serving: Callable[..., Serving], instance: Path) -> None:
    portal = serving()
    url = f"http://127.0.0.1:{portal.port}"
    assert f"{url}/staff/set-up/" in portal.log, "links follow the port"
    portal.until(lambda: "worker.started" in portal.log)
    with urlopen(f"{url}/health/ready") as answer:
        assert answer.status == 200
        assert "Server" not in answer.headers
    for name in ("secret-key", "keys.json", "portal.db"):
        assert (instance / name).stat().st_mode & 0o077 == 0, name
    processes = children(portal.pid)
    assert set(processes) == {"web", "worker"}

    os.kill(processes["worker"], signal.SIGKILL)
    portal.until(lambda: children(portal.pid).get("worker") not in (None, processes["worker"]))
    processes = children(portal.pid)

    assert portal.stop(45) in (0, -signal.SIGTERM)
    assert all(gone(pid) for pid in processes.values())


def test_a_killed_serve_leaves_nothing_running(serving: Callable[..., Serving]) -> None:
    portal = serving()
    processes = children(portal.pid)
    os.kill(portal.pid, signal.SIGKILL)
    portal.process.wait()
    deadline = time.monotonic() + 40
    while not all(gone(pid) for pid in processes.values()):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_taken_port_is_told(serving: Callable[..., Serving], run: Run) -> None:
    portal = serving()
    done = run("serve", "--port", str(portal.port))
    assert done.returncode == 1
    assert plain(done.stderr) == [f"cannot listen on 127.0.0.1:{portal.port}: Address already in use"]


def test_the_commands_are_flasks_too(bare: Callable[..., dict[str, str]], run: Run) -> None:
    assert run("staff", "add", "a@example.org", "--name", "A", "--role", "owner").returncode == 0
    command = [str(BIN / "flask"), "--app", "wsgi", "doctor"]
    done = subprocess.run(command, cwd=ROOT, env=bare(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.count("ok ")) == (0, 5)
