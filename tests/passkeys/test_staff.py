"""Passkeys on the staff side: two factors at once, a fresh proof, and never a contact's key."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from flask import Flask

from portal.journal.models import JournalEntry
from portal.kernel.db import db, transaction
from portal.passkeys import pending
from portal.passkeys.models import Passkey
from portal.staff.models import StaffMember
from tests.passkeys import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.twins.authenticator import Authenticator

Dump = Callable[[], Any]
SignInAs = Callable[[Any], Client]
PAGE = "/staff/sign-in"
OPTIONS, ADD = "/staff/profile/passkeys/options", "/staff/profile/passkeys"


@pytest.fixture
def olga(app: Flask) -> StaffMember:
    return make.make_staff("owner", name="Olga Owner", email="olga@staff.example")


def nobody(browser: Client) -> bool:
    return location(browser.get("/staff/")).startswith(PAGE)


def actions(word: str) -> list[str]:
    found = db.session.scalars(db.select(JournalEntry.action).order_by(JournalEntry.id))
    return [action for action in found if word in action]


def test_a_staff_member_signs_in(client: Client, olga: StaffMember) -> None:
    device = ways.give(olga)
    assert client.page(PAGE).form("/staff/sign-in/passkey")
    response = ways.sign_in(client, device, page=PAGE, next="/staff/contacts/")
    assert (response.status_code, location(response)) == (303, "/staff/contacts/")
    assert client.get("/staff/contacts/").status_code == 200
    assert actions("sign-in") == ["sign-in.ok"]


def test_it_is_two_factors_at_once(client: Client, olga: StaffMember) -> None:
    make.set_site(owners_need_second_factor=True)
    device = ways.give(olga)
    assert location(ways.sign_in(client, device, page=PAGE)) == "/staff/"
    assert client.get("/staff/").status_code == 200


def test_an_app_is_not_asked_for_besides(client: Client, olga: StaffMember) -> None:
    from portal.kernel import clock

    device = ways.give(olga)
    with transaction():
        db.session.get_one(StaffMember, olga.id).totp_confirmed_at = clock.now()
    assert location(ways.sign_in(client, device, page=PAGE)) == "/staff/"
    assert client.get("/staff/").status_code == 200


@pytest.mark.parametrize(
    "twist",
    [
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"verified": False},
        {"handle": None},
        {"handle": b"somebody"},
        {"challenge": "A" * 43},
        {"type": "webauthn.create"},
    ],
)
def test_a_faulty_answer_signs_nobody_in(client: Client, olga: StaffMember, dump: Dump, twist: Any) -> None:
    device = ways.give(olga)
    before = dump()
    response = ways.sign_in(client, device, page=PAGE, **twist)
    assert location(response).startswith(PAGE)
    assert "That passkey did not work here" in client.follow(response).text
    assert dump() == before
    assert nobody(client)


def test_an_answer_works_once(client: Client, new_client: Any, olga: StaffMember, dump: Dump) -> None:
    device = ways.give(olga)
    told = ways.ask(client, "/staff/sign-in/passkey/options", PAGE)
    credential = device.use(told["publicKey"])
    assert location(ways.send(client, "/staff/sign-in/passkey", told, credential)) == "/staff/"
    other = new_client()
    again = ways.ask(other, "/staff/sign-in/passkey/options", PAGE)
    before = dump()
    assert location(ways.send(other, "/staff/sign-in/passkey", again, credential)).startswith(PAGE)
    assert dump() == before
    assert nobody(other)


def test_a_contacts_key_and_a_contacts_challenge_open_nothing(client: Client, olga: StaffMember, dump: Dump) -> None:
    theirs = ways.give(make.make_contact("Anna", "Weber"))
    device = ways.give(olga)
    outside = ways.ask(client, "/sign-in/passkey/options", "/sign-in")
    told = ways.ask(client, "/staff/sign-in/passkey/options", PAGE)
    before = dump()
    assert location(ways.sign_in(client, theirs, page=PAGE)).startswith(PAGE)
    stolen = device.use(outside["publicKey"])
    assert location(ways.send(client, "/staff/sign-in/passkey", told, stolen)).startswith(PAGE)
    assert dump() == before
    assert nobody(client)


def test_somebody_deactivated(client: Client, dump: Dump) -> None:
    device = ways.give(make.make_staff("viewer", active=False))
    before = dump()
    assert location(ways.sign_in(client, device, page=PAGE)).startswith(PAGE)
    assert dump() == before
    assert nobody(client)


def test_a_counter_that_goes_back_is_journalled(client: Client, olga: StaffMember) -> None:
    device = ways.give(olga)
    with transaction():
        db.session.execute(db.update(Passkey).values(sign_count=5))
    assert location(ways.sign_in(client, device, page=PAGE, count=5)).startswith(PAGE)
    assert actions("") == ["staff.passkey-copied"]
    assert nobody(client)


def test_a_passkey_is_added_after_a_fresh_proof(
    sign_in_as: SignInAs, new_client: Any, olga: StaffMember, frozen_clock: FrozenClock, dump: Dump
) -> None:
    browser, device = sign_in_as(olga), Authenticator()
    frozen_clock.move(minutes=10)
    before = dump()
    asked = browser.post(OPTIONS, headers={"X-CSRFToken": browser.token("/staff/profile")})
    assert (asked.status_code, asked.get_json()) == (403, {"go": "/staff/confirm?next=/staff/profile"})
    token = browser.token("/staff/profile")
    assert location(browser.post(ADD, data={"csrf_token": token})).startswith("/staff/confirm")
    assert dump() == before
    browser = sign_in_as(olga)
    told = ways.ask(browser, OPTIONS, "/staff/profile")
    assert (told["publicKey"]["user"]["name"], told["publicKey"]["rp"]["id"]) == ("olga@staff.example", "localhost")
    response = ways.send(browser, ADD, told, device.make(told["publicKey"]))
    assert "The passkey is added." in browser.follow(response).text
    assert [(key.staff_id, key.contact_id) for key in ways.stored()] == [(olga.id, None)]
    assert actions("passkey") == ["staff.passkey-added"]
    assert location(ways.sign_in(new_client(), device, page=PAGE)) == "/staff/"


@pytest.mark.parametrize("twist", [{"verified": False}, {"origin": "https://evil.example"}, {"challenge": "A" * 43}])
def test_a_faulty_key_is_not_added(sign_in_as: SignInAs, olga: StaffMember, dump: Dump, twist: Any) -> None:
    browser = sign_in_as(olga)
    told = ways.ask(browser, OPTIONS, "/staff/profile")
    before = dump()
    response = ways.send(browser, ADD, told, Authenticator().make(told["publicKey"], **twist))
    assert "was not added" in browser.follow(response).text
    assert dump() == before


def test_a_key_is_renamed_and_removed(sign_in_as: SignInAs, client: Client, olga: StaffMember) -> None:
    device = ways.give(olga, name="Blue")
    browser, url = sign_in_as(olga), f"/staff/profile/passkeys/{ways.stored()[0].id}"
    assert browser.post_form(url, {"name": ""}).status_code == 422
    assert location(browser.post_form(url, {"name": "Green"})) == "/staff/profile"
    assert "Green" in browser.page("/staff/profile").links
    assert "“Green” is removed" in browser.follow(browser.post_form(f"{url}/remove", page=url)).text
    assert (ways.stored(), actions("passkey")) == ([], ["staff.passkey-renamed", "staff.passkey-removed"])
    assert location(ways.sign_in(client, device, page=PAGE)).startswith(PAGE)


def test_others_keys_are_out_of_reach(sign_in_as: SignInAs, olga: StaffMember, dump: Dump) -> None:
    ways.give(make.make_staff("owner"))
    ways.give(make.make_contact("Anna", "Weber"))
    browser = sign_in_as(olga)
    before, token = dump(), browser.token("/staff/profile")
    for key in ways.stored():
        for path in ("", "/remove"):
            data = {"csrf_token": token, "name": "Mine"}
            assert browser.post(f"/staff/profile/passkeys/{key.id}{path}", data=data).status_code == 404
    assert dump() == before


def test_the_last_way_to_sign_in_stays(client: Client, dump: Dump) -> None:
    device = ways.give(make.make_staff("owner", password=None))
    ways.sign_in(client, device, page=PAGE)
    url = f"/staff/profile/passkeys/{ways.stored()[0].id}"
    before = dump()
    assert "This is your last way to sign in." in client.follow(client.post_form(f"{url}/remove", page=url)).text
    assert dump() == before


def prove(browser: Client, device: Authenticator, **twist: Any) -> Any:
    told = ways.ask(browser, "/staff/confirm/passkey/options", "/staff/confirm")
    credential = device.use(told["publicKey"], **twist)
    return ways.send(browser, "/staff/confirm/passkey", told, credential, next="/staff/profile")


def test_a_passkey_is_a_fresh_proof(sign_in_as: SignInAs, olga: StaffMember, frozen_clock: FrozenClock) -> None:
    device = ways.give(olga)
    browser = sign_in_as(olga)
    frozen_clock.move(minutes=10)
    assert browser.page("/staff/confirm?next=/staff/profile").form("/staff/confirm/passkey")
    assert location(prove(browser, device, verified=False)).startswith("/staff/confirm")
    assert browser.post(OPTIONS, headers={"X-CSRFToken": browser.token("/staff/profile")}).status_code == 403
    assert location(prove(browser, device)) == "/staff/profile"
    assert browser.post(OPTIONS, headers={"X-CSRFToken": browser.token("/staff/profile")}).status_code == 200


def test_the_passkey_of_somebody_else_proves_nothing(
    sign_in_as: SignInAs, olga: StaffMember, frozen_clock: FrozenClock, dump: Dump
) -> None:
    other = ways.give(make.make_staff("owner"))
    browser = sign_in_as(olga)
    frozen_clock.move(minutes=10)
    before = dump()
    assert location(prove(browser, other)).startswith("/staff/confirm")
    assert dump() == before
    assert browser.post(OPTIONS, headers={"X-CSRFToken": browser.token("/staff/profile")}).status_code == 403


@pytest.mark.sqlite_only
def test_switched_off_there_is_nothing(client: Client, olga: StaffMember) -> None:
    make.set_site(passkeys=False)
    page = client.page(PAGE)
    assert not page.all(data_passkey=None)
    for path in ("", "/options"):
        headers = {"X-CSRFToken": page.posts[0].token}
        assert client.post(f"/staff/sign-in/passkey{path}", headers=headers).status_code == 404


@pytest.mark.parametrize("counts", [True, False])
def test_an_answer_sent_twice_at_once_is_taken_once_and_nobody_speaks_of_a_copy(
    client: Client, new_client: Any, olga: StaffMember, monkeypatch: pytest.MonkeyPatch, counts: bool
) -> None:
    device, take = ways.give(olga, Authenticator(counts=counts)), pending.take
    told = ways.ask(client, "/staff/sign-in/passkey/options", PAGE)
    credential, cookie = device.use(told["publicKey"]), client.get_cookie("portal-staff")

    def slow(*given: Any) -> Any:
        found = take(*given)
        time.sleep(0.3)
        return found

    def once(_: int) -> str:
        browser = new_client()
        browser.set_cookie("portal-staff", cookie.value)
        return location(ways.send(browser, "/staff/sign-in/passkey", told, credential))

    monkeypatch.setattr(pending, "take", slow)
    with ThreadPoolExecutor(3) as pool:
        answers = sorted(pool.map(lambda n: copy_context().run(once, n), range(3)))
    assert answers == ["/staff/", f"{PAGE}?next=/staff/", f"{PAGE}?next=/staff/"]
    assert actions("passkey") == []
    assert actions("sign-in") == ["sign-in.ok"]
