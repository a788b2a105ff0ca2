from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from portal.journal.models import JournalEntry
from portal.kernel.db import db
from portal.kernel.errors import TooFast
from portal.web import throttle
from portal.web.limits import RateLimit
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.make import PASSWORD

SIGN_IN = "/staff/sign-in"


def fail(client: Client, email: str, times: int = 1, ip: str = "127.0.0.1") -> list[int]:
    token = client.token(SIGN_IN)
    data = {"csrf_token": token, "email": email, "password": "not the right one"}
    return [client.post(SIGN_IN, data=data, environ_base={"REMOTE_ADDR": ip}).status_code for _ in range(times)]


def test_the_eleventh_failure_of_an_account_waits(client: Client, persona: Any, frozen_clock: FrozenClock) -> None:
    persona("owner")
    assert fail(client, "owner@staff.example", 11) == [422] * 10 + [429]
    token = client.token(SIGN_IN)
    right = {"csrf_token": token, "email": "OWNER@staff.example", "password": PASSWORD}
    answer = client.post(SIGN_IN, data=right)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 300
    frozen_clock.move(seconds=int(answer.headers["Retry-After"]))
    assert client.post(SIGN_IN, data=right).status_code == 303


def test_an_account_that_does_not_exist_is_throttled_alike(client: Client, app: Flask) -> None:
    assert fail(client, "nobody@staff.example", 11) == [422] * 10 + [429]


def test_an_address_may_fail_thirty_times_whatever_the_account(client: Client, app: Flask) -> None:
    answers = [status for n in range(31) for status in fail(client, f"person{n}@staff.example")]
    assert answers == [422] * 30 + [429]
    assert fail(client, "person99@staff.example", ip="192.0.2.7") == [422]


def test_a_forwarded_address_is_not_believed(client: Client, app: Flask) -> None:
    token = client.token(SIGN_IN)
    answers = []
    for n in range(11):
        data = {"csrf_token": token, "email": "x@staff.example", "password": "wrong"}
        headers = {"X-Forwarded-For": f"192.0.2.{n}"}
        answers.append(client.post(SIGN_IN, data=data, headers=headers).status_code)
    assert answers[-1] == 429


def test_the_site_as_a_whole_has_a_limit(app: Flask) -> None:
    for n in range(1000):
        throttle.failed("contact", f"person{n}", f"ip{n}")
    with pytest.raises(TooFast) as refused:
        throttle.check("contact", "somebody", "elsewhere")
    assert 1 <= refused.value.retry_after <= 300
    throttle.check("staff", "somebody", "elsewhere")


def test_success_forgets_the_failures_of_the_account_and_not_those_of_the_address(client: Client, persona: Any) -> None:
    persona("owner")
    fail(client, "owner@staff.example", 9)
    assert client.post_form(SIGN_IN, {"email": "owner@staff.example", "password": PASSWORD}).status_code == 303
    kept = db.session.execute(db.select(RateLimit.key, RateLimit.hits)).all()
    assert sorted((key.split(":")[2].partition("/")[0], hits) for key, hits in kept) == [("ip", 9), ("site", 9)]


def test_an_account_of_ones_own_buys_no_guesses_at_others(client: Client, persona: Any) -> None:
    persona("owner")
    for n in range(3):
        assert fail(client, f"somebody{n}@staff.example", 10) == [422] * 10
        if n < 2:
            own = {"email": "owner@staff.example", "password": PASSWORD}
            assert client.post_form(SIGN_IN, own).status_code == 303
            client.post_form("/staff/sign-out", page="/staff/")
    assert fail(client, "another@staff.example") == [429]


def waits(frozen_clock: FrozenClock, times: int) -> list[int]:
    """Fail, wait as long as is asked for, and fail again; gives how long the waits were."""
    found: list[int] = []
    for n in range(10_000):
        try:
            throttle.check("contact", "anna", f"192.0.2.{n % 250}")
        except TooFast as refused:
            found.append(refused.retry_after)
            frozen_clock.move(seconds=refused.retry_after)
            if len(found) == times:
                break
        throttle.failed("contact", "anna", f"192.0.2.{n % 250}")
    return found


def test_each_failure_after_the_tenth_doubles_the_wait(app: Flask, frozen_clock: FrozenClock) -> None:
    assert waits(frozen_clock, 7) == [30, 60, 120, 240, 480, 900, 900]
    throttle.check("contact", "anna", "192.0.2.1")
    frozen_clock.move(hours=1)
    assert waits(frozen_clock, 1) == [30]


def test_success_ends_the_doubling(app: Flask, frozen_clock: FrozenClock) -> None:
    assert waits(frozen_clock, 3) == [30, 60, 120]
    throttle.succeeded("contact", "anna", None)
    assert waits(frozen_clock, 1) == [30]


def test_ten_failures_within_more_than_five_minutes_wait_for_nothing(app: Flask, frozen_clock: FrozenClock) -> None:
    for _ in range(3):
        for _failure in range(9):
            assert not throttle.failed("contact", "anna", "192.0.2.1")
        frozen_clock.move(minutes=5)
    throttle.check("contact", "anna", "192.0.2.1")


def test_a_burst_makes_one_wait(app: Flask) -> None:
    def one(n: int) -> bool:
        with app.app_context():
            return throttle.failed("contact", "anna", f"192.0.2.{n}")

    with ThreadPoolExecutor(8) as crowd:
        assert sum(crowd.map(one, range(24))) == 1
    with pytest.raises(TooFast) as refused:
        throttle.check("contact", "anna", None)
    assert refused.value.retry_after <= 30


def test_without_lockout_accounts_never_wait_and_addresses_do(app: Flask) -> None:
    make.set_site(lockout=False)
    for _ in range(30):
        throttle.check("contact", "anna", "192.0.2.9")
        throttle.failed("contact", "anna", "192.0.2.9")
    with pytest.raises(TooFast):
        throttle.check("contact", "anna", "192.0.2.9")
    throttle.check("contact", "anna", "192.0.2.8")
    assert not any(":account:" in key for key in db.session.scalars(db.select(RateLimit.key)))


def test_only_failures_are_counted_and_nothing_typed_is_kept(client: Client, sign_in_as: Any) -> None:
    sign_in_as("owner")
    assert db.session.scalars(db.select(RateLimit)).all() == []
    fail(client, "typed.secret@staff.example")
    assert not any("secret" in key for key in db.session.scalars(db.select(RateLimit.key)))


def test_being_blocked_is_journalled_once(client: Client, app: Flask) -> None:
    fail(client, "nobody@staff.example", 14)
    actions = db.session.scalars(db.select(JournalEntry.action)).all()
    assert actions.count("sign-in.limited") == 1
    assert actions.count("sign-in.failed") == 10


def test_failures_at_the_same_moment_are_all_counted(app: Flask) -> None:
    def one(n: int) -> None:
        with app.app_context():
            throttle.failed("staff", f"person{n}", "192.0.2.1")

    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(one, range(24)))
    counted = db.select(RateLimit.hits).where(RateLimit.key.contains("192.0.2.1"))
    assert db.session.scalar(counted) == 24


@pytest.mark.sqlite_only
def test_all_processes_share_the_counters(live_server: Any) -> None:
    import re
    from http.cookiejar import CookieJar
    from urllib.error import HTTPError
    from urllib.parse import urlencode
    from urllib.request import HTTPCookieProcessor, build_opener

    server = live_server(workers=3)
    answers = []
    for _ in range(11):
        opener = build_opener(HTTPCookieProcessor(CookieJar()))
        page = opener.open(server.url + SIGN_IN).read().decode()
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert found
        typed = {"csrf_token": found[1], "email": "a@staff.example", "password": "wrong"}
        try:
            opener.open(server.url + SIGN_IN, urlencode(typed).encode())
        except HTTPError as answer:
            answers.append(answer.code)
            retry_after = answer.headers.get("Retry-After")
    assert answers == [422] * 10 + [429]
    assert 1 <= int(str(retry_after)) <= 300
