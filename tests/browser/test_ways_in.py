"""Redeeming in a browser by every way of signing in, new and known, with Single and Group; and the ways that refuse."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import expect

from portal.contacts.models import Contact
from portal.invitations.models import Invitation, Redemption
from portal.kernel.db import db
from portal.providers.models import Provider
from tests.browser.conftest import Window
from tests.browser.test_passkeys import authenticator
from tests.redemption.ways import link_of
from tests.support import make
from tests.twins.github import GitHubTwin
from tests.twins.openid import OpenIdTwin, add_provider

pytestmark = pytest.mark.sqlite_only
Visit = Callable[..., Window]
SINGLE, GROUP = "single", "group"
WAYS = ("password", "passkey", "openid", "github")
CAPTION = {"openid": "Openid", "github": "GitHub"}
ANNA = "anna@example.org"


class Scene:
    """Anna, an invitation, and a window that has not opened it yet; `way` is how she will sign in."""

    def __init__(self, window: Window, way: str, kind: str, twins: tuple[OpenIdTwin, GitHubTwin]) -> None:
        self.window, self.way, self.kind = window, way, kind
        openid, github = twins
        openid.user = openid.person("anna", given_name="Anna", family_name="Weber", email=ANNA)
        github.sign_in("anna", 7, name="Anna Weber", email=ANNA)
        self.providers: dict[str, tuple[Provider, str]] = {}
        if way == "openid":
            self.providers[way] = (add_provider(openid), "anna")
        if way == "github":
            self.providers[way] = (github.provider(), "7")
        if way == "passkey":
            authenticator(window)

    def invite(self, contact: Contact | None) -> Invitation:
        """By link to the contact, or by a code that anyone may use."""
        self.contact = contact
        named = [contact] if contact and self.kind == SINGLE else []
        self.invitation = make.make_invitation(*named, type=self.kind, sent=True)
        return self.invitation

    def arrive(self) -> None:
        """Open the link or the code, up to the review page."""
        path = f"/redeem?code={make.code_of(self.invitation)}"
        if self.kind == SINGLE and self.contact is not None:
            path = link_of(self.invitation, self.contact)
        self.window.open(path)
        expect(self.window.page).to_have_url(self.window.url("/redeem/review"))

    def press(self, label: str) -> None:
        self.window.page.get_by_role("button", name=label, exact=True).click()

    @property
    def offers_to_sign_in(self) -> str:
        """The link on the review page: of an invited contact the site knows that they can, of a stranger not."""
        return "Sign in and accept" if self.kind == SINGLE else "I have a sign-in already"

    def go_to_provider(self) -> None:
        """The provider's button, whatever it says of who is meant."""
        label = re.compile(f"with {CAPTION[self.way]}$")
        self.window.page.get_by_role("button", name=label).click()

    def known(self, contact: Contact) -> None:
        """Give the contact this way of signing in."""
        if self.way == "password":
            make.make_credential(contact, "anna")
        elif self.way == "passkey":
            make.make_credential(contact, "anna")
            self.window.sign_in(contact)
            self.window.open("/profile")
            self.press("Add a passkey")
            self.window.page.get_by_text("The passkey is added.").wait_for()
            self.window.context.clear_cookies()
        else:
            provider, subject = self.providers[self.way]
            make.make_identity(contact, provider, subject=subject)

    def sign_in(self) -> None:
        """From the review page, with what is known already."""
        page = self.window.page
        if self.way == "password":
            page.get_by_role("link", name=self.offers_to_sign_in).first.click()
            page.fill("input[name=identifier]", "anna")
            page.fill("input[name=password]", make.PASSWORD)
            self.press("Sign in and accept")
        elif self.way == "passkey":
            if self.kind == GROUP:
                page.get_by_role("link", name=self.offers_to_sign_in).first.click()
            self.press("Accept with my passkey")
        else:
            self.go_to_provider()

    def sign_up(self) -> None:
        """From the review page, with a new one."""
        page = self.window.page
        if self.kind == GROUP and self.way in ("password", "passkey"):
            page.get_by_label("First name").fill("Anna")
            page.get_by_label("E-mail address").fill(ANNA)
        if self.way == "password":
            page.fill("input[name=username]", "anna")
            page.fill("input[name=password]", make.PASSWORD)
            page.fill("input[name=confirm]", make.PASSWORD)
            self.press("Accept and create my sign-in")
        elif self.way == "passkey":
            self.press("Accept with a passkey")
        else:
            self.go_to_provider()

    def redeemed(self) -> list[tuple[int, str]]:
        """(contact, how they signed in) of every redemption."""
        db.session.rollback()
        found = db.session.execute(db.select(Redemption.contact_id, Redemption.signed_in_by))
        return [(row.contact_id, row.signed_in_by) for row in found]

    @property
    def signed_in_by(self) -> str:
        return f"provider:{self.way}" if self.way in CAPTION else self.way


@pytest.fixture
def scene(
    visit: Visit, app: Flask, openid: OpenIdTwin, github: GitHubTwin, request: pytest.FixtureRequest
) -> Callable[[str, str], Scene]:
    """Sets the scene for a way of signing in and a type of invitation."""
    return lambda way, kind: Scene(visit(), way, kind, (openid, github))


@pytest.mark.parametrize("way", WAYS)
def test_the_sign_in_of_somebody_else_does_not_redeem(scene: Callable[[str, str], Scene], way: str) -> None:
    now = scene(way, SINGLE)
    other = make.make_contact("Ben", "Other", "ben@example.org", verified=True)
    now.known(other)
    now.invite(make.make_contact("Anna", "Weber", ANNA))
    now.arrive()
    if way == "password":  # nobody is asked for one who has none: the page offers to make one
        now.window.open("/sign-in?next=/redeem/review")
        now.window.page.fill("input[name=identifier]", "anna")
        now.window.page.fill("input[name=password]", make.PASSWORD)
        now.window.page.locator("main form button[type=submit]").first.click()
    elif way == "passkey":
        now.window.open("/sign-in?next=/redeem/review")
        now.press("Accept with my passkey")
    else:
        now.sign_in()
    expect(now.window.page.locator("main")).to_contain_text("Anna Weber")
    expect(now.window.page.locator("main")).to_contain_text("Ben Other")
    assert now.redeemed() == []


@pytest.mark.parametrize("way", ["openid", "github"])
def test_a_new_identity_is_not_put_beside_a_sign_in_there_is(scene: Callable[[str, str], Scene], way: str) -> None:
    now = scene(way, SINGLE)
    now.invite(make.make_contact("Anna", "Weber", ANNA, username="anna", verified=True))
    now.arrive()
    now.sign_up()
    expect(now.window.page.locator("main")).to_contain_text("have a sign-in")
    assert now.redeemed() == []


@pytest.mark.parametrize("kind", [SINGLE, GROUP])
@pytest.mark.parametrize("way", WAYS)
def test_by_a_new_sign_in(scene: Callable[[str, str], Scene], way: str, kind: str) -> None:
    now = scene(way, kind)
    anna = make.make_contact("Anna", "Weber", ANNA) if kind == SINGLE else None
    anna_id = anna.id if anna else None
    now.invite(anna)
    now.arrive()
    now.sign_up()
    now.window.page.wait_for_url("**/welcome")
    [(contact_id, signed_in_by)] = now.redeemed()
    assert signed_in_by == now.signed_in_by
    assert anna_id in (None, contact_id)
    assert db.session.get_one(Contact, contact_id).email1 == ANNA


@pytest.mark.parametrize("kind", [SINGLE, GROUP])
@pytest.mark.parametrize("way", WAYS)
def test_by_a_sign_in_there_is(scene: Callable[[str, str], Scene], way: str, kind: str) -> None:
    now = scene(way, kind)
    anna = make.make_contact("Anna", "Weber", ANNA, verified=True)
    anna_id = anna.id
    now.known(anna)
    now.invite(anna)
    now.arrive()
    now.sign_in()
    now.window.page.wait_for_url("**/welcome")
    assert now.redeemed() == [(anna_id, now.signed_in_by)]


@pytest.mark.parametrize("kind", [SINGLE, GROUP])
def test_by_a_session_that_is_open(scene: Callable[[str, str], Scene], kind: str) -> None:
    now = scene("password", kind)
    anna = make.make_contact("Anna", "Weber", ANNA, username="anna", verified=True)
    anna_id = anna.id
    now.window.sign_in(anna)
    now.invite(anna)
    now.arrive()
    now.press("Accept the invitation")
    now.window.page.wait_for_url("**/welcome")
    assert now.redeemed() == [(anna_id, "password")]
