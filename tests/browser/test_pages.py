"""Every page in a browser: axe finds nothing in either scheme, nothing overflows, the console stays empty."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import ViewportSize

from tests.browser.conftest import Window
from tests.support import make
from tests.support.world import World, build, targets

pytestmark = pytest.mark.sqlite_only
AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast"]
"""All that another colour scheme can break."""
NO_PAGE = (
    *("health.live", "health.ready", "outbox.body", "email_templates.body"),
    *("redemption.link", "redemption.register", "identity.data"),
)
PERSONAS = {
    "owner": lambda endpoint: _is_staff(endpoint),
    "invitee": lambda endpoint: endpoint.startswith(("identity.", "redemption.welcome")),
    "nobody": lambda endpoint: not _is_staff(endpoint) or endpoint in ("staff.sign_in", "staff.set_up"),
}
DESK, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)


def _is_staff(endpoint: str) -> bool:
    return endpoint.partition(".")[0] not in ("redemption", "sign_in", "identity", "health", "template_tests")


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


def enter(window: Window, persona: str) -> World:
    world = build()
    if persona == "owner":
        window.sign_in(make.make_staff("owner", name="Olga Persona"))
    elif persona == "invitee":
        window.sign_in(make.make_contact("In", "Vitee", "in@example.org", username="invitee", verified=True))
    else:
        window.open(f"/i/{world.tokens['redemption.link']}")
    return world


def wear(window: Window, scheme: str) -> None:
    """Show the page in that scheme, and wait until every colour has arrived."""
    window.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    window.page.wait_for_function("scheme => document.documentElement.dataset.bsTheme === scheme", arg=scheme)
    window.page.evaluate(
        """async () => {
          await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))
          await Promise.allSettled(document.getAnimations().map(animation => animation.finished))
        }"""
    )


def broken_rules(window: Window, rules: list[str]) -> list[str]:
    found: dict[str, Any] = window.page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", rules
    )
    return [f"{v['id']}: {v['help']} {[node['target'] for node in v['nodes']][:3]}" for v in found["violations"]]


def lasting(look: Callable[[], list[str]], within: float = 3) -> list[str]:
    """What is still wrong once the browser has had time to repaint: inherited colours follow a new scheme late."""
    until = time.monotonic() + within
    while (found := look()) and time.monotonic() < until:
        pass
    return found


@pytest.mark.parametrize("persona", [pytest.param(p, marks=pytest.mark.long) if p == "owner" else p for p in PERSONAS])
@pytest.mark.parametrize(
    ("scheme", "rules"),
    [("light", RULES), pytest.param("dark", COLOURS, marks=pytest.mark.long)],
    ids=["light", "dark"],
)
def test_every_page_is_sound(
    app: Flask, visit: Callable[..., Window], persona: str, scheme: str, rules: list[str]
) -> None:
    """By axe, at 390 pixels for overflow, and without a request to anybody else."""
    window = visit()
    axe, asked = AXE.read_text(encoding="utf-8"), set()
    window.page.on("request", lambda request: asked.add(request.url))
    world = enter(window, persona)
    wrong: dict[str, object] = {}
    for url in addresses(app, world, persona):
        page = window.open(url)
        page.evaluate(axe)
        wear(window, scheme)
        if found := lasting(lambda: broken_rules(window, rules)):
            wrong[url] = found
        page.set_viewport_size(PHONE)
        if wider := too_wide(window):
            wrong[f"{url} on a phone"] = wider
        page.set_viewport_size(DESK)
    assert not wrong
    assert not {url for url in asked if not url.startswith((window.site.url, "data:"))}


def test_long_words_do_not_widen_a_phone(app: Flask, visit: Callable[..., Window]) -> None:
    window = visit()
    world = build(lambda label: (label.replace(" ", "") + "W" * 90)[:90])
    window.sign_in(make.make_staff("owner", name="W" * 100))
    window.page.set_viewport_size(PHONE)
    wide = {}
    for url in addresses(app, world, "owner"):
        window.open(url)
        if wider := too_wide(window):
            wide[url] = wider
    assert not wide


def too_wide(window: Window) -> list[str]:
    """The elements that stick out on the right of a page that can be scrolled sideways."""
    found: list[str] = window.page.evaluate(
        """() => {
          const width = document.documentElement.clientWidth
          if (document.scrollingElement.scrollWidth <= width) return []
          const wide = [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > width + 1)
          return wide.filter(e => !wide.some(other => e !== other && e.contains(other))).slice(0, 3)
            .map(e => e.tagName + "." + e.className + ": " + e.textContent.trim().slice(0, 40))
        }"""
    )
    return found
