"""A contact's own passkeys: adding needs a fresh proof, the last way in stays, others' keys are out of reach."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity import services
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import Actor
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict
from portal.mail.models import Message
from tests.passkeys import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page
from tests.twins.authenticator import Authenticator

Dump = Callable[[], Any]
SignInAs = Callable[[Any], Client]
OPTIONS, ADD = "/profile/passkeys/options", "/profile/passkeys"


@pytest.fixture
def anna(app: Flask) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


def add(browser: Client, device: Authenticator, **twist: Any) -> Any:
    told = ways.ask(browser, OPTIONS, "/profile")
    return ways.send(browser, ADD, told, device.make(told["publicKey"], **twist))


def actions() -> list[str]:
    found = db.session.scalars(db.select(JournalEntry.action).order_by(JournalEntry.id))
    return [action for action in found if "passkey" in action]


def test_a_passkey_is_added_and_signs_in(sign_in_as: SignInAs, new_client: Any, anna: Contact) -> None:
    browser, device = sign_in_as(anna), Authenticator()
    agent = {"User-Agent": "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"}
    told = ways.ask(browser, OPTIONS, "/profile")
    data = {"csrf_token": told["csrf_token"], "credential": device.make(told["publicKey"])}
    response = browser.post(ADD, data=data, headers=agent)
    assert location(response) == "/profile"
    assert "The passkey is added." in browser.page("/profile").text
    assert [(key.name, key.contact_id) for key in ways.stored()] == [("Chrome on Windows", anna.id)]
    assert actions() == ["credential.passkey-added"]
    notices = [m for m in db.session.scalars(db.select(Message)) if m.kind == "sign-in-changed"]
    assert [(m.contact_id, m.detail["what"]) for m in notices] == [(anna.id, "passkey-added")]
    assert location(ways.sign_in(new_client(), device)) == "/profile"


def test_a_second_one_has_the_same_handle_and_another_name(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    first, second = Authenticator(), Authenticator()
    add(browser, first)
    told = ways.ask(browser, OPTIONS, "/profile")
    assert [len(one["id"]) for one in told["publicKey"]["excludeCredentials"]] == [43]
    ways.send(browser, ADD, told, second.make(told["publicKey"]))
    assert first.keys[0].handle == second.keys[0].handle
    assert len({key.name for key in ways.stored()}) == 2


def test_adding_needs_a_fresh_proof(sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock, dump: Dump) -> None:
    browser = sign_in_as(anna)
    told = ways.ask(browser, OPTIONS, "/profile")
    frozen_clock.move(minutes=10)
    before = dump()
    asked = browser.post(OPTIONS, headers={"X-CSRFToken": browser.token("/profile")})
    assert (asked.status_code, asked.get_json()) == (403, {"go": "/sign-in/again?next=/profile"})
    response = ways.send(browser, ADD, told, Authenticator().make(told["publicKey"]))
    assert location(response).startswith("/sign-in/again")
    assert dump() == before


@pytest.mark.parametrize(
    "twist",
    [{"verified": False}, {"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"challenge": "A" * 43}],
)
def test_a_faulty_key_is_not_added(sign_in_as: SignInAs, anna: Contact, dump: Dump, twist: Any) -> None:
    browser = sign_in_as(anna)
    before = dump()
    assert "was not added" in browser.follow(add(browser, Authenticator(), **twist)).text
    assert dump() == before


def test_a_challenge_for_signing_in_adds_nothing(sign_in_as: SignInAs, anna: Contact, dump: Dump) -> None:
    browser = sign_in_as(anna)
    told = ways.ask(browser, OPTIONS, "/profile")
    other = ways.ask(browser, "/sign-in/passkey/options", "/profile")
    before = dump()
    device = Authenticator()
    ways.send(browser, ADD, told, device.make({**told["publicKey"], "challenge": other["publicKey"]["challenge"]}))
    assert dump() == before


@pytest.mark.sqlite_only
def test_at_most_twenty(sign_in_as: SignInAs, anna: Contact, dump: Dump) -> None:
    for number in range(20):
        ways.give(anna, name=f"Key {number}")
    browser = sign_in_as(anna)
    before = dump()
    assert "You have 20 passkeys." in browser.follow(add(browser, Authenticator())).text
    assert dump() == before


@pytest.mark.parametrize("verb", ["get", "post"])
@pytest.mark.parametrize("path", ["", "/remove"])
def test_others_keys_are_out_of_reach(sign_in_as: SignInAs, anna: Contact, dump: Dump, path: str, verb: str) -> None:
    ways.give(make.make_contact("Otto", "Other"), name="Ottos key")
    ways.give(make.make_staff("owner"), name="Staff key")
    browser = sign_in_as(anna)
    before, token = dump(), browser.token("/profile")
    for key in ways.stored():
        url = f"/profile/passkeys/{key.id}{path}"
        send = browser.get if verb == "get" else browser.post
        response = send(url, data={"csrf_token": token, "name": "Mine"})
        assert response.status_code == (405 if (verb, path) == ("get", "/remove") else 404)
        assert "key" not in Page(response).heading
    assert dump() == before


def test_a_key_gets_another_name(sign_in_as: SignInAs, anna: Contact) -> None:
    ways.give(anna)
    browser, url = sign_in_as(anna), f"/profile/passkeys/{ways.stored()[0].id}"
    assert location(browser.post_form(url, {"name": " Blue  "})) == "/profile"
    assert ways.stored()[0].name == "Blue"
    assert "Blue" in browser.page("/profile").links
    assert actions() == ["credential.passkey-renamed"]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "x" * 101])
def test_a_name_that_is_none(sign_in_as: SignInAs, anna: Contact, dump: Dump, name: str) -> None:
    ways.give(anna)
    browser, url = sign_in_as(anna), f"/profile/passkeys/{ways.stored()[0].id}"
    before = dump()
    assert browser.post_form(url, {"name": name}).status_code == 422
    assert dump() == before


def test_removing_needs_a_fresh_proof_and_then_works(
    sign_in_as: SignInAs, new_client: Any, anna: Contact, frozen_clock: FrozenClock
) -> None:
    device = ways.give(anna, name="Blue")
    browser, url = sign_in_as(anna), f"/profile/passkeys/{ways.stored()[0].id}"
    frozen_clock.move(minutes=10)
    assert location(browser.post_form(f"{url}/remove", page=url)).startswith("/sign-in/again")
    assert len(ways.stored()) == 1
    browser.post_form("/sign-in/again", {"password": make.PASSWORD})
    assert "“Blue” is removed" in browser.follow(browser.post_form(f"{url}/remove", page=url)).text
    assert (ways.stored(), actions()) == ([], ["credential.passkey-removed"])
    assert [m.detail["what"] for m in db.session.scalars(db.select(Message))] == ["passkey-removed"]
    assert ways.sign_in(new_client(), device).status_code == 422


def test_the_last_way_to_sign_in_stays(client: Client, dump: Dump) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    one, two = ways.give(anna), ways.give(anna)
    ways.sign_in(client, one)
    first, second = (f"/profile/passkeys/{key.id}" for key in ways.stored())
    assert location(client.post_form(f"{first}/remove", page=first)) == "/profile"
    before = dump()
    assert "This is your last way to sign in." in client.follow(client.post_form(f"{second}/remove", page=second)).text
    assert dump() == before
    assert two.keys


def prove(browser: Client, device: Authenticator, **twist: Any) -> Any:
    told = ways.ask(browser, "/sign-in/again/passkey/options", "/sign-in/again")
    sent = {"next": twist.pop("next")} if "next" in twist else {}
    return ways.send(browser, "/sign-in/again/passkey", told, device.use(told["publicKey"], **twist), **sent)


def test_a_passkey_is_a_fresh_proof(client: Client, frozen_clock: FrozenClock) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    device = ways.give(anna)
    ways.sign_in(client, device)
    frozen_clock.move(minutes=10)
    page = client.page("/sign-in/again?next=/profile")
    assert page.form("/sign-in/again/passkey").values["next"] == ["/profile"]
    assert location(prove(client, device, next="/profile", handle=None)) == "/profile"
    assert ways.ask(client, OPTIONS, "/profile")["publicKey"]
    frozen_clock.move(minutes=10)
    assert location(prove(client, device, next="//evil.example")) == "/profile"


def test_the_passkey_of_somebody_else_proves_nothing(
    sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock, dump: Dump
) -> None:
    other = ways.give(make.make_contact("Otto", "Other"))
    browser = sign_in_as(anna)
    frozen_clock.move(minutes=10)
    before = dump()
    for twist in ({}, {"handle": None}, {"handle": b"handle of %d" % anna.id}):
        assert location(prove(browser, other, **twist)).startswith("/sign-in/again")
    assert dump() == before
    assert browser.post(OPTIONS, headers={"X-CSRFToken": browser.token("/profile")}).status_code == 403


@pytest.mark.sqlite_only
def test_whoever_has_none_is_not_asked_for_one(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    assert not browser.page("/sign-in/again").all(data_passkey=None)


@pytest.mark.sqlite_only
def test_nobody_signed_in_gets_none_of_it(client: Client, anna: Contact, dump: Dump) -> None:
    ways.give(anna)
    before, token = dump(), client.token("/sign-in")
    number = ways.stored()[0].id
    for url in (OPTIONS, ADD, f"{ADD}/{number}", f"{ADD}/{number}/remove", "/sign-in/again/passkey/options"):
        assert location(client.post(url, data={"csrf_token": token})).startswith("/sign-in")
    assert dump() == before


@pytest.mark.sqlite_only
def test_switched_off_the_keys_are_kept_and_can_be_removed(sign_in_as: SignInAs, anna: Contact) -> None:
    ways.give(anna, name="Blue")
    make.set_site(passkeys=False)
    browser, url = sign_in_as(anna), f"/profile/passkeys/{ways.stored()[0].id}"
    page = browser.page("/profile")
    assert "Passkeys are switched off" in page.text
    assert not page.all(data_passkey=None)
    assert browser.post(OPTIONS, headers={"X-CSRFToken": browser.token("/profile")}).status_code == 404
    assert location(browser.post_form(f"{url}/remove", page=url)) == "/profile"
    assert ways.stored() == []


def test_a_key_removed_meanwhile_signs_nobody_in(client: Client, anna: Contact) -> None:
    device = ways.give(anna)
    told = ways.ask(client, "/sign-in/passkey/options", "/sign-in")
    with transaction():
        db.session.delete(db.session.merge(ways.stored()[0]))
    assert ways.send(client, "/sign-in/passkey", told, device.use(told["publicKey"])).status_code == 422


def test_of_two_last_keys_removed_at_once_one_stays(app: Flask) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@x.example")
    ways.give(anna)
    ways.give(anna)
    number, both = anna.id, [key.id for key in ways.stored()]
    start, refused = Barrier(2), []

    def remove(passkey_id: int) -> None:
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    by = Actor("contact", number, "Anna Weber")
                    services.remove_own_passkey(number, passkey_id, by, clock.now())
            except Conflict:
                refused.append(passkey_id)
            db.session.remove()

    threads = [Thread(target=remove, args=(passkey_id,)) for passkey_id in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    assert len(refused) == 1
    assert [key.id for key in ways.stored()] == refused
