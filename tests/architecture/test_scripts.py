"""Whatever stands in a text field is shown as text: no element, attribute or address comes out of it."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.support import make
from tests.support.clients import HTMX, Client
from tests.support.pages import Element, Page
from tests.support.world import build, targets

pytestmark = pytest.mark.sqlite_only
PAYLOADS = {
    "script": "<script>pwned()</script>",
    "image": "<img src=x onerror=pwned()>",
    "attribute": '" onfocus="pwned()" autofocus="',
    "single-quoted": "' onfocus='pwned()' x='",
    "svg": "<svg/onload=pwned()>",
    "title": "</title><script>pwned()</script>",
    "textarea": "</textarea><script>pwned()</script>",
    "jinja": "{{ 7*7 }}{% raw %}<b>pwned</b>",
    "htmx": '"><div hx-get="/pwned" hx-trigger="load"></div>',
    "data-htmx": "<i data-hx-on:load=pwned()>",
    "json": '</script>"}\'> <a href="javascript:pwned()">x</a>',
    "encoded": "&lt;b&gt;<iframe srcdoc=pwned>",
}
NEVER = ("iframe", "object", "embed", "base", "i")


def injected(page: Page) -> list[str]:
    """Everything on the page that only a payload can have brought."""
    found = []
    for element in page.root.walk():
        found += [
            f"{element.tag} {n}={v}" for n, v in element.attrs.items() if n.startswith(("on", "data-hx", "hx-on"))
        ]
        if element.tag in NEVER and "data-testid" not in element.attrs and not _is_outbox_frame(element):
            found.append(element.tag)
        if "pwned" in element.attrs.get("hx-get", "") or element.attrs.get("href", "").startswith("javascript:"):
            found.append(str(element.attrs))
        if element.tag == "script" and "src" not in element.attrs:
            found.append("script")
    return found


def _is_outbox_frame(element: Element) -> bool:
    return element.tag == "iframe" and "sandbox" in element.attrs


GROUPS = ["".join(kinds) for kinds in zip(*[iter(PAYLOADS.values())] * 2, strict=True)]
"""Two to a field, so that `make test` needs half the pages; `make test-long` tries each by itself."""


def rendered(app: Flask, sign_in_as: Callable[[str], Client], payload: str) -> dict[str, list[str]]:
    """What came out of the payload, by page, after it was stored in every text field."""
    world = build(lambda label: f"{payload}{label}"[:100])
    make.set_site(name=f"{payload}Site"[:100])
    assert len(payload) < 85, "a text must stay another for each label"
    wrong: dict[str, list[str]] = {}
    for persona, headers in (("owner", None), ("owner", HTMX), ("nobody", None)):
        browser = sign_in_as(persona)
        for target in targets(app, world):
            if "GET" in target.verbs and (found := injected(Page(browser.get(target.url, headers=headers)))):
                wrong[f"{persona} {target.url}"] = found
    return wrong


@pytest.mark.parametrize("payload", GROUPS)
def test_stored_text_stays_text(app: Flask, sign_in_as: Callable[[str], Client], payload: str) -> None:
    assert not rendered(app, sign_in_as, payload)


@pytest.mark.long
@pytest.mark.parametrize("kind", PAYLOADS)
def test_each_stored_text_stays_text(app: Flask, sign_in_as: Callable[[str], Client], kind: str) -> None:
    assert not rendered(app, sign_in_as, PAYLOADS[kind])


def test_the_payload_is_really_shown(app: Flask, sign_in_as: Callable[[str], Client]) -> None:
    """The test above would pass on pages that show nothing."""
    build(lambda label: f"{PAYLOADS['script']}{label}"[:100])
    browser = sign_in_as("owner")
    for url in ("/staff/contacts/", "/staff/accounts/", "/staff/web-roles/", "/staff/invitations/", "/staff/people/"):
        html = browser.get(url).get_data(as_text=True)
        assert "&lt;script&gt;pwned()&lt;/script&gt;" in html, url


@pytest.mark.parametrize("payload", GROUPS)
def test_what_is_typed_comes_back_as_text(app: Flask, sign_in_as: Callable[[str], Client], payload: str) -> None:
    world = build()
    browser = sign_in_as("owner")
    asked = dict.fromkeys(("q", "view", "sort", "after", "next", "name", "state", "action", "code"), payload)
    wrong: dict[str, list[str]] = {}
    for target in targets(app, world):
        if "GET" not in target.verbs:
            continue
        page = Page(browser.get(target.url, query_string=asked))
        found = injected(page)
        for form in page.posts:
            if form.action in ("", target.url) and "sign-out" not in target.url:
                typed = {name: payload for name in form.names if name not in ("csrf_token", "find")}
                found += injected(Page(browser.post(target.url, data={**typed, "csrf_token": form.token})))
        if found:
            wrong[target.url] = found
    assert not wrong
