"""Confirming an e-mail address: opening asks, the button confirms, nobody is merged."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.identity import services
from portal.kernel import clock
from portal.kernel.db import db, transaction
from tests.identity.test_reset import mailed, path_in
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna")


def confirm_link(contact: Contact) -> str:
    with transaction():
        assert services.ask_confirmation(db.session.get_one(Contact, contact.id), clock.now())
    return path_in(mailed("confirm-email")[-1])


def proven(contact: Contact) -> bool:
    return db.session.get_one(Contact, contact.id).email1_verified_at is not None


@pytest.mark.sqlite_only
def test_opening_changes_nothing_and_names_who_it_is(client: Client, anna: Contact, dump: Callable[[], object]) -> None:
    path = confirm_link(anna)
    before = dump()
    for _ in range(20):
        for verb in (client.get, client.head):
            assert (verb(path).status_code, location(verb(path))) == (303, "/confirm-email")
            assert verb("/confirm-email").status_code == 200
    page = client.page("/confirm-email")
    assert "anna@x.example" in page.text
    assert "“anna”" in page.text
    assert path.rpartition("/")[2] not in page.html
    assert client.post("/confirm-email").status_code == 400
    assert client.post(path).status_code == 405
    assert dump() == before


def test_the_button_confirms_and_again_is_no_fault(client: Client, anna: Contact) -> None:
    path = confirm_link(anna)
    client.get(path)
    assert location(client.post_form("/confirm-email")) == "/"
    assert proven(anna)
    page = client.follow(client.get(path))
    assert page.heading == "Your address is confirmed"
    token = client.token("/sign-in")
    assert client.post("/confirm-email", data={"csrf_token": token}).status_code == 303


def test_another_contact_with_the_address_confirmed_is_a_clear_refusal(client: Client, anna: Contact) -> None:
    first, path = make.make_contact(email1="ANNA@x.example", verified=True), confirm_link(anna)
    client.get(path)
    response = client.post_form("/confirm-email")
    assert response.status_code == 409
    assert "confirmed this address already" in response.text
    assert not proven(anna)
    assert proven(first)


@pytest.mark.sqlite_only
def test_it_lives_seventy_two_hours_to_the_second(client: Client, anna: Contact, frozen_clock: FrozenClock) -> None:
    path = confirm_link(anna)
    frozen_clock.move(hours=72, seconds=-1)
    assert client.get(path).status_code == 303
    assert client.get("/confirm-email").status_code == 200
    token = client.page("/confirm-email").form().token
    frozen_clock.move(seconds=1)
    assert client.get(path).status_code == 410
    assert client.get("/confirm-email").status_code == 410
    assert client.post("/confirm-email", data={"csrf_token": token}).status_code == 410
    assert not proven(anna)


@pytest.mark.sqlite_only
def test_it_is_bound_to_the_address(client: Client, anna: Contact) -> None:
    path = confirm_link(anna)
    client.get(path)
    with transaction():
        held = db.session.get_one(Contact, anna.id)
        held.email1 = held.email1_key = "anna@new.example"
    assert client.get(path).status_code == 404
    token = client.token("/sign-in")
    assert client.get("/confirm-email").status_code == 404
    assert client.post("/confirm-email", data={"csrf_token": token}).status_code == 404
    assert client.get("/confirm-email/" + "A" * 43).status_code == 404


@pytest.mark.sqlite_only
def test_five_mails_a_day_to_one_address_whoever_claims_it(
    sign_in_as: Callable[..., Client], anna: Contact, frozen_clock: FrozenClock
) -> None:
    other = make.make_contact(email1="anna@x.example", username="claims")
    for browser in (sign_in_as(anna), sign_in_as(other)):
        for _ in range(4):
            assert location(browser.post_form("/profile/confirmation", page="/profile")) == "/profile"
    assert len(mailed("confirm-email")) == 5
    assert "several e-mails today" in browser.page("/profile").text


@pytest.mark.sqlite_only
def test_once_confirmed_the_profile_says_so(sign_in_as: Callable[..., Client], anna: Contact) -> None:
    browser = sign_in_as(anna)
    assert "Not confirmed" in browser.page("/profile").text
    browser.get(confirm_link(anna))
    assert location(browser.post_form("/confirm-email")) == "/profile"
    page = browser.page("/profile")
    assert "Not confirmed" not in page.text
    assert not page.has_button("Send the confirmation e-mail again")
