"""What docs/workflows.md shows works: the check of a signature, the example package, the table of steps."""

import importlib.util
import re
import time
import tomllib
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask

from portal.jobs.queue import WAITS
from portal.journal import queries as journal
from portal.workflows import steps
from portal.workflows.steps import functions
from portal.workflows.steps.webhook import signature
from tests.support import make
from tests.support.clock import FrozenClock
from tests.workflows import ways

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "workflows.md").read_text(encoding="utf-8")
PACKAGE = DOCS / "examples" / "portal-step"


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example package, as if it were installed."""
    spec = importlib.util.spec_from_file_location("portal_step", PACKAGE / "portal_step.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = project["entry-points"][functions.GROUP]
    found = {name: getattr(module, target.partition(":")[2]) for name, target in points.items()}
    monkeypatch.setattr(functions, "registered", lambda: found)
    return module


def function(name: str, argument: str = "") -> dict[str, str]:
    return {"type": "function", "function": name, "argument": argument}


def test_the_shown_check_accepts_ours_and_refuses_others() -> None:
    code = re.search(r"```python\n(import hashlib.*?)```", PAGE, re.S)
    assert code
    shown: dict[str, Any] = {}
    exec(code[1], shown)  # noqa: S102  (our own page)
    is_genuine, body, now = shown["is_genuine"], b'{"run": 1}', str(int(time.time()))
    headers = {
        "X-Portal-Timestamp": now,
        "X-Portal-Delivery": "abc",
        "X-Portal-Signature": signature("secret", now, "abc", body),
    }
    assert is_genuine("secret", headers, body)
    assert not is_genuine("other", headers, body)
    assert not is_genuine("secret", headers, body + b" ")
    assert not is_genuine("secret", {**headers, "X-Portal-Delivery": "abd"}, body)
    old = str(int(now) - 400)
    stale = {**headers, "X-Portal-Timestamp": old, "X-Portal-Signature": signature("secret", old, "abc", body)}
    assert not is_genuine("secret", stale, body)


def test_each_type_of_step_is_described(app: Flask) -> None:
    table = PAGE.partition("## Steps")[2].partition("## Runs")[0]
    assert not [kind.name for kind in steps.types.values() if str(kind.label).lower() not in table.lower()]
    told = [int(one) for one in re.findall(r"[0-9]+", PAGE.partition("tried again after ")[2].partition(" minutes")[0])]
    assert [timedelta(minutes=one) for one in told] == list(WAITS)


def test_the_example_runs(app: Flask, example: ModuleType, frozen_clock: FrozenClock) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@example.org")
    steps_given = function("only-weekdays"), function("member-number", "M")
    run_id = ways.started(ways.defined(*steps_given), anna)  # a Friday
    ways.work()
    assert [row.result for row in ways.results(run_id)] == [
        "It is a weekday; went on at once.",
        f"Gave the member number M-{anna.id:06}.",
    ]
    assert f"Member number M-{anna.id:06}" in [line.text for line in journal.timeline("contact", anna.id)]
    frozen_clock.move(days=1)
    run_id = ways.started(ways.defined(*steps_given, name="Later"), anna)
    ways.work()
    assert ways.run(run_id).state == "waiting"
    frozen_clock.move(days=2)
    ways.work()
    assert ways.run(run_id).state == "done"


def test_the_example_says_what_is_wrong(app: Flask, example: ModuleType) -> None:
    run_id = ways.started(ways.defined(function("member-number", "!")), make.make_contact())
    ways.work()
    assert "Type letters or digits" in ways.run(run_id).error


def test_the_builder_offers_the_example(sign_in_as: Any, example: ModuleType) -> None:
    owner = sign_in_as("owner")
    workflow_id = ways.defined({"type": "note", "text": "One."})
    page = owner.follow(owner.post_form(f"/staff/workflows/{workflow_id}/edit", press="Run a function"))
    assert "Give a member number (member-number)" in page.text
