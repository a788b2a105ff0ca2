"""The typed code: one answer for every code that does not work, and limits on guessing."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from limits import RateLimitItemPerMinute

from portal.journal.models import JournalEntry
from portal.kernel import codes
from portal.kernel.db import db
from portal.redemption import guard
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page

pytestmark = pytest.mark.sqlite_only
UNKNOWN = "AAAA-BBBB-CCCC-DDDD"
TOO_MANY = 10
SPELLINGS = ["{0}", "{1}", "{2}", " {0} ", "{3}", "{4}", "{5}"]


def without_token(html: str) -> str:
    """A page without its CSRF tokens and its request id."""
    html = re.sub(r'(name="csrf_token"[^>]*value=")[^"]*', r"\1", html)
    html = re.sub(r'("X-CSRFToken": ")[^"]*', r"\1", html)
    return re.sub(r"<code>[0-9a-f]{16}</code>", "", html)


def test_codes_that_do_not_work_get_one_answer_byte_for_byte(
    new_client: Callable[[], Client], frozen_clock: FrozenClock, dump: Callable[[], object]
) -> None:
    person = make.make_contact(username="used-it")
    over = {
        "expired": make.make_invitation(make.make_contact(), expires_at=frozen_clock.now - make.days(1)),
        "used": make.make_invitation(person),
        "full": make.make_invitation(type="group", max_redemptions=1),
        "withdrawn": make.make_invitation(make.make_contact(), deactivated=True),
        "its contact left": make.make_invitation(make.make_contact(active=False)),
    }
    make.make_redemption(over["used"], person)
    make.make_redemption(over["full"], person)
    before = dump()
    answers = {"unknown": ways.type_code(new_client(), UNKNOWN)}
    answers |= {why: ways.type_code(new_client(), invitation) for why, invitation in over.items()}
    assert {why: answer.status_code for why, answer in answers.items()} == dict.fromkeys(answers, 404)
    assert len({without_token(answer.text) for answer in answers.values()}) == 1
    assert len({tuple(sorted(answer.headers.keys())) for answer in answers.values()}) == 1
    by_address = new_client().get("/redeem", query_string={"code": UNKNOWN})
    assert (by_address.status_code, without_token(by_address.text)) == (404, without_token(answers["unknown"].text))
    assert dump() == before


def test_codes_that_do_not_work_cost_the_same(new_client: Callable[[], Client], statements: Callable[[], Any]) -> None:
    over = [
        make.make_invitation(make.make_contact(), deactivated=True),
        make.make_invitation(make.make_contact(), completed=True, used=1),
        make.make_invitation(type="group", deactivated=True),
    ]
    sent = []
    for code in (UNKNOWN, *map(make.code_of, over)):
        browser = new_client()
        token = browser.token("/redeem")
        with statements() as counting:
            assert browser.post("/redeem", data={"csrf_token": token, "code": code}).status_code == 404
        sent.append(len(counting))
    assert len(set(sent)) == 1


@pytest.mark.parametrize(
    ("typed", "status"),
    [
        ("", 422),
        ("   ", 422),
        ("A", 422),
        ("A" * 7, 422),
        ("A" * 201, 422),
        ("\x00\x00\x00\x00\x00\x00\x00\x00\x00", 422),
        ("ABCD\x00EFGH", 422),
        ("🙂🙂🙂🙂🙂🙂🙂🙂", 422),
        ("ABCD-EFGH-'; --", 422),
        ("<script>alert(1)</script>", 422),
        ("Ａ" * 16, 404),
        ("A" * 64, 404),
        ("A" * 65, 422),
        (UNKNOWN, 404),
    ],
    ids=lambda value: repr(value)[:25],
)
def test_what_was_typed_instead_of_a_code(client: Client, typed: str, status: int) -> None:
    response = ways.type_code(client, typed)
    assert response.status_code == status
    page = Page(response)
    assert page.form("/redeem")
    assert page.errors["code"]
    got = client.get("/redeem", query_string={"code": typed})
    assert got.status_code == (status if typed else 200)


def test_bytes_that_are_no_utf_8_are_no_code(client: Client) -> None:
    token = client.token("/redeem")
    body = b"csrf_token=" + quote(token).encode() + b"&code=%FF%FE%80%81%FF%FE%80%81"
    response = client.post("/redeem", data=body, content_type="application/x-www-form-urlencoded")
    assert response.status_code == 422
    assert client.get("/redeem?code=%FF%FE%80%81%FF%FE%80%81").status_code == 422
    assert client.get("/register?invitation=%FF%FE%80%81%FF%FE%80%81").status_code == 422


def test_a_megabyte_is_too_large(client: Client) -> None:
    assert ways.type_code(client, "A" * 1_000_000).status_code == 413


def test_a_stale_page_refills_the_form(client: Client) -> None:
    response = client.post("/redeem", data={"csrf_token": "stale", "code": UNKNOWN})
    assert response.status_code == 400
    assert Page(response).form("/redeem").values["code"] == [UNKNOWN]


def test_the_eleventh_wrong_code_within_five_minutes_is_refused(
    new_client: Callable[[], Client], frozen_clock: FrozenClock
) -> None:
    person = make.make_contact()
    invitation = make.make_invitation(person, sent=True)
    for _ in range(TOO_MANY):
        assert ways.type_code(new_client(), UNKNOWN).status_code == 404
    refused = ways.type_code(new_client(), invitation)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["Retry-After"]) <= 300
    assert new_client().get(f"/redeem?code={UNKNOWN}").status_code == 429
    assert new_client().get(f"/register?invitation={UNKNOWN}").status_code == 429
    ways.open_link(new_client(), invitation, person)
    frozen_clock.move(minutes=5, seconds=1)
    assert ways.type_code(new_client(), invitation).status_code == 303


def test_codes_in_addresses_count_too_and_malformed_ones_do_not(client: Client) -> None:
    for _ in range(5):
        assert client.get("/redeem?code=no").status_code == 422
        assert client.get(f"/redeem?code={UNKNOWN}").status_code == 404
        assert client.get(f"/register?invitation={UNKNOWN}").status_code == 404
    assert ways.type_code(client, UNKNOWN).status_code == 429


def test_the_counter_is_the_same_in_another_process(client: Client, make_app: Callable[..., Flask]) -> None:
    for _ in range(TOO_MANY):
        ways.type_code(client, UNKNOWN)
    other: Client = make_app().test_client()  # type: ignore[assignment]
    assert ways.type_code(other, UNKNOWN).status_code == 429


def test_fifty_wrong_codes_a_day_are_enough(client: Client, frozen_clock: FrozenClock) -> None:
    frozen_clock.set(make.at("2026-11-20 06:00"))
    for _ in range(5):
        for _ in range(TOO_MANY):
            assert ways.type_code(client, UNKNOWN).status_code == 404
        frozen_clock.move(minutes=6)
    refused = ways.type_code(client, UNKNOWN)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 300


def test_a_forwarded_address_is_not_believed(new_client: Callable[[], Client]) -> None:
    forged = [{"X-Forwarded-For": f"203.0.113.{n}"} for n in range(30)]
    answers = [ways.type_code(new_client(), UNKNOWN, headers=headers).status_code for headers in forged]
    assert answers == [404] * TOO_MANY + [429] * (30 - TOO_MANY)


def test_a_used_single_code_from_another_browser_is_an_unknown_one(new_client: Callable[[], Client]) -> None:
    invitation = make.make_invitation(make.make_contact())
    first = new_client()
    ways.arrive(first, "code", invitation)
    assert ways.sign_up(first).status_code == 303
    before = (ways.redemptions(), ways.contacts(), ways.sign_ins())
    again, unknown = ways.type_code(new_client(), invitation), ways.type_code(new_client(), UNKNOWN)
    assert (again.status_code, without_token(again.text)) == (404, without_token(unknown.text))
    assert (ways.redemptions(), ways.contacts(), ways.sign_ins()) == before


def test_whoever_used_it_may_look_at_it_again(client: Client) -> None:
    invitation = make.make_invitation(make.make_contact())
    ways.arrive(client, "code", invitation)
    ways.sign_up(client)
    assert "accepted this invitation already" in client.follow(ways.type_code(client, invitation)).text


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_code_works(client: Client, spelling: str) -> None:
    invitation = make.make_invitation(type="group", code="7K3M-9QXR-T2VD-1HN0")
    plain = codes.normalise(make.code_of(invitation))
    wide = "".join(chr(ord(c) + 0xFEE0) for c in plain)
    forms = [make.code_of(invitation), plain, plain.lower(), plain.replace("1", "l").replace("0", "O"), wide]
    forms.append(" ".join(plain))
    assert ways.type_code(client, spelling.format(*forms)).status_code == 303


@pytest.mark.parametrize("address", ["/redeem?code={}", "/register?invitation={}"])
def test_a_code_in_an_address_goes_into_the_session_at_once(client: Client, address: str) -> None:
    invitation = make.make_invitation(type="group")
    code = make.code_of(invitation)
    response = client.get(address.format(code))
    assert (response.status_code, response.headers["Location"]) == (303, "/redeem/review")
    assert code not in client.page("/redeem/review").html


def test_the_reference_products_link_without_a_code(client: Client) -> None:
    assert location(client.get("/register")) == "/redeem"
    make.set_site(open_registration=True)
    assert location(client.get("/register")) == "/sign-up"


@pytest.mark.parametrize("off", ["registration_enabled", "invitation_redemption"])
def test_redeeming_can_be_switched_off_and_signing_in_stays(
    new_client: Callable[[], Client], sign_in_as: Callable[..., Client], off: str
) -> None:
    contact = make.make_contact(username="anna", verified=True)
    invitation = make.make_invitation(contact, sent=True)
    browser = sign_in_as(contact)
    ways.open_link(browser, invitation, contact)
    token = browser.token("/redeem/review")
    make.set_site(**{off: False})
    link = ways.link_of(invitation, contact)
    for page in ("/redeem", f"/redeem?code={UNKNOWN}", "/register", "/redeem/review", link):
        assert browser.get(page).status_code == 404, page
    for page in ("/redeem", "/redeem/accept"):
        assert browser.post(page, data={"csrf_token": token}).status_code == 404, page
    assert new_client().get("/sign-up").status_code == 404
    assert ways.redemptions() == []
    home = new_client().page("/")
    assert "invitation code" not in home.text
    again = new_client()
    assert ways.sign_in(again, "anna", page="/").status_code == 303
    assert again.page("/profile").heading == contact.name


@pytest.mark.parametrize(
    ("address", "statuses"),
    [
        ("2001:db8:1:2::{0:x}", [404] * 10 + [429] * 2),
        ("2001:db8:1:{0:x}::1", [404] * 12),
        ("::ffff:192.0.2.{0}", [404] * 12),
    ],
)
def test_the_addresses_of_one_household_count_together(client: Client, address: str, statuses: list[int]) -> None:
    token = client.token("/redeem")
    answers = [
        client.post(
            "/redeem",
            data={"csrf_token": token, "code": UNKNOWN},
            environ_overrides={"REMOTE_ADDR": address.format(number)},
        ).status_code
        for number in range(12)
    ]
    assert answers == statuses


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long codes were made to wait."""
    waits: list[float] = []
    monkeypatch.setattr(guard.time, "sleep", waits.append)
    return waits


def guess(browser: Client, codes: int, *, start: int = 0) -> list[int]:
    """Type wrong codes, each from another address."""
    token, sent = browser.token("/redeem"), []
    for number in range(start, start + codes):
        answer = browser.post(
            "/redeem",
            data={"csrf_token": token, "code": UNKNOWN},
            environ_overrides={"REMOTE_ADDR": f"198.51.{number // 250}.{number % 250}"},
        )
        sent.append(answer.status_code)
    return sent


def test_guessing_from_everywhere_slows_codes_down_turns_nobody_away_and_is_noted_once(
    client: Client,
    new_client: Callable[[], Client],
    frozen_clock: FrozenClock,
    monkeypatch: pytest.MonkeyPatch,
    slept: list[float],
) -> None:
    monkeypatch.setattr(guard, "SITE", RateLimitItemPerMinute(20, 5))
    person = make.make_contact()
    invitation = make.make_invitation(person, sent=True)
    noted = db.select(db.func.count()).select_from(JournalEntry).filter_by(action="redemption.codes-guessed")
    assert guess(client, 19) == [404] * 19
    assert (slept, db.session.scalar(noted)) == ([], 0)
    assert guess(client, 3, start=19) == [404] * 3
    assert (slept, db.session.scalar(noted)) == ([2, 2], 1)
    assert ways.type_code(new_client(), invitation).status_code == 303
    assert new_client().get(f"/register?invitation={make.code_of(invitation)}").status_code == 303
    assert slept == [2] * 4
    ways.open_link(new_client(), invitation, person)
    assert slept == [2] * 4
    frozen_clock.move(minutes=5, seconds=1)
    assert ways.type_code(new_client(), invitation).status_code == 303
    assert slept == [2] * 4


def test_only_so_many_wait_at_once_and_the_others_are_asked_to_come_back(
    client: Client, frozen_clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    monkeypatch.setattr(guard, "SITE", RateLimitItemPerMinute(1, 5))
    invitation = make.make_invitation(make.make_contact(), sent=True)
    assert guess(client, 1) == [404]
    for _ in range(guard.MOST_WAITING):
        assert guard._waiting.acquire(blocking=False)
    try:
        refused = ways.type_code(client, invitation)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "2")
        assert client.get("/").status_code == 200
    finally:
        for _ in range(guard.MOST_WAITING):
            guard._waiting.release()
    assert ways.type_code(client, invitation).status_code == 303
    assert slept == [2]
