"""A provider beside the sign-in one has: linking it from the profile, and proving by it who one is."""

from collections.abc import Callable

import pytest

from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, transaction
from portal.mail.models import Message
from portal.providers.models import Provider
from tests.redemption import through
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page
from tests.twins.openid import OpenIdTwin, add_provider, sign_in_at

pytestmark = pytest.mark.sqlite_only
SignInAs = Callable[[Contact], Client]


@pytest.fixture
def provider(app: object, openid: OpenIdTwin) -> Provider:
    return add_provider(openid)


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@invited.example", username="anna", verified=True)


def test_linking(sign_in_as: SignInAs, provider: Provider, anna: Contact, openid: OpenIdTwin, client: Client) -> None:
    browser = sign_in_as(anna)
    response = through.go(browser, "/profile", purpose="link")
    assert location(response) == "/profile"
    assert "You can sign in with Openid from now on." in browser.follow(response).toasts
    assert through.identities() == {"anna": anna.id}
    notices = [m.detail for m in db.session.scalars(db.select(Message).filter_by(kind="sign-in-changed"))]
    assert [(n["what"], n["provider"]) for n in notices] == [("identity-linked", "Openid")]
    assert location(through.go(browser, "/sign-in/again", purpose="link")) == "/profile", "once more changes nothing"
    assert db.session.scalar(db.select(db.func.count()).select_from(Message)) == 1
    assert location(through.go(client, "/sign-in")) == "/profile"
    assert "Anna" in client.page("/profile").text


def test_linking_needs_a_recent_proof_and_a_person(
    sign_in_as: SignInAs,
    provider: Provider,
    anna: Contact,
    openid: OpenIdTwin,
    client: Client,
    frozen_clock: FrozenClock,
) -> None:
    browser = sign_in_as(anna)
    token = browser.token("/profile")
    frozen_clock.move(minutes=11)
    response = browser.post("/sign-in/openid", data={"csrf_token": token, "purpose": "link"})
    assert location(response).startswith("/sign-in/again")
    assert not openid.to("/authorize")
    for purpose in ("link", "prove"):
        response = client.post("/sign-in/openid", data={"csrf_token": client.token("/sign-in"), "purpose": purpose})
        assert location(response).startswith("/sign-in")
        assert response.status_code == 303


def test_somebody_elses_identity_is_not_linked(
    sign_in_as: SignInAs, provider: Provider, anna: Contact, openid: OpenIdTwin, dump: Callable[[], object]
) -> None:
    ben = make.make_contact("Ben", "Other")
    through.link(ben, provider, "ben")
    openid.user = openid.person("ben")
    browser = sign_in_as(anna)
    before = dump()
    response = through.go(browser, "/profile", purpose="link")
    assert (response.status_code, through.why(response)) == (409, "taken")
    assert "Ben" not in Page(response).text
    assert dump() == before


@pytest.mark.parametrize("meanwhile", ["signed out", "somebody else", "sessions ended", "deactivated"])
@pytest.mark.parametrize("purpose", ["link", "prove"])
def test_it_is_for_the_session_that_left_for_it(
    purpose: str, meanwhile: str, sign_in_as: SignInAs, provider: Provider, anna: Contact, openid: OpenIdTwin
) -> None:
    make.make_contact("Ben", "Other", username="ben")
    if purpose == "prove":
        through.link(anna, provider, "anna")
    browser, number = sign_in_as(anna), anna.id
    page = "/profile" if purpose == "link" else "/sign-in/again"
    back = sign_in_at(browser, through.start(browser, page, purpose=purpose))
    if meanwhile == "signed out":
        browser.post_form("/sign-out", page="/profile")
    if meanwhile == "somebody else":
        typed = {"csrf_token": browser.token("/profile"), "identifier": "ben", "password": make.PASSWORD}
        assert browser.post("/sign-in", data=typed).status_code == 303
    if meanwhile in ("sessions ended", "deactivated"):
        with transaction():
            if meanwhile == "deactivated":
                contact_services.deactivate(number, SYSTEM, clock.now())
            db.session.get_one(Contact, number).epoch += 1
    response = browser.get(back)
    assert response.status_code in (400, 403)
    assert set(through.identities()) == ({"anna"} if purpose == "prove" else set())


def test_proving(
    sign_in_as: SignInAs, provider: Provider, anna: Contact, openid: OpenIdTwin, frozen_clock: FrozenClock
) -> None:
    through.link(anna, provider, "anna")
    browser = sign_in_as(anna)
    frozen_clock.move(minutes=11)
    assert location(browser.get("/profile/email")).startswith("/sign-in/again")
    openid.user = openid.person("somebody", email="anna@invited.example")
    response = through.go(browser, "/sign-in/again?next=/profile/email", purpose="prove")
    assert (response.status_code, through.why(response)) == (403, "not_yours")
    assert location(browser.get("/profile/email")).startswith("/sign-in/again")
    openid.user = openid.person("anna")
    response = through.go(browser, "/sign-in/again?next=/profile/email", purpose="prove")
    assert location(response) == "/profile/email"
    assert browser.get("/profile/email").status_code == 200
