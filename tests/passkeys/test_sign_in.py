"""Signing in with a passkey: whatever is wrong with an answer, nobody is signed in and nothing is written."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.journal.models import JournalEntry
from portal.kernel.db import db, transaction
from portal.passkeys.models import Passkey
from portal.web.sessions import ServerSession
from tests.passkeys import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page
from tests.twins.authenticator import Authenticator, Key

Dump = Callable[[], Any]


@pytest.fixture
def anna(app: Flask) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example")


@pytest.fixture
def device(anna: Contact) -> Authenticator:
    return ways.give(anna)


def nobody(browser: Client) -> bool:
    return location(browser.get("/profile")).startswith("/sign-in")


def test_somebody_signs_in_and_the_session_is_a_new_one(client: Client, device: Authenticator) -> None:
    response = ways.sign_in(client, device)
    assert (response.status_code, location(response)) == (303, "/profile")
    assert client.page("/profile").heading == "Anna Weber"
    key = ways.stored()[0]
    assert (key.sign_count, key.used_at is not None) == (1, True)
    assert db.session.scalars(db.select(JournalEntry.action)).all() == ["sign-in.ok"]
    assert [row.data["signed_in_by"] for row in db.session.scalars(db.select(ServerSession))] == ["passkey"]


def test_an_authenticator_that_does_not_count_signs_in_again(new_client: Any, anna: Contact) -> None:
    device = ways.give(anna, Authenticator(counts=False))
    for _ in range(2):
        assert ways.sign_in(new_client(), device).status_code == 303


@pytest.mark.parametrize(
    "twist",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:5001"},
        {"origin": "https://localhost"},
        {"rp_id": "evil.example"},
        {"verified": False},
        {"present": False},
        {"type": "webauthn.create"},
        {"cross_origin": True},
        {"challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
        {"challenge": ""},
        {"challenge": None},
        {"handle": None},
        {"handle": b""},
        {"handle": b"handle of 999"},
        {"signed_by": Key("localhost", b"x")},
    ],
    ids=lambda twist: " ".join(f"{name}={value}"[:40] for name, value in twist.items()),
)
def test_a_faulty_answer_signs_nobody_in(client: Client, device: Authenticator, dump: Dump, twist: Any) -> None:
    before = dump()
    response = ways.sign_in(client, device, **twist)
    assert response.status_code == 422
    assert "That passkey did not work here" in Page(response).text
    assert dump() == before
    assert nobody(client)


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "credential",
    [
        "",
        "x",
        "{}",
        "[]",
        "null",
        "7",
        '{"rawId": 1, "response": {}}',
        '{"rawId": "AA", "response": {"clientDataJSON": "AA"}}',
        '{"rawId": "AA", "response": {"clientDataJSON": "bnVsbA"}}',
        '{"rawId": "", "response": {"clientDataJSON": "eyJjaGFsbGVuZ2UiOiAieCJ9"}}',
        "[" * 15_000,
        "x" * 20_001,
        "\x00",
        "{\ud800}".encode("utf-8", "surrogatepass"),
    ],
    ids=lambda text: str(text[:30]),
)
def test_what_is_no_answer_at_all(client: Client, device: Authenticator, dump: Dump, credential: Any) -> None:
    before = dump()
    told = ways.ask(client, "/sign-in/passkey/options", "/sign-in")
    assert ways.send(client, "/sign-in/passkey", told, credential).status_code == 422
    assert dump() == before
    assert nobody(client)


def test_an_answer_works_once(new_client: Any, device: Authenticator, dump: Dump) -> None:
    browser = new_client()
    told = ways.ask(browser, "/sign-in/passkey/options", "/sign-in")
    credential = device.use(told["publicKey"])
    assert ways.send(browser, "/sign-in/passkey", told, credential).status_code == 303
    before = dump()
    token = browser.token("/profile")
    again = browser.post("/sign-in/passkey", data={"csrf_token": token, "credential": credential})
    assert again.status_code == 422
    assert dump() == before


def test_a_refused_answer_uses_its_challenge_up(client: Client, device: Authenticator, dump: Dump) -> None:
    told = ways.ask(client, "/sign-in/passkey/options", "/sign-in")
    assert ways.send(client, "/sign-in/passkey", told, device.use(told["publicKey"], verified=False)).status_code == 422
    before = dump()
    assert ways.send(client, "/sign-in/passkey", told, device.use(told["publicKey"])).status_code == 422
    assert dump() == before


def test_the_challenge_of_another_browser(new_client: Any, device: Authenticator, dump: Dump) -> None:
    theirs, mine = new_client(), new_client()
    told = ways.ask(theirs, "/sign-in/passkey/options", "/sign-in")
    own = ways.ask(mine, "/sign-in/passkey/options", "/sign-in")
    before = dump()
    assert ways.send(mine, "/sign-in/passkey", own, device.use(told["publicKey"])).status_code == 422
    assert dump() == before


@pytest.mark.parametrize(("seconds", "status"), [(299, 303), (300, 422)])
def test_a_challenge_lasts_five_minutes(
    client: Client, device: Authenticator, frozen_clock: FrozenClock, seconds: int, status: int
) -> None:
    told = ways.ask(client, "/sign-in/passkey/options", "/sign-in")
    frozen_clock.move(seconds=seconds)
    assert ways.send(client, "/sign-in/passkey", told, device.use(told["publicKey"])).status_code == status


@pytest.mark.sqlite_only
def test_of_many_challenges_the_last_five_count(client: Client, device: Authenticator) -> None:
    told = [ways.ask(client, "/sign-in/passkey/options", "/sign-in") for _ in range(6)]
    assert ways.send(client, "/sign-in/passkey", told[-1], device.use(told[0]["publicKey"])).status_code == 422
    assert ways.send(client, "/sign-in/passkey", told[-1], device.use(told[1]["publicKey"])).status_code == 303


def test_an_unknown_key(client: Client, anna: Contact, dump: Dump) -> None:
    stray = Authenticator()
    stray.keys.append(Key("localhost", b"handle of %d" % anna.id))
    before = dump()
    assert ways.sign_in(client, stray).status_code == 422
    assert dump() == before


def test_a_staff_members_key_is_none_of_a_contact(client: Client, anna: Contact, dump: Dump) -> None:
    owner = make.make_staff("owner")
    device = ways.give(owner)
    before = dump()
    assert ways.sign_in(client, device).status_code == 422
    assert dump() == before
    assert nobody(client)


def test_a_deactivated_contact(client: Client, anna: Contact, device: Authenticator, dump: Dump) -> None:
    with transaction():
        db.session.get_one(Contact, anna.id).active = False
    before = dump()
    assert ways.sign_in(client, device).status_code == 422
    assert dump() == before
    assert nobody(client)


@pytest.mark.parametrize("count", [0, 4, 5])
def test_a_counter_that_does_not_grow_is_a_copy(
    client: Client, anna: Contact, device: Authenticator, dump: Dump, count: int
) -> None:
    with transaction():
        db.session.execute(db.update(Passkey).values(sign_count=5))
    assert ways.sign_in(client, device, count=count).status_code == 422
    assert ways.stored()[0].sign_count == 5
    assert [e.action for e in db.session.scalars(db.select(JournalEntry))] == ["credential.passkey-copied"]
    assert nobody(client)
    assert ways.sign_in(client, device, count=6).status_code == 303


def test_sessions_by_passkey_end_with_the_rest(client: Client, anna: Contact, device: Authenticator) -> None:
    assert ways.sign_in(client, device).status_code == 303
    with transaction():
        db.session.get_one(Contact, anna.id).epoch += 1
    assert nobody(client)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("url", ["/sign-in/passkey/options", "/sign-in/passkey", "/sign-up/passkey"])
def test_switched_off_there_is_nothing(client: Client, device: Authenticator, url: str) -> None:
    make.set_site(passkeys=False)
    assert client.post(url, headers={"X-CSRFToken": client.token("/sign-in")}).status_code == 404
    assert not client.page("/sign-in").all(data_passkey=None)


@pytest.mark.sqlite_only
def test_an_ip_address_can_have_no_passkeys(make_app: Callable[..., Flask], anna: Contact) -> None:
    base_url = "http://127.0.0.1:5000"
    browser: Any = make_app(PORTAL_BASE_URL=base_url).test_client()
    page = Page(browser.get("/sign-in", base_url=base_url))
    assert not page.all(data_passkey=None)
    headers = {"X-CSRFToken": page.posts[0].token}
    assert browser.post("/sign-in/passkey/options", headers=headers, base_url=base_url).status_code == 404


@pytest.mark.sqlite_only
def test_asking_is_limited_by_what_failed(client: Client, device: Authenticator, frozen_clock: FrozenClock) -> None:
    for _ in range(30):
        assert ways.sign_in(client, device, verified=False).status_code == 422
    refused = ways.sign_in(client, device)
    assert (refused.status_code, 1 <= int(refused.headers["Retry-After"]) <= 300) == (429, True)
    frozen_clock.move(minutes=5, seconds=1)
    assert ways.sign_in(client, device).status_code == 303


@pytest.mark.sqlite_only
def test_one_address_cannot_make_sessions_without_end(new_client: Callable[[], Client], anna: Contact) -> None:
    browser = new_client()
    headers = {"X-CSRFToken": browser.token("/sign-in")}
    cookie = browser.get_cookie("portal")
    assert cookie is not None
    statuses = []
    for _ in range(101):
        browser.set_cookie("portal", cookie.value)
        statuses.append(browser.post("/sign-in/passkey/options", headers=headers).status_code)
    assert (set(statuses[:100]), statuses[100]) == ({200}, 429)


@pytest.mark.sqlite_only
def test_options_ask_for_any_key_behind_a_pin(client: Client, anna: Contact) -> None:
    told = ways.ask(client, "/sign-in/passkey/options", "/sign-in")["publicKey"]
    assert (told["rpId"], told["userVerification"], told["allowCredentials"]) == ("localhost", "required", [])
    assert len(told["challenge"]) == 43


@pytest.mark.sqlite_only
def test_looking_at_the_page_keeps_nothing(client: Client, anna: Contact) -> None:
    client.page("/sign-in")
    assert db.session.scalars(db.select(ServerSession)).all() == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil.example", "/nowhere", ""])
def test_a_hostile_next_stays_here(client: Client, device: Authenticator, target: str) -> None:
    assert location(ways.sign_in(client, device, next=target)) == "/profile"


@pytest.mark.sqlite_only
def test_where_one_was_going_is_kept(client: Client, device: Authenticator) -> None:
    page = client.page("/sign-in?next=/welcome")
    form = page.form("/sign-in/passkey")
    assert form.values["next"] == ["/welcome"]
    assert location(ways.sign_in(client, device, next="/profile/password")) == "/profile/password"
