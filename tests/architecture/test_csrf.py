"""Nothing is changed for a request that another site could have sent, whichever page it is sent to."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support import make
from tests.support.clients import HTMX, Client, filled
from tests.support.databases import difference, dump
from tests.support.pages import Page
from tests.support.world import SAFE, Target, World, build, targets

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def world(app: Flask) -> World:
    return build()


def unsafe(app: Flask, world: World) -> list[tuple[Target, str]]:
    return [(target, verb) for target in targets(app, world) for verb in sorted(target.verbs - SAFE)]


def who(target: Target) -> str:
    if target.url.startswith("/staff"):
        return "nobody" if target.endpoint in ("staff.sign_in", "staff.set_up") else "owner"
    own = ("identity.", "redemption.", "proving.", "sessions.", "passkeys.")
    return "invitee" if target.endpoint.startswith(own) else "nobody"


def typed(browser: Client, target: Target) -> dict[str, list[str]]:
    """What the form of that page would send, so that nothing but the token is amiss."""
    if "GET" not in target.verbs:
        return {}
    page = Page(browser.get(target.url))
    if not page.posts:
        return {}
    sent = filled(page.form(target.url), {})
    sent.poplist("csrf_token")
    return dict(sent.lists())


def token_for(browser: Client, target: Target) -> str:
    for url in (target.url, "/staff/" if target.url.startswith("/staff") else "/profile", "/staff/sign-in", "/sign-in"):
        if url.startswith("/staff") == target.url.startswith("/staff"):
            tokens = [form.token for form in Page(browser.get(url)).posts if form.token]
            if tokens:
                return tokens[0]
    raise AssertionError(f"no token for {target.url}")


Ask = Callable[[Client, Target, str, dict[str, list[str]]], Any]
WAYS: dict[str, tuple[int, Callable[[str, str], dict[str, str]]]] = {
    "no token": (400, lambda good, foreign: {}),
    "an empty token": (400, lambda good, foreign: {"X-CSRFToken": ""}),
    "the token of another session": (400, lambda good, foreign: {"X-CSRFToken": foreign}),
    "htmx alone": (400, lambda good, foreign: HTMX),
    "a good token from another site": (
        403,
        lambda good, foreign: {"X-CSRFToken": good, "Sec-Fetch-Site": "cross-site"},
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_refused_everywhere(
    app: Flask, world: World, sign_in_as: Callable[[str], Client], new_client: Callable[[], Client], way: str
) -> None:
    status, headers = WAYS[way]
    make.set_site(open_registration=True)
    browsers = {name: sign_in_as(name) for name in ("owner", "invitee")} | {"nobody": new_client()}
    stranger = new_client()
    foreign = {side: stranger.token(f"{side}/sign-in") for side in ("/staff", "")}
    wrong: list[str] = []
    for target, verb in unsafe(app, world):
        browser = browsers[who(target)]
        good = token_for(browser, target) if status == 403 else ""
        data = typed(browser, target)
        before = dump()
        sent = headers(good, foreign["/staff" if target.url.startswith("/staff") else ""])
        response = browser.open(target.url, method=verb, data=data, headers=sent)
        if response.status_code != status:
            wrong.append(f"{verb} {target.url}: {response.status}")
        if dump() != before:
            wrong.append(f"{verb} {target.url} changed {difference(before, dump())}")
    assert not wrong


def test_a_good_token_works_as_a_header_and_as_a_field(world: World, sign_in_as: Callable[[str], Client]) -> None:
    owner = sign_in_as("owner")
    token = owner.token("/staff/accounts/new")
    assert (
        owner.post("/staff/accounts/new", data={"name": "By header"}, headers={"X-CSRFToken": token}).status_code == 303
    )
    assert owner.post("/staff/accounts/new", data={"name": "By field", "csrf_token": token}).status_code == 303


@pytest.mark.parametrize("site", ["same-origin", "same-site", "none"])
def test_a_request_of_our_own_pages_passes(world: World, sign_in_as: Callable[[str], Client], site: str) -> None:
    owner = sign_in_as("owner")
    headers = {"Sec-Fetch-Site": site}
    assert owner.post_form("/staff/accounts/new", {"name": "Ours"}, headers=headers).status_code == 303


def test_a_stale_token_costs_nobody_what_they_typed(world: World, sign_in_as: Callable[[str], Client]) -> None:
    owner = sign_in_as("owner")
    response = owner.post("/staff/accounts/new", data={"name": "Typed for an hour", "csrf_token": "stale"})
    assert response.status_code == 400
    page = Page(response)
    form = page.form(holding={"name"})
    assert form.values["name"] == ["Typed for an hour"]
    again = owner.post("/staff/accounts/new", data=filled(form, {}))
    assert again.status_code == 303


def test_every_form_that_posts_carries_a_token(app: Flask, world: World, sign_in_as: Callable[[str], Client]) -> None:
    from tests.support.world import pages

    for persona in ("owner", "invitee", "nobody"):
        browser = sign_in_as(persona)
        bare = [
            f"{target.url} → {form.action}"
            for target in pages(app, world)
            for form in Page(browser.get(target.url)).posts
            if not form.token
        ]
        assert not bare
