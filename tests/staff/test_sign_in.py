import json
from collections.abc import Callable
from typing import Any

import pytest
from argon2 import PasswordHasher

from portal.journal.models import JournalEntry, JournalRecord
from portal.kernel import passwords
from portal.kernel.db import db, transaction
from portal.staff import services
from portal.staff.models import StaffMember
from portal.web.sessions import ServerSession
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.make import PASSWORD, make_staff
from tests.support.pages import Page

WRONG = "another lamp over loud water"
SIGN_IN = "/staff/sign-in"


def try_in(client: Client, email: str, password: str = PASSWORD, url: str = SIGN_IN) -> Any:
    return client.post_form(url, {"email": email, "password": password})


@pytest.fixture
def four(app: Any) -> dict[str, tuple[str, str]]:
    """What can be wrong, with what is typed for it."""
    make_staff(email="wrong@staff.example")
    make_staff(email="waiting@staff.example", password=None)
    make_staff(email="gone@staff.example", active=False)
    return {
        "unknown": ("nobody@staff.example", PASSWORD),
        "wrong password": ("wrong@staff.example", WRONG),
        "no password yet": ("waiting@staff.example", PASSWORD),
        "inactive": ("gone@staff.example", PASSWORD),
    }


def test_whatever_is_wrong_gets_the_same_answer(client: Client, four: dict[str, tuple[str, str]]) -> None:
    bodies = set()
    for email, password in four.values():
        answer = try_in(client, email, password)
        assert answer.status_code == 422
        text = answer.text.replace(email, "EMAIL").replace(answer.headers["X-Request-ID"], "ID")
        bodies.add(text.replace(Page(answer).form().token, "TOKEN"))
    assert len(bodies) == 1
    assert "is not right" in bodies.pop()


def test_whatever_is_wrong_costs_the_same_work(
    client: Client, four: dict[str, tuple[str, str]], statements: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes: list[str] = []
    real = passwords._hasher.verify

    class Counting:
        def verify(self, stored: str, text: bytes) -> bool:
            hashes.append(stored)
            return bool(real(stored, text))

    monkeypatch.setattr(passwords, "_hasher", Counting())
    sent, work = {}, {}
    token = client.token(SIGN_IN)
    for case, (email, password) in four.items():
        hashes.clear()
        with statements() as seen:
            client.post(SIGN_IN, data={"csrf_token": token, "email": email, "password": password})
        sent[case], work[case] = list(seen), len(hashes)
    assert set(work.values()) == {1}
    assert len({tuple(seen) for seen in sent.values()}) == 1, sent


def test_an_empty_or_overlong_form_is_refused_beside_the_fields(client: Client, app: Any) -> None:
    page = Page(try_in(client, "", ""))
    assert page.status == 422
    assert set(page.errors) == {"email", "password"}
    assert Page(try_in(client, "a" * 300, "b" * 300)).errors.keys() == {"email", "password"}
    assert try_in(client, "own\x00er@staff.example").status_code == 422


def test_a_stale_token_keeps_the_address_and_signs_nobody_in(client: Client, persona: Any) -> None:
    persona("owner")
    answer = client.post(SIGN_IN, data={"email": "owner@staff.example", "password": PASSWORD, "csrf_token": "x"})
    assert answer.status_code == 400
    assert "owner@staff.example" in answer.text
    assert PASSWORD not in answer.text
    assert client.get("/staff/").status_code == 303


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/staff/",
        "//evil.example/staff/",
        "/\\evil.example",
        "/\t/evil.example",
        "\t//evil.example",
        "https:evil.example",
        "javascript:alert(1)",
        "/staff//evil.example",
        "/staff/../redeem",
        "/profile",
        "/redeem?code=x",
        "/staffing",
        "staff/",
        "/staff/nothing-here",
        "/staff/sign-in",
        "/staff/sign-out",
        "/staff/set-up/abc",
        "",
    ],
)
def test_signing_in_leads_to_staff_pages_of_this_site_only(client: Client, persona: Any, target: str) -> None:
    persona("owner")
    token = client.token(SIGN_IN)
    data = {"csrf_token": token, "email": "owner@staff.example", "password": PASSWORD}
    answer = client.post(SIGN_IN, query_string={"next": target}, data=data)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/")


def test_signing_in_leads_to_the_page_that_was_asked_for(client: Client, persona: Any) -> None:
    persona("owner")
    asked = client.get("/staff/journal/?group=staff")
    assert asked.status_code == 303
    answer = try_in(client, "OWNER@Staff.Example", url=location(asked))
    assert location(answer) == "/staff/journal/?group=staff"
    assert client.get("/staff/journal/").status_code == 200


def test_signing_in_gives_a_new_session_and_ends_the_old_one(client: Client, persona: Any) -> None:
    persona("owner")
    client.get(SIGN_IN)
    before = client.get_cookie("portal-staff")
    assert before is not None
    assert try_in(client, "owner@staff.example").status_code == 303
    after = client.get_cookie("portal-staff")
    assert after is not None
    assert after.value != before.value
    rows = db.session.scalars(db.select(ServerSession.user)).all()
    assert rows == [persona("owner").get_id()]


def test_signing_out_ends_the_session_even_for_a_copied_cookie(sign_in_as: Any, new_client: Any) -> None:
    browser = sign_in_as("owner")
    copied = browser.get_cookie("portal-staff").value
    assert browser.post_form("/staff/sign-out", page="/staff/").status_code == 303
    thief = new_client()
    thief.set_cookie("portal-staff", copied)
    for one in (browser, thief):
        assert one.get("/staff/").status_code == 303


def test_signing_in_again_while_signed_in_goes_on_to_the_page(sign_in_as: Any) -> None:
    answer = sign_in_as("owner").get(SIGN_IN, query_string={"next": "/staff/people/"})
    assert (answer.status_code, location(answer)) == (303, "/staff/people/")


def test_failures_and_successes_are_in_the_journal_without_what_was_typed(client: Client, persona: Any) -> None:
    persona("owner")
    try_in(client, "owner@staff.example", WRONG)
    try_in(client, "somebody@elsewhere.example", WRONG)
    try_in(client, "owner@staff.example")
    entries = db.session.scalars(db.select(JournalEntry).order_by(JournalEntry.id)).all()
    assert [(e.action, e.text) for e in entries] == [
        ("sign-in.failed", "Account of Owner Persona"),
        ("sign-in.failed", ""),
        ("sign-in.ok", ""),
    ]
    assert all(e.ip == "127.0.0.1" for e in entries)
    kept = json.dumps([[e.actor_name, e.text, e.detail] for e in entries])
    assert WRONG not in kept
    assert "elsewhere" not in kept
    about = db.session.scalars(db.select(JournalRecord)).all()
    assert [(r.kind, r.record_id) for r in about] == [("staff", persona("owner").id)]


def test_signing_in_is_noted_and_renews_an_old_hash(client: Client, frozen_clock: FrozenClock, app: Any) -> None:
    member = make_staff(email="old@staff.example")
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with transaction():
        db.session.get_one(StaffMember, member.id).password_hash = old
    assert try_in(client, "old@staff.example").status_code == 303
    member = db.session.get_one(StaffMember, member.id)
    assert member.signed_in_at == frozen_clock.now
    assert member.password_hash != old
    assert not passwords.needs_rehash(str(member.password_hash))
    assert client.get("/staff/").status_code == 200


def test_somebody_deactivated_between_check_and_session_is_not_signed_in(
    client: Client, persona: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = persona("manager").id
    real = passwords.verify_password

    def slow(stored: str | None, text: str) -> bool:
        right = real(stored, text)
        with transaction():
            db.session.get_one(StaffMember, number).active = False
        return right

    monkeypatch.setattr("portal.staff.views.passwords.verify_password", slow)
    assert try_in(client, "manager@staff.example").status_code == 422
    assert db.session.scalars(db.select(ServerSession.user).where(ServerSession.user.is_not(None))).all() == []


@pytest.mark.parametrize("deed", ["role", "deactivate", "everywhere", "password"])
def test_open_sessions_end_at_their_next_request(sign_in_as: Any, persona: Any, deed: str) -> None:
    browsers = [sign_in_as("manager") for _ in range(3)]
    assert all(browser.get("/staff/").status_code == 200 for browser in browsers)
    member, by = persona("manager"), persona("owner").actor(None)
    values = services.StaffValues(member.email, member.name, "viewer")
    deeds: dict[str, Callable[..., Any]] = {
        "role": lambda now: services.change(member.id, values, 1, by, now),
        "deactivate": lambda now: services.deactivate(member.id, None, by, now),
        "everywhere": lambda now: services.end_sessions(member.id, by, now),
        "password": lambda now: services.change_password(member.id, (member.password_hash, "x"), by, now),
    }
    from portal.kernel import clock

    with transaction():
        deeds[deed](clock.now())
    assert [browser.get("/staff/").status_code for browser in browsers] == [303] * 3


def test_a_session_ends_after_thirty_idle_minutes(sign_in_as: Any, frozen_clock: FrozenClock) -> None:
    browser = sign_in_as("owner")
    frozen_clock.move(minutes=29)
    assert browser.get("/staff/").status_code == 200
    frozen_clock.move(minutes=30)
    assert browser.get("/staff/").status_code == 303


def test_a_contact_is_not_staff(sign_in_as: Any) -> None:
    assert sign_in_as("invitee").get("/staff/").status_code == 303


def test_looking_at_the_page_writes_nothing(client: Client, app: Any, dump: Any) -> None:
    before = dump()
    client.get(SIGN_IN)
    client.head(SIGN_IN)
    assert dump() == before
    assert db.session.scalars(db.select(ServerSession.id)).all() == []
