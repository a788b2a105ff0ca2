"""Every page in a browser: axe finds nothing in either scheme, nothing overflows, the console stays empty."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.browser.conftest import Window
from tests.support import make
from tests.support.world import World, build, targets

pytestmark = pytest.mark.sqlite_only
AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NO_PAGE = ("health.live", "health.ready", "outbox.body", "redemption.link", "redemption.register")
PERSONAS = {
    "owner": lambda endpoint: _is_staff(endpoint),
    "invitee": lambda endpoint: endpoint.startswith(("identity.", "redemption.welcome")),
    "nobody": lambda endpoint: not _is_staff(endpoint) or endpoint in ("staff.sign_in", "staff.set_up"),
}
DARK_AND_LIGHT = pytest.mark.parametrize("scheme", ["light", "dark"])


def _is_staff(endpoint: str) -> bool:
    return endpoint.partition(".")[0] not in ("redemption", "sign_in", "identity", "health")


def addresses(app: Flask, world: World, persona: str) -> list[str]:
    """The pages a persona can look at, a fragment's address left out."""
    found = []
    for target in targets(app, world):
        mine = PERSONAS[persona](target.endpoint)
        if "GET" in target.verbs and mine and target.endpoint not in NO_PAGE and "/options" not in target.rule:
            found.append(target.url)
    extra = {
        "owner": ["/staff/invitations/?view=new", "/staff/invitations/?view=completed", "/staff/nowhere"],
        "invitee": ["/nowhere"],
        "nobody": ["/nowhere", "/redeem/review"],
    }
    return found + extra[persona]


def enter(app: Flask, window: Window, persona: str) -> World:
    world = build()
    if persona == "owner":
        window.sign_in(make.make_staff("owner", name="Olga Persona"))
    elif persona == "invitee":
        window.sign_in(make.make_contact("In", "Vitee", "in@example.org", username="invitee", verified=True))
    else:
        window.open(f"/i/{world.tokens['redemption.link']}")
    return world


def broken_rules(window: Window) -> list[str]:
    page = window.page
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES
    )
    return [f"{v['id']}: {v['help']} {[node['target'] for node in v['nodes']][:3]}" for v in found["violations"]]


@DARK_AND_LIGHT
@pytest.mark.parametrize("persona", PERSONAS)
def test_axe_finds_nothing(app: Flask, visit: Callable[..., Window], persona: str, scheme: str) -> None:
    window = visit(scheme=scheme)
    world = enter(app, window, persona)
    wrong: dict[str, list[str]] = {}
    for url in addresses(app, world, persona):
        window.open(url)
        found = broken_rules(window)
        if found:
            wrong[url] = found
    assert not wrong


@pytest.mark.parametrize("persona", PERSONAS)
def test_nothing_is_wider_than_a_phone(app: Flask, visit: Callable[..., Window], persona: str) -> None:
    window = visit(width=390, height=844)
    world = enter(app, window, persona)
    wide: dict[str, int] = {}
    for url in addresses(app, world, persona):
        width = window.open(url).evaluate("document.scrollingElement.scrollWidth")
        if width > 390:
            wide[url] = width
    assert not wide


def test_long_words_do_not_widen_a_phone(app: Flask, visit: Callable[..., Window]) -> None:
    window = visit(width=390, height=844)
    world = build(lambda label: (label.replace(" ", "") + "W" * 90)[:90])
    window.sign_in(make.make_staff("owner", name="W" * 100))
    wide: dict[str, int] = {}
    for url in addresses(app, world, "owner"):
        width = window.open(url).evaluate("document.scrollingElement.scrollWidth")
        if width > 390:
            wide[url] = width
    assert not wide


def test_no_page_asks_another_host(app: Flask, visit: Callable[..., Window]) -> None:
    window = visit()
    asked: set[str] = set()
    window.page.on("request", lambda request: asked.add(request.url))
    for persona in ("nobody", "owner"):
        world = enter(app, window, persona) if persona == "nobody" else world  # noqa: F821
        if persona == "owner":
            window.sign_in(make.make_staff("owner"))
        for url in addresses(app, world, persona):
            window.open(url)
    assert not {url for url in asked if not url.startswith((window.site.url, "data:", "blob:", "about:"))}
