"""Looking changes nothing: GET and HEAD on every page, by everybody, leave every table as it was."""

from collections.abc import Callable

import pytest
from flask import Flask

from portal.kernel.db import db
from tests.conftest import PERSONAS
from tests.support.clients import HTMX, Client
from tests.support.databases import difference, dump
from tests.support.world import REMEMBERING, Target, World, build, pages

SHORT, FULL = 1, 20
NOTHING: frozenset[str] = frozenset()


@pytest.fixture
def world(app: Flask) -> World:
    return build()


def look(browser: Client, target: Target, times: int) -> list[int]:
    """Every way of asking without changing, for the page and for its fragment."""
    ways = (("GET", None), ("HEAD", None), ("GET", HTMX))
    return [browser.open(target.url, method=m, headers=h).status_code for _ in range(times) for m, h in ways]


def who_changed(app: Flask, world: World, browser: Client) -> dict[str, object]:
    """Ask once more, page by page, to name the page that changes something."""
    guilty: dict[str, object] = {}
    for target in pages(app, world):
        before = dump()
        look(browser, target, 1)
        after = dump()
        if after != before:
            guilty[target.url] = difference(before, after)
    return guilty


def walk(app: Flask, world: World, browser: Client, times: int) -> list[str]:
    failures = []
    for target in pages(app, world):
        found = [status for status in look(browser, target, times) if status >= 500]
        if found and not target.url.startswith("/health/ready"):
            failures.append(f"{target.url}: {found[0]}")
    return failures


@pytest.mark.parametrize("persona", PERSONAS)
@pytest.mark.sqlite_only
def test_looking_changes_nothing(app: Flask, world: World, sign_in_as: Callable[[str], Client], persona: str) -> None:
    browser = sign_in_as(persona)
    before = dump()
    assert not walk(app, world, browser, SHORT)
    assert dump() == before, who_changed(app, world, browser)


@pytest.mark.long
@pytest.mark.parametrize("persona", PERSONAS)
def test_looking_twenty_times_changes_nothing(
    app: Flask, world: World, sign_in_as: Callable[[str], Client], persona: str
) -> None:
    browser = sign_in_as(persona)
    before = dump()
    assert not walk(app, world, browser, FULL)
    assert dump() == before, who_changed(app, world, browser)


def test_a_visitor_who_looks_leaves_no_row_at_all(app: Flask, world: World, new_client: Callable[[], Client]) -> None:
    """Not even a session; but for those who come with a link or a code, which a session has to keep."""
    browser = new_client()
    before = dump(without=NOTHING)
    for target in pages(app, world):
        if target.endpoint not in REMEMBERING:
            look(new_client(), target, 1)
            look(browser, target, 1)
            after = dump(without=NOTHING)
            assert after == before, (target.url, difference(before, after))


def test_a_mail_scanner_uses_nothing_up(app: Flask, world: World, new_client: Callable[[], Client]) -> None:
    """Twenty GET, HEAD and OPTIONS, then an empty POST with a good token: the link still stands, nothing is counted."""
    scanner = new_client()
    link = f"/i/{world.tokens['redemption.link']}"
    before = dump()
    for method in ("GET", "HEAD", "OPTIONS") * 20:
        assert scanner.open(link, method=method).status_code in (200, 303)
    review = scanner.page("/redeem/review")
    for form in review.posts:
        scanner.post(form.action or "/redeem/review", data={"csrf_token": form.token})
    assert dump() == before
    assert new_client().get(link).status_code == 303


@pytest.mark.sqlite_only
def test_no_question_is_asked_twice_for_each_row(
    app: Flask, world: World, sign_in_as: Callable[[str], Client], statements: Callable[[], object]
) -> None:
    """A page costs at most twelve statements, whatever it shows."""
    browser = sign_in_as("owner")
    costs: dict[str, int] = {}
    for target in pages(app, world):
        with statements() as sent:  # type: ignore[attr-defined]
            browser.get(target.url)
        costs[target.url] = len(sent)
    assert not {url: count for url, count in costs.items() if count > 12}


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "query", ["?after=%00&q=%00", "?q=%FF%FE", "?q=" + "x" * 5000, "?view[]=1&sort=;drop", "?after=-1"]
)
def test_a_strange_query_is_no_failure(
    app: Flask, world: World, sign_in_as: Callable[[str], Client], query: str
) -> None:
    browser = sign_in_as("owner")
    bare = {target.url.partition("?")[0]: target for target in pages(app, world)}
    answers = {url: browser.get(url + query).status_code for url in bare if not url.startswith("/health")}
    assert not {url: status for url, status in answers.items() if status >= 500}
    assert db.session.connection()
