"""A passkey as the first sign-in: every standing in which one may be made, and those in which none may."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.contacts.models import Contact
from portal.identity.models import Credential
from portal.invitations.models import ANYONE, INVITED, Invitation, Redemption
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail.models import Message
from portal.passkeys.models import Passkey
from tests.passkeys import ways
from tests.redemption.ways import arrive as come
from tests.redemption.ways import contacts, holders, redemptions, used
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page
from tests.twins.authenticator import Authenticator

Dump = Callable[[], Any]
LINK, CODE, REVIEW = "link", "code", "/redeem/review"
TYPED = {"first_name": "New", "last_name": "Comer", "email": "newcomer@elsewhere.example"}


@pytest.mark.parametrize(("kind", "by"), [("single", LINK), ("single", CODE), ("group", LINK)])
def test_the_invited_contact_gets_a_passkey_and_what_was_promised(client: Client, kind: str, by: str) -> None:
    role, anna = make.make_role("Members"), make.make_contact("Anna", "Weber", "anna@x.example")
    invitation = make.make_invitation(anna, type=kind, roles=[role])
    come(client, by, invitation, anna)
    device = Authenticator()
    response = ways.sign_up(client, device, TYPED, REVIEW)
    assert (response.status_code, location(response)) == (303, "/welcome")
    assert client.page("/welcome").heading.startswith("Welcome")
    assert redemptions() == [(invitation.id, anna.id)]
    assert (holders(role.id), contacts()) == ({anna.id}, 1)
    key = ways.stored()[0]
    assert (key.contact_id, key.credential_id, key.transports) == (anna.id, device.keys[0].id, ["internal"])
    assert key.handle == device.keys[0].handle
    assert not db.session.scalars(db.select(Credential)).all()
    stored = db.session.scalars(db.select(Redemption)).one()
    assert (stored.signed_in_by, stored.proof) == ("passkey", by)
    proven = db.session.get_one(Contact, anna.id).email1_verified_at is not None
    assert proven == (by == LINK)
    client.post_form("/sign-out", page="/profile")
    assert location(ways.sign_in(client, device)) == "/profile"


def test_a_stranger_with_a_group_code_becomes_a_contact(client: Client) -> None:
    make.make_contact("Anna", "Weber", "anna@x.example")
    invitation = make.make_invitation(type="group", redeemable_by=ANYONE)
    come(client, CODE, invitation)
    assert location(ways.sign_up(client, Authenticator(), TYPED, REVIEW)) == "/welcome"
    made = db.session.scalars(db.select(Contact).where(Contact.email1 == TYPED["email"])).one()
    assert (made.name, made.email1_verified_at) == ("New Comer", None)
    assert (ways.stored()[0].contact_id, used(invitation)) == (made.id, 1)
    assert [m.kind for m in db.session.scalars(db.select(Message))] == ["confirm-email"]


def test_an_unproven_sign_in_is_replaced_by_whoever_has_the_link(new_client: Callable[[], Client]) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example", username="squatter")
    old = ways.give(anna)
    invitation = make.make_invitation(anna)
    squatter, browser = new_client(), new_client()
    assert ways.sign_in(squatter, old).status_code == 303
    come(browser, LINK, invitation, anna)
    browser.page(REVIEW)
    device = Authenticator()
    assert location(ways.sign_up(browser, device, TYPED, "/sign-up")) == "/welcome"
    assert [key.credential_id for key in ways.stored()] == [device.keys[0].id]
    assert squatter.get("/profile").status_code == 303
    assert ways.sign_in(new_client(), old).status_code == 422


def test_signing_in_from_the_review_page_accepts(client: Client) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example", verified=True)
    device = ways.give(anna)
    invitation = make.make_invitation(anna)
    come(client, LINK, invitation, anna)
    mark = client.page(REVIEW).form("/sign-in/passkey").values["seen"][0]
    assert mark
    assert location(ways.sign_in(client, device, page=REVIEW, seen=mark)) == "/welcome"
    assert redemptions() == [(invitation.id, anna.id)]
    assert db.session.scalars(db.select(Redemption.signed_in_by)).all() == ["passkey"]


def test_signing_in_elsewhere_accepts_nothing_yet(client: Client) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example", verified=True)
    device = ways.give(anna)
    come(client, LINK, make.make_invitation(anna), anna)
    assert location(ways.sign_in(client, device)) == "/profile" or not redemptions()
    assert redemptions() == []


def test_the_passkey_of_somebody_else_redeems_nothing(client: Client) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example", verified=True)
    ways.give(anna)
    other = ways.give(make.make_contact("Otto", "Other", "otto@x.example", verified=True))
    come(client, LINK, make.make_invitation(anna), anna)
    mark = client.page(REVIEW).form("/sign-in/passkey").values["seen"][0]
    response = ways.sign_in(client, other, page=REVIEW, seen=mark)
    assert location(response) == REVIEW
    assert "This invitation is for somebody else" in client.page(REVIEW).text
    assert redemptions() == []


def asks(browser: Client, page: str = REVIEW, **typed: str) -> Any:
    """The answer to the script that asks for options."""
    return browser.post("/sign-up/passkey/options", data=typed, headers={"X-CSRFToken": browser.token(page)})


def posts(browser: Client, page: str = REVIEW) -> Any:
    """A sign-up by hand, where no button is offered."""
    device = Authenticator()
    options = {"rp": {"id": "localhost"}, "user": {"id": "AAAA"}, "challenge": "A" * 43}
    return browser.post(
        "/sign-up/passkey", data={"csrf_token": browser.token(page), "credential": device.make(options)}
    )


def has_sign_in(invited: Contact) -> None:
    ways.give(invited)


def is_proven(invited: Contact) -> None:
    with transaction():
        db.session.add(Credential(contact_id=invited.id, username="a", username_key="a", password_hash="x", failures=0))


def is_inactive(invited: Contact) -> None:
    with transaction():
        db.session.get_one(Contact, invited.id).active = False


def is_withdrawn(invited: Contact) -> None:
    with transaction():
        db.session.execute(db.update(Invitation).values(deactivated_at=clock.now()))


@pytest.mark.parametrize(
    ("change", "status"), [(has_sign_in, 409), (is_proven, 409), (is_inactive, 410), (is_withdrawn, 410)]
)
def test_where_no_sign_in_may_be_made(client: Client, dump: Dump, change: Any, status: int) -> None:
    """It was all right when the review page was shown, and is not any more when the form comes."""
    anna = make.make_contact("Anna", "Weber", "anna@x.example", verified=True)
    come(client, LINK, make.make_invitation(anna), anna)
    told = ways.ask(client, "/sign-up/passkey/options", REVIEW)
    device = Authenticator()
    change(db.session.get_one(Contact, anna.id))
    before = dump()
    assert ways.send(client, "/sign-up/passkey", told, device.make(told["publicKey"])).status_code == status
    assert dump() == before


def test_somebody_with_a_sign_in_is_asked_to_use_it(client: Client) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example", verified=True)
    ways.give(anna)
    come(client, LINK, make.make_invitation(anna), anna)
    assert "You have a sign-in on this site already" in client.page(REVIEW).text
    assert asks(client).status_code == 409


@pytest.mark.parametrize("redeemable_by", [INVITED])
def test_the_code_of_a_group_for_invited_people(client: Client, dump: Dump, redeemable_by: str) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    come(client, CODE, make.make_invitation(anna, type="group", redeemable_by=redeemable_by))
    assert asks(client).status_code == 409
    before = dump()
    assert posts(client).status_code == 409
    assert dump() == before


@pytest.mark.parametrize(
    "twist",
    [{"verified": False}, {"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"type": "webauthn.get"}],
)
def test_a_faulty_key_makes_no_sign_in_and_keeps_the_invitation(client: Client, dump: Dump, twist: Any) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    come(client, LINK, make.make_invitation(anna), anna)
    told = ways.ask(client, "/sign-up/passkey/options", REVIEW)
    before = dump()
    response = ways.send(client, "/sign-up/passkey", told, Authenticator().make(told["publicKey"], **twist))
    assert response.status_code == 422
    assert "Your invitation is still waiting." in Page(response).text
    assert dump() == before
    assert client.page(REVIEW).has_button("Accept with a passkey")


def test_an_old_challenge_a_foreign_one_and_one_for_signing_in(
    new_client: Callable[[], Client], dump: Dump, frozen_clock: FrozenClock
) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    invitation = make.make_invitation(anna)
    browser, other = new_client(), new_client()
    come(browser, LINK, invitation, anna)
    come(other, LINK, invitation, anna)
    before = dump()
    old = ways.ask(browser, "/sign-up/passkey/options", REVIEW)
    frozen_clock.move(minutes=5)
    foreign = ways.ask(other, "/sign-up/passkey/options", REVIEW)
    own = ways.ask(browser, "/sign-up/passkey/options", REVIEW)
    signing = ways.ask(browser, "/sign-in/passkey/options", REVIEW)
    for asked in (old, foreign, {"publicKey": {**own["publicKey"], "challenge": signing["publicKey"]["challenge"]}}):
        response = ways.send(browser, "/sign-up/passkey", own, Authenticator().make(asked["publicKey"]))
        assert response.status_code == 422
    assert dump() == before


def test_a_key_that_is_in_use_already(client: Client, dump: Dump) -> None:
    device = ways.give(make.make_contact("Otto", "Other"))
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    come(client, LINK, make.make_invitation(anna), anna)
    told = ways.ask(client, "/sign-up/passkey/options", REVIEW)
    fresh = Authenticator()
    taken = fresh.make(told["publicKey"])
    with transaction():
        db.session.execute(db.update(Passkey).values(credential_id=fresh.keys[0].id))
    before = dump()
    assert ways.send(client, "/sign-up/passkey", told, taken).status_code == 422
    assert dump() == before
    assert device.keys


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("typed", "wrong"),
    [({"email": ""}, "email"), ({"email": "no address"}, "email"), ({"first_name": "www.evil.example"}, "first_name")],
)
def test_a_stranger_has_to_fill_in_the_form(client: Client, dump: Dump, typed: dict[str, str], wrong: str) -> None:
    come(client, CODE, make.make_invitation(type="group"))
    before = dump()
    sent = {**TYPED, **typed}
    assert asks(client, **sent).status_code == 422
    response = client.post("/sign-up/passkey", data={**sent, "csrf_token": client.token(REVIEW)})
    page = Page(response)
    assert (response.status_code, list(page.errors)) == (422, [wrong])
    assert page.form("/sign-up").values["last_name"] == ["Comer"]
    assert dump() == before


@pytest.mark.sqlite_only
def test_options_name_the_person_and_no_number(client: Client) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    come(client, LINK, make.make_invitation(anna), anna)
    told = ways.ask(client, "/sign-up/passkey/options", REVIEW)["publicKey"]
    assert (told["user"]["name"], told["user"]["displayName"]) == ("anna@x.example", "Anna Weber")
    assert len(told["user"]["id"]) == 22
    assert told["attestation"] == "none"
    chosen = told["authenticatorSelection"]
    assert (chosen["residentKey"], chosen["userVerification"]) == ("required", "required")


def test_open_registration(client: Client) -> None:
    make.set_site(open_registration=True)
    device = Authenticator()
    assert location(ways.sign_up(client, device, TYPED, "/sign-up")) == "/profile"
    made = db.session.scalars(db.select(Contact)).one()
    assert (made.email1, made.email1_verified_at, ways.stored()[0].contact_id) == (TYPED["email"], None, made.id)
    assert [m.kind for m in db.session.scalars(db.select(Message))] == ["confirm-email"]


@pytest.mark.sqlite_only
def test_without_an_invitation_nobody_signs_up(client: Client, dump: Dump) -> None:
    before = dump()
    token = client.token("/redeem")
    headers = {"X-CSRFToken": token}
    assert client.post("/sign-up/passkey/options", data=TYPED, headers=headers).status_code == 409
    assert location(client.post("/sign-up/passkey", data=TYPED, headers=headers)) == "/redeem"
    make.set_site(registration_enabled=False, open_registration=True)
    before = dump()
    assert client.post("/sign-up/passkey", data=TYPED, headers=headers).status_code == 404
    assert dump() == before


@pytest.mark.sqlite_only
def test_where_passwords_are_off_a_passkey_remains(client: Client) -> None:
    make.set_site(local_sign_in=False)
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    come(client, LINK, make.make_invitation(anna), anna)
    page = client.page(REVIEW)
    assert not page.all("input", type="password")
    assert location(ways.sign_up(client, Authenticator(), TYPED, REVIEW)) == "/welcome"


@pytest.mark.sqlite_only
def test_another_invitation_was_opened_since(client: Client) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    come(client, LINK, make.make_invitation(anna), anna)
    mark = client.page(REVIEW).form("/sign-up").values["seen"][0]
    come(client, CODE, make.make_invitation(type="group"))
    response = client.post("/sign-up/passkey", data={"csrf_token": client.token(REVIEW), "seen": mark})
    assert location(response) == REVIEW


@pytest.mark.sqlite_only
def test_where_passwords_are_off_an_unproven_sign_in_can_still_be_replaced(client: Client) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example", username="squatter")
    make.set_site(local_sign_in=False)
    come(client, LINK, make.make_invitation(anna), anna)
    page = client.page(client.page(REVIEW).link("Create a new sign-in"))
    assert not page.all("input", type="password")
    assert location(ways.sign_up(client, Authenticator(), TYPED, "/sign-up")) == "/welcome"
