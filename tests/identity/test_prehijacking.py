"""Somebody takes the victim's address first, and waits (SECURITY T07): after the victim came by the mailed link nothing
of what they prepared works any more. The five classes of Sudhodanan and Paverd, whichever way the victim signs in."""

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from portal.contacts.models import Contact
from portal.identity import links
from portal.identity.models import Credential, OneTimeLink
from portal.invitations.models import Invitation
from portal.kernel.db import db, transaction
from portal.providers.models import Provider
from tests.redemption import through, ways
from tests.support import make
from tests.support.clients import Client, location
from tests.twins.openid import OpenIdTwin, add_provider, sign_in_at

NewClient = Callable[[], Client]
VICTIM, ATTACKER = "victim@company.example", "attacker@evil.example"
THEIRS = {"username": "attacker", "password": "the attacker knows this one", "confirm": "the attacker knows this one"}
WAYS = pytest.mark.parametrize("way", ["password", "provider"])


@pytest.fixture
def provider(app: object, openid: OpenIdTwin) -> Provider:
    make.set_site(open_registration=True)
    return add_provider(openid)


@pytest.fixture
def attacker(provider: Provider, new_client: NewClient) -> Client:
    """Has registered with the victim's address, and stays signed in."""
    browser = new_client()
    names = {"first_name": "Vic", "last_name": "Tim", "email": VICTIM}
    assert location(browser.post_form("/sign-up", {**THEIRS, **names})) == "/profile"
    return browser


def hijacked() -> Contact:
    return db.session.scalars(db.select(Contact).filter_by(email1=VICTIM).order_by(Contact.id)).one()


def victim_comes(browser: Client, way: str, openid: OpenIdTwin) -> Invitation:
    """Staff invite the contact that is there already; the victim opens the mailed link and takes it over."""
    invitation = make.make_invitation(hijacked(), sent=True)
    ways.open_link(browser, invitation, hijacked())
    browser.get("/redeem/review")
    if way == "password":
        assert location(ways.sign_up(browser, page="/sign-up")) == "/welcome"
    else:
        openid.user = openid.person("victim", email=VICTIM)
        assert location(through.go(browser)) == "/sign-in/openid/confirm"
        assert location(browser.post_form("/sign-in/openid/confirm")) == "/welcome"
    assert ways.redemptions() == [(invitation.id, hijacked().id)]
    return invitation


def by_password(browser: Client) -> TestResponse:
    return browser.post_form("/sign-in", {"identifier": "attacker", "password": THEIRS["password"]})


def is_out(browser: Client) -> bool:
    return browser.get("/profile").status_code == 303


@WAYS
def test_classic_federated_merge(
    way: str, attacker: Client, client: Client, new_client: NewClient, openid: OpenIdTwin
) -> None:
    victim_comes(client, way, openid)
    again = new_client()
    assert by_password(again).status_code == 422
    assert is_out(again)
    assert [c.username for c in db.session.scalars(db.select(Credential))] == ["newcomer"] * (way == "password")


@WAYS
def test_unexpired_session(way: str, attacker: Client, client: Client, openid: OpenIdTwin) -> None:
    assert not is_out(attacker)
    victim_comes(client, way, openid)
    assert is_out(attacker)
    assert not is_out(client)


@WAYS
def test_trojan_identifier(
    way: str, attacker: Client, client: Client, new_client: NewClient, openid: OpenIdTwin
) -> None:
    openid.user = openid.person("attacker", email=ATTACKER)
    assert location(through.go(attacker, "/profile", purpose="link")) == "/profile"
    assert through.identities() == {"attacker": hijacked().id}
    waiting = sign_in_at(attacker, through.start(attacker, "/profile", purpose="prove"))
    victim_comes(client, way, openid)
    make.set_site(open_registration=False)
    openid.user = openid.person("attacker", email=ATTACKER)
    again = new_client()
    assert through.why(through.go(again, "/sign-in")) == "stranger"
    assert through.why(attacker.get(waiting)) == "signed_out"
    assert is_out(again)
    assert is_out(attacker)
    assert "attacker" not in through.identities()


@WAYS
def test_an_identity_that_was_on_its_way_to_be_linked(
    way: str, attacker: Client, client: Client, openid: OpenIdTwin
) -> None:
    openid.user = openid.person("attacker", email=ATTACKER)
    waiting = sign_in_at(attacker, through.start(attacker, "/profile", purpose="link"))
    victim_comes(client, way, openid)
    openid.user = openid.person("attacker", email=ATTACKER)
    response = attacker.get(waiting)
    assert (response.status_code, through.why(response)) == (403, "signed_out")
    assert "attacker" not in through.identities()


@WAYS
def test_unexpired_email_change(
    way: str, attacker: Client, client: Client, new_client: NewClient, openid: OpenIdTwin
) -> None:
    contact = hijacked()
    assert attacker.post_form("/profile/email", {"email": ATTACKER}).status_code == 303
    link = db.session.scalars(db.select(OneTimeLink).filter_by(purpose=links.CHANGE)).one()
    bound = links.moving(link.email_key, links.moves_from(contact.email1_key, contact.epoch))
    token = links.token(make.ring(), link.public_id, links.CHANGE, link.id, bound)
    elsewhere = new_client()
    elsewhere.get(f"/change-email/{token}")
    victim_comes(client, way, openid)
    for browser in (elsewhere, new_client()):
        browser.get(f"/change-email/{token}")
        page = browser.get("/change-email")
        assert page.status_code in (404, 410, 303)
        browser.post("/change-email", data={"csrf_token": browser.token("/sign-in")})
    contact = hijacked()
    assert contact.email1 == VICTIM
    assert contact.email1_verified_at is not None


@WAYS
def test_non_verifying_provider(
    way: str, provider: Provider, client: Client, new_client: NewClient, openid: OpenIdTwin
) -> None:
    attacker = new_client()
    openid.user = openid.person("attacker", email=VICTIM, email_verified=False)
    assert location(through.go(attacker, "/sign-up")) == "/profile"
    assert through.identities() == {"attacker": hijacked().id}
    assert hijacked().email1_verified_at is None
    victim_comes(client, way, openid)
    make.set_site(open_registration=False)
    again = new_client()
    openid.user = openid.person("attacker", email=VICTIM, email_verified=False)
    assert through.why(through.go(again, "/sign-in")) == "stranger"
    assert is_out(again)
    assert is_out(attacker)


def test_a_proven_address_never_merges_with_a_sign_in_that_is_there(
    attacker: Client, client: Client, openid: OpenIdTwin
) -> None:
    first = hijacked().id
    openid.user = openid.person("victim", email=VICTIM)
    assert location(through.go(client, "/sign-in")) == "/profile"
    assert through.identities()["victim"] != first
    assert db.session.get_one(Contact, first).email1_verified_at is None
    assert not is_out(attacker)
    assert db.session.get_one(Contact, through.identities()["victim"]).email1_verified_at is not None


def test_whoever_has_only_the_code_cannot_take_over_what_is_there(
    provider: Provider, client: Client, new_client: NewClient, openid: OpenIdTwin, dump: Callable[[], object]
) -> None:
    victim = make.make_contact("Vic", "Tim", VICTIM)
    invitation = make.make_invitation(victim)
    openid.user = openid.person("victim", email=VICTIM, email_verified=False)
    ways.type_code(client, invitation)
    client.get("/redeem/review")
    assert location(through.go(client)) == "/welcome"
    with transaction():
        again = db.session.get_one(Invitation, invitation.id)
        again.used, again.completed_at = 0, None
    openid.user = openid.person("attacker", email=ATTACKER)
    other = new_client()
    ways.type_code(other, invitation)
    other.get("/redeem/review")
    before = dump()
    assert through.why(through.go(other)) == "has_sign_in"
    assert dump() == before
    assert through.identities() == {"victim": victim.id}
