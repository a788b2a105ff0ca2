"""The exact headers and cookies of every answer."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.support.clients import HTMX, Client
from tests.support.make import PASSWORD
from tests.support.pages import Page
from tests.support.world import World, build, pages

pytestmark = pytest.mark.sqlite_only
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)
EXACT = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), "
        "payment=(), usb=(), browsing-topics=()"
    ),
    "Cache-Control": "no-store",
}
FRAMING, FRAMED = {"outbox.record", "email_templates.record"}, {"outbox.body", "email_templates.body"}
STYLING = "email_templates.edit"
"""A message's page frames its body, which has a policy of its own, tested below; the editor of templates lets
CodeMirror make its style element."""
ABSENT = ("Access-Control-Allow-Origin", "X-Powered-By", "Strict-Transport-Security")
UNLISTED = ("/staff", "/redeem", "/i/", "/register")
SECURE = {"PORTAL_BASE_URL": "https://portal.example.org"}


@pytest.fixture
def world(app: Flask) -> World:
    return build()


def faults(response: Any, path: str, endpoint: str = "") -> list[str]:
    exact = EXACT
    if response.status_code == 200 and endpoint in FRAMED:
        exact = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
    elif response.status_code == 200 and endpoint in FRAMING:
        exact = {**EXACT, "Content-Security-Policy": f"{POLICY}; frame-src 'self'"}
    elif response.status_code == 200 and endpoint == STYLING:
        nonce = Page(response).first("form", data_studio=None).attrs["data-nonce"]
        assert len(nonce) == 43
        styling = POLICY.replace("style-src 'self'", f"style-src 'self' 'nonce-{nonce}'")
        exact = {**EXACT, "Content-Security-Policy": f"{styling}; frame-src 'self'"}
    found = [f"{n}: {response.headers.get(n)}" for n, value in exact.items() if response.headers.get(n) != value]
    found += [f"{name} is there" for name in ABSENT if name in response.headers]
    vary = {part.strip() for part in response.headers.get("Vary", "").split(",")}
    if not {"Cookie", "HX-Request"} <= vary:
        found.append(f"Vary: {vary}")
    if path.startswith(UNLISTED) and response.headers.get("X-Robots-Tag") != "noindex, nofollow":
        found.append(f"X-Robots-Tag: {response.headers.get('X-Robots-Tag')}")
    if len(response.headers.getlist("Content-Security-Policy")) != 1:
        found.append("not exactly one policy")
    return found


@pytest.mark.parametrize("persona", ["owner", "viewer", "invitee", "nobody"])
@pytest.mark.parametrize("headers", [None, HTMX], ids=["page", "fragment"])
def test_every_answer_carries_them(
    app: Flask, world: World, sign_in_as: Callable[[str], Client], persona: str, headers: dict[str, str] | None
) -> None:
    browser = sign_in_as(persona)
    wrong = {
        target.url: found
        for target in pages(app, world)
        if (found := faults(browser.get(target.url, headers=headers), target.url, target.endpoint))
    }
    assert not wrong


@pytest.mark.parametrize(
    ("method", "url"),
    [("GET", "/nowhere"), ("GET", "/staff/nowhere"), ("DELETE", "/redeem"), ("POST", "/redeem"), ("POST", "/sign-out")],
)
def test_every_refusal_carries_them(client: Client, method: str, url: str) -> None:
    response = client.open(url, method=method)
    assert response.status_code >= 400
    assert not faults(response, url)


def test_the_body_of_a_message_is_shown_in_a_sandbox_only(
    app: Flask, world: World, sign_in_as: Callable[[str], Client]
) -> None:
    browser = sign_in_as("owner")
    [body] = [t.url for t in pages(app, world) if t.endpoint == "outbox.body"][:1]
    response = browser.get(body)
    policy = response.headers["Content-Security-Policy"]
    directives = {part.strip().partition(" ")[0]: part.strip().partition(" ")[2] for part in policy.split(";")}
    assert response.status_code == 200
    assert directives["sandbox"] in ("", "allow-popups", "allow-popups allow-popups-to-escape-sandbox")
    assert directives["default-src"] == "'none'"
    assert directives["frame-ancestors"] == "'self'"
    assert "script-src" not in directives
    assert "X-Frame-Options" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"


def test_behind_https_the_browser_is_told_to_stay_there(make_app: Callable[..., Flask]) -> None:
    client = make_app(**SECURE).test_client()
    response = client.get("/sign-in", base_url=SECURE["PORTAL_BASE_URL"])
    assert response.headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains"


def attributes(cookie: str) -> tuple[str, set[str]]:
    name, *rest = [part.strip() for part in cookie.split(";")]
    return name.partition("=")[0], set(rest)


@pytest.mark.parametrize(
    ("url", "plain", "secure"),
    [("/staff/sign-in", "portal-staff", "__Host-portal-staff"), ("/sign-in", "portal", "__Host-portal")],
)
def test_the_cookie_is_as_promised(
    app: Flask, make_app: Callable[..., Flask], client: Client, url: str, plain: str, secure: str
) -> None:
    [cookie] = client.get(url).headers.getlist("Set-Cookie")
    assert attributes(cookie) == (plain, {"Path=/", "HttpOnly", "SameSite=Lax"})
    response = make_app(**SECURE).test_client().get(url, base_url=SECURE["PORTAL_BASE_URL"])
    [cookie] = response.headers.getlist("Set-Cookie")
    assert attributes(cookie) == (secure, {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"})
    assert len(cookie.partition("=")[2].partition(";")[0]) == 43


def test_signing_in_gives_a_new_cookie_and_signing_out_ends_it_for_good(
    app: Flask, world: World, client: Client, new_client: Callable[[], Client]
) -> None:
    for url, out, typed, home in (
        ("/staff/sign-in", "/staff/sign-out", {"email": "olga@staff.example"}, "/staff/"),
        ("/sign-in", "/sign-out", {"identifier": "bruno"}, "/profile"),
    ):
        page = client.get(url)
        before = cookie_of(page)
        response = client.post_form(url, {**typed, "password": PASSWORD})
        assert response.status_code == 303, url
        inside = cookie_of(response)
        assert inside != before
        assert client.get(home).status_code == 200
        token = next(form.token for form in Page(client.get(home)).posts if form.token)
        assert client.post(out, data={"csrf_token": token}).status_code == 303
        thief = new_client()
        thief.set_cookie(*inside.split("=", 1))
        assert thief.get(home).status_code == 303


def cookie_of(response: Any) -> str:
    [cookie] = response.headers.getlist("Set-Cookie")
    return str(cookie.partition(";")[0])


def test_static_files_are_kept_for_a_year_under_a_name_that_holds_their_hash(app: Flask, client: Client) -> None:
    page = Page(client.get("/sign-in"))
    addresses = [e.attrs["href"] for e in page.all("link", rel="stylesheet")] + [
        e.attrs["src"] for e in page.all("script", src=None)
    ]
    assert addresses
    for address in addresses:
        response = client.get(address)
        assert response.status_code == 200, address
        assert response.headers["Cache-Control"].startswith("max-age=315360000, public, immutable"), address
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize(
    "path", ["../portal/app.py", "%2e%2e/portal/app.py", "..%2fportal/app.py", "css/../../wsgi.py"]
)
def test_static_files_end_at_their_folder(client: Client, path: str) -> None:
    assert client.get(f"/static/{path}").status_code == 404
