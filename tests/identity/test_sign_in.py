"""Signing in: one answer and the same work for every failure, limits, sessions that end."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.contacts.models import Contact
from portal.identity.models import Credential
from portal.kernel import passwords
from portal.kernel.db import db, transaction
from portal.web.sessions import ServerSession
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page

WRONG = "this is not the password"


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="Anna", verified=True)


def try_to(client: Client, identifier: str, password: str = make.PASSWORD) -> Any:
    return client.post_form("/sign-in", {"identifier": identifier, "password": password})


@pytest.mark.sqlite_only
def test_every_failure_looks_the_same(new_client: Callable[[], Client], anna: Contact) -> None:
    make.make_contact(email1="unproven@x.example", username="unproven")
    make.make_contact(email1="none@x.example", verified=True)
    make.make_contact(username="gone", active=False)
    stopped = make.make_contact(username="stopped")
    with transaction():
        db.session.get_one(Credential, stopped.id).failures = 100
    tries = {
        "unknown name": ("nobody", make.PASSWORD),
        "unknown address": ("nobody@x.example", make.PASSWORD),
        "wrong password": ("anna", WRONG),
        "wrong password, by address": ("anna@x.example", WRONG),
        "address not confirmed": ("unproven@x.example", make.PASSWORD),
        "no sign-in": ("none@x.example", make.PASSWORD),
        "deactivated": ("gone", make.PASSWORD),
        "stopped": ("stopped", make.PASSWORD),
        "another's lookalike": ("ann\u0430", make.PASSWORD),
    }
    answers = {why: try_to(new_client(), *typed) for why, typed in tries.items()}
    assert {why: answer.status_code for why, answer in answers.items()} == dict.fromkeys(tries, 422)
    texts = {why: Page(answer).first(cls="error-summary").text for why, answer in answers.items()}
    assert len(set(texts.values())) == 1
    assert not db.session.scalars(db.select(ServerSession)).all()


@pytest.mark.sqlite_only
def test_every_failure_costs_the_same(
    new_client: Callable[[], Client], anna: Contact, monkeypatch: pytest.MonkeyPatch, statements: Callable[[], Any]
) -> None:
    hashes: list[str | None] = []
    verify = passwords.verify_password

    def counted(stored: str | None, text: str) -> bool:
        hashes.append(stored)
        return verify(stored, text)

    monkeypatch.setattr("portal.identity.services.local.verify_password", counted)
    sent = []
    for identifier in ("nobody", "anna", "nobody@x.example", "anna@x.example"):
        browser = new_client()
        token = browser.token("/sign-in")
        with statements() as counting:
            data = {"csrf_token": token, "identifier": identifier, "password": WRONG}
            assert browser.post("/sign-in", data=data).status_code == 422
        sent.append(len(counting))
    assert len(hashes) == 4
    assert len(set(sent)) == 1


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("identifier", "password"), [("", "x"), ("x", ""), ("anna\x00", "x"), ("a" * 255, "x")])
def test_what_is_no_sign_in_at_all(client: Client, anna: Contact, identifier: str, password: str) -> None:
    response = try_to(client, identifier, password)
    assert response.status_code == 422
    assert password == "" or password not in Page(response).form().values.get("password", [])


@pytest.mark.sqlite_only
def test_a_long_password_is_refused_before_any_work(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.identity.services.local.verify_password", lambda *_: pytest.fail("hashed"))
    assert try_to(client, "anna", "x" * 100_000).status_code == 422


@pytest.mark.parametrize("identifier", ["Anna", "anna", " ANNA ", "Ａnna", "anna@x.example", "ANNA@X.Example"])
def test_a_username_in_any_spelling_or_a_confirmed_address(client: Client, anna: Contact, identifier: str) -> None:
    assert location(try_to(client, identifier)) == "/profile"
    assert client.page("/profile").heading == "Anna Weber"


@pytest.mark.sqlite_only
def test_a_dotless_i_is_not_an_i(client: Client) -> None:
    make.make_contact(email1="mike@x.example", username="mike", verified=True)
    assert try_to(client, "m\u0131ke@x.example").status_code == 422


@pytest.mark.sqlite_only
def test_after_ten_failures_the_account_waits_for_everybody_and_lets_in_again(
    new_client: Callable[[], Client], anna: Contact, frozen_clock: FrozenClock
) -> None:
    for n in range(10):
        assert try_to(new_client(), "anna" if n % 2 else "anna@x.example", WRONG).status_code == 422
    refused = try_to(new_client(), "anna")
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 300
    frozen_clock.move(minutes=5, seconds=1)
    assert try_to(new_client(), "anna").status_code == 303


@pytest.mark.sqlite_only
def test_an_unknown_account_is_limited_like_a_known_one(
    new_client: Callable[[], Client], frozen_clock: FrozenClock
) -> None:
    for _ in range(10):
        assert try_to(new_client(), "nobody", WRONG).status_code == 422
    assert try_to(new_client(), "Nobody", WRONG).status_code == 429


def test_a_hundred_failures_in_a_row_stop_the_password_and_a_success_starts_anew(client: Client, anna: Contact) -> None:
    with transaction():
        db.session.get_one(Credential, anna.id).failures = 98
    assert try_to(client, "anna", WRONG).status_code == 422
    assert try_to(client, "anna").status_code == 303
    assert db.session.get_one(Credential, anna.id).failures == 0
    with transaction():
        db.session.get_one(Credential, anna.id).failures = 99
    client.post_form("/sign-out", page="/profile")
    assert try_to(client, "anna", WRONG).status_code == 422
    assert try_to(client, "anna").status_code == 422


def test_signing_in_gives_a_new_session_id(new_client: Callable[[], Client], anna: Contact) -> None:
    browser = new_client()
    contact = db.session.get_one(Contact, anna.id)
    invitation = make.make_invitation(contact)
    browser.get("/redeem", query_string={"code": make.code_of(invitation)})
    before = browser.get_cookie("portal")
    assert before is not None
    assert try_to(browser, "anna").status_code == 303
    after = browser.get_cookie("portal")
    assert after is not None
    assert after.value != before.value
    fixed = new_client()
    fixed.set_cookie("portal", before.value)
    assert fixed.get("/profile").status_code == 303


def test_a_cookie_is_worth_nothing_after_signing_out(
    sign_in_as: Callable[..., Client], new_client: Callable[[], Client], anna: Contact
) -> None:
    browser = sign_in_as(anna)
    cookie = browser.get_cookie("portal")
    assert cookie is not None
    assert location(browser.post_form("/sign-out", page="/profile")) == "/"
    assert "You are signed out." in browser.page("/").text
    replayed = new_client()
    replayed.set_cookie("portal", cookie.value)
    assert location(replayed.get("/profile")) == "/sign-in?next=/profile"
    assert db.session.scalars(db.select(ServerSession)).all() == []


def test_all_sessions_end_when_the_contact_is_deactivated(sign_in_as: Callable[..., Client], anna: Contact) -> None:
    browsers = [sign_in_as(anna) for _ in range(3)]
    with transaction():
        db.session.get_one(Contact, anna.id).active = False
    assert [browser.get("/profile").status_code for browser in browsers] == [303, 303, 303]


@pytest.mark.sqlite_only
def test_signing_out_needs_a_post_with_a_token(sign_in_as: Callable[..., Client], anna: Contact) -> None:
    browser = sign_in_as(anna)
    assert browser.get("/sign-out").status_code == 405
    assert browser.post("/sign-out").status_code == 400
    assert browser.get("/profile").status_code == 200


@pytest.mark.sqlite_only
def test_where_one_was_going_is_kept(client: Client, anna: Contact) -> None:
    asked = location(client.get("/profile/password"))
    assert asked == "/sign-in?next=/profile/password"
    assert location(client.post_form(asked, {"identifier": "anna", "password": make.PASSWORD})) == "/profile/password"


@pytest.mark.sqlite_only
def test_an_older_hash_is_renewed_when_its_password_is_known(client: Client) -> None:
    from argon2 import PasswordHasher

    person = make.make_contact(username="old")
    with transaction():
        cheap = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(make.PASSWORD)
        db.session.get_one(Credential, person.id).password_hash = cheap
    assert try_to(client, "old").status_code == 303
    assert "m=19456,t=2,p=1" in db.session.get_one(Credential, person.id).password_hash


@pytest.mark.sqlite_only
def test_staff_and_contacts_are_two_sign_ins(sign_in_as: Callable[..., Client], anna: Contact) -> None:
    staff = sign_in_as("owner")
    assert staff.get("/profile").status_code == 303
    contact = sign_in_as(anna)
    assert contact.get("/staff/").status_code == 303


@pytest.mark.sqlite_only
def test_failures_for_somebodys_number_do_not_lock_them_out(client: Client, anna: Contact) -> None:
    for _ in range(10):
        client.post_form("/sign-in", {"identifier": str(anna.id), "password": "wrong"})
    assert client.post_form("/sign-in", {"identifier": "anna", "password": make.PASSWORD}).status_code == 303


def test_whoever_is_shut_out_while_signing_in_is_not_signed_in(
    client: Client, anna: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = anna.id

    def meanwhile(*_: object) -> None:
        with transaction():
            db.session.get_one(Contact, number).epoch += 1

    monkeypatch.setattr("portal.web.throttle.succeeded", meanwhile)
    assert client.post_form("/sign-in", {"identifier": "anna", "password": make.PASSWORD}).status_code == 303
    assert client.get("/profile").status_code == 303
