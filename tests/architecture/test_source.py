"""House rules about the source that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PORTAL = ROOT / "portal"
SOURCES = sorted(PORTAL.rglob("*.py"))
GENERATED = PORTAL / "migrations" / "versions"
LONGEST_FILE = 300
UNNAMED = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "core"}
RULES = {"models", "queries", "messages", "services", "status", "kernel"}
CLOCK = re.compile(r"^(datetime\.(datetime\.)?(now|utcnow|today)|date\.today|time\.time|time\.time_ns)$")
RANDOM = re.compile(r"^(random\.|secrets\.|uuid\.|os\.urandom)")
MAY_BE_RANDOM = (
    "portal/kernel/codes.py",
    "portal/kernel/secrets_.py",
    "portal/web/logs.py",
    "portal/jobs/",
    "portal/demo",
)
MAY_CATCH_ALL = {
    "portal/jobs/worker.py",
    "portal/jobs/runner.py",
    "portal/mail/letters.py",
    "portal/web/errors.py",
    "portal/workflows/steps/functions.py",  # loads the code of others
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func)


def test_no_file_is_longer_than_a_reader_holds() -> None:
    lengths = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    too_long = {file: lines for file, lines in lengths.items() if lines > LONGEST_FILE}
    too_long.pop("portal/migrations/versions/0001_initial.py", None)
    assert not too_long


def test_every_file_has_a_subject() -> None:
    assert not [name(path) for path in SOURCES if path.stem in UNNAMED]


def test_every_module_says_in_one_sentence_what_it_is_for() -> None:
    modules = [path for path in SOURCES if GENERATED not in path.parents]
    assert not [name(path) for path in modules if not ast.get_docstring(tree(path))]


def test_only_transaction_commits() -> None:
    found = [
        f"{name(path)}:{line}"
        for path in SOURCES
        for line, called in calls(path)
        if called.endswith(".commit") and name(path) not in ("portal/kernel/db.py", "portal/migrations/env.py")
    ]
    assert not found, "commit() belongs in portal/kernel/db.py only"


def test_time_enters_through_the_clock_only() -> None:
    found = [
        f"{name(path)}:{line} {called}"
        for path in SOURCES
        for line, called in calls(path)
        if CLOCK.match(called) and name(path) != "portal/kernel/clock.py" and GENERATED not in path.parents
    ]
    assert not found, "ask portal.kernel.clock"


def test_chance_enters_through_the_kernel_only() -> None:
    found = [
        f"{name(path)}:{line} {called}"
        for path in SOURCES
        for line, called in calls(path)
        if RANDOM.match(called) and not name(path).startswith(MAY_BE_RANDOM)
    ]
    assert not found


def test_nothing_draws_secrets_from_the_predictable_generator() -> None:
    found = [name(path) for path in SOURCES if re.search(r"^\s*(import random|from random)", path.read_text(), re.M)]
    assert all(file.startswith(("portal/demo", "portal/jobs/")) for file in found), found


def test_everything_is_caught_in_two_places_only() -> None:
    found = [
        f"{name(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or dotted(node.type) in ("Exception", "BaseException"))
        and not any(isinstance(inner, ast.Raise) and inner.exc is None for inner in ast.walk(node))
        and name(path) not in MAY_CATCH_ALL
    ]
    assert not found, "name the exception; only the worker's loop and the error handler catch all"


def rule_modules() -> list[Path]:
    return [
        path for path in SOURCES if RULES & {path.stem, *path.relative_to(PORTAL).parts[:-1]} and path.parent != PORTAL
    ]


@pytest.mark.parametrize("path", rule_modules(), ids=name)
def test_rules_know_no_request(path: Path) -> None:
    forbidden = {"request", "session", "flash", "redirect", "render_template", "abort", "make_response"}
    imported = {
        alias.name
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.module == "flask"
        for alias in node.names
    }
    assert not imported & forbidden


def test_no_service_sends_mail_at_once() -> None:
    """Mail is written to the outbox; there is no synchronous way of sending it."""
    delivering = [
        name(path)
        for path in SOURCES
        if re.search(r"smtplib|flask_mail|mail\.delivery|mail import delivery", path.read_text(encoding="utf-8"))
    ]
    allowed = (
        "portal/mail/delivery",
        "portal/mail/transport",
        "portal/mail/handlers",
        "portal/jobs/",
        "portal/serving/working",
        "portal/demo/story",
        "portal/composition",
        "portal/cli",
    )
    assert all(file.startswith(allowed) for file in delivering), delivering


def test_lock_files_name_no_registry() -> None:
    for lock in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / lock).read_text(encoding="utf-8")
        assert not re.search(r"https?://", text), lock
        pinned = re.findall(r"^([A-Za-z0-9._-]+(?:\[[^\]]*\])?)(==)?", text, re.M)
        assert all(pin for _, pin in pinned), f"{lock}: every line is pinned"
        assert text.count("--hash=sha256:") >= len(pinned)
    assert not (ROOT / "uv.lock").exists() or "uv.lock" in (ROOT / ".gitignore").read_text(encoding="utf-8")
