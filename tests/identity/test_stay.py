"""*Stay signed in*: a row on the server and a cookie whose secret changes with each use."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity.models import RememberedBrowser
from portal.identity.services import remembered
from portal.invitations.models import Redemption
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.web.sessions import ServerSession
from tests.support import make
from tests.support.clients import HTMX, Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page

STAY = "portal-stay"
TYPED = {"identifier": "anna", "password": make.PASSWORD, "remember": True}


@pytest.fixture
def anna(app: Flask) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


def stay(browser: Client) -> str:
    """Sign in for thirty days; gives what the cookie holds."""
    answer = browser.post_form("/sign-in", TYPED)
    assert answer.status_code == 303
    return held(browser)


def held(browser: Client) -> str:
    cookie = browser.get_cookie(STAY)
    assert cookie is not None
    return cookie.value


def come_back(browser: Client) -> Client:
    """The session is over, as after a day; the browser keeps its other cookie."""
    browser.delete_cookie("portal")
    return browser


def signed_in(browser: Client) -> bool:
    return not location(browser.get("/welcome")).startswith("/sign-in")


def rows() -> list[RememberedBrowser]:
    return list(db.session.scalars(db.select(RememberedBrowser)))


def with_cookie(app: Flask, cookie: str) -> Client:
    browser: Client = app.test_client()  # type: ignore[assignment]
    browser.set_cookie(STAY, cookie)
    return browser


@pytest.mark.sqlite_only
def test_nobody_stays_who_did_not_ask(client: Client, anna: Contact) -> None:
    assert client.post_form("/sign-in", {**TYPED, "remember": False}).status_code == 303
    assert client.get_cookie(STAY) is None
    assert rows() == []
    assert not signed_in(come_back(client))


@pytest.mark.sqlite_only
def test_nobody_stays_where_the_site_forbids_it(client: Client, anna: Contact) -> None:
    before = stay(client)
    make.set_site(remember_me=False)
    assert not signed_in(come_back(client))
    other = with_cookie(client.application, before)
    assert "remember" not in other.page("/sign-in").form("/sign-in").values
    data = {"csrf_token": other.token("/sign-in"), **TYPED, "remember": "y"}
    assert other.post("/sign-in", data=data).status_code == 303
    assert len(rows()) == 0 or held(other) == before


@pytest.mark.sqlite_only
def test_a_failed_sign_in_remembers_nothing(client: Client, anna: Contact) -> None:
    assert client.post_form("/sign-in", {**TYPED, "password": "this is not it"}).status_code == 422
    assert client.get_cookie(STAY) is None
    assert rows() == []


def test_a_browser_stays_signed_in_for_thirty_days(client: Client, anna: Contact, frozen_clock: FrozenClock) -> None:
    seen = {stay(client)}
    for _ in range(29):
        frozen_clock.move(days=1)
        assert signed_in(client)
        seen.add(held(client))
    assert len(seen) == 30, "another secret with each use"
    assert len({value.partition(".")[0] for value in seen}) == 1
    frozen_clock.move(days=1)
    assert not signed_in(client)
    assert client.get_cookie(STAY) is None


@pytest.mark.sqlite_only
def test_the_cookie_is_nobody_elses_business(app: Flask, make_app: Callable[..., Flask], anna: Contact) -> None:
    secure = make_app(PORTAL_BASE_URL="https://portal.example")
    browser: Any = secure.test_client()
    base = "https://portal.example"
    token = Page(browser.get("/sign-in", base_url=base)).form("/sign-in").token
    data = {"csrf_token": token, **TYPED, "remember": "y"}
    answer = browser.post("/sign-in", data=data, base_url=base, headers={"Referer": f"{base}/sign-in"})
    assert answer.status_code == 303
    cookie = next(c for c in answer.headers.getlist("Set-Cookie") if c.startswith("__Host-portal-stay="))
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=2592000"):
        assert part in cookie
    assert "Domain" not in cookie


@pytest.mark.sqlite_only
def test_coming_back_gives_a_new_session_that_proves_nothing(
    client: Client, anna: Contact, frozen_clock: FrozenClock
) -> None:
    stay(client)
    frozen_clock.move(hours=25)
    old = client.get_cookie("portal")
    assert old is not None
    assert signed_in(client)
    new = client.get_cookie("portal")
    assert new is not None
    assert new.value != old.value
    last = db.session.scalars(db.select(ServerSession).order_by(ServerSession.created_at.desc())).first()
    assert last is not None
    assert "proven_at" not in last.data
    assert (last.data["stay"], last.data["signed_in_by"]) == (rows()[0].id, "password")


@pytest.mark.sqlite_only
def test_it_opens_the_pages_of_contacts_only(client: Client, anna: Contact) -> None:
    before = stay(client)
    come_back(client)
    for path in ("/staff/", "/staff/sign-in", "/health/live", "/nowhere"):
        client.get(path)
    assert client.get("/staff/").status_code == 303
    assert held(client) == before
    assert signed_in(client)
    assert held(client) != before


@pytest.mark.sqlite_only
def test_it_works_for_fragments_and_posts_and_keeps_the_invitation(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    stay(client)
    come_back(client)
    client.get("/redeem", query_string={"code": make.code_of(invitation)}, headers=HTMX)
    client.get("/redeem/review")
    assert client.post_form("/redeem/accept", page="/redeem/review").status_code == 303
    assert db.session.scalars(db.select(Redemption)).one().signed_in_by == "password"


def test_two_requests_at_once_are_no_theft(app: Flask, client: Client, anna: Contact) -> None:
    cookie = stay(client)

    def ask(_n: int) -> bool:
        return signed_in(with_cookie(app, cookie))

    with ThreadPoolExecutor(6) as crowd:
        assert all(crowd.map(ask, range(12)))
    assert len(rows()) == 1
    assert signed_in(client)


def test_an_old_cookie_was_copied_and_ends_everything(
    app: Flask, client: Client, sign_in_as: Callable[..., Client], anna: Contact, frozen_clock: FrozenClock
) -> None:
    number = anna.id
    elsewhere = sign_in_as(anna)
    third = app.test_client()
    stay(third)  # type: ignore[arg-type]
    copied = stay(client)
    assert signed_in(come_back(client))
    frozen_clock.move(seconds=59)
    assert signed_in(with_cookie(app, copied)), "the requests of that moment"
    frozen_clock.move(seconds=2)
    thief = with_cookie(app, copied)
    assert not signed_in(thief)
    assert thief.get_cookie(STAY) is None
    for browser in (client, elsewhere, third):
        assert not signed_in(browser)  # type: ignore[arg-type]
        assert not signed_in(come_back(browser))  # type: ignore[arg-type]
    assert rows() == []
    entry = db.session.scalars(db.select(JournalEntry).filter_by(action="sign-in.copied")).one()
    assert "copied" in entry.text
    assert db.session.get_one(Contact, number).epoch == 1


@pytest.mark.sqlite_only
def test_older_secrets_are_stolen_ones_too(app: Flask, client: Client, anna: Contact) -> None:
    first = stay(client)
    for _ in range(2):
        assert signed_in(come_back(client))
    assert not signed_in(with_cookie(app, first)), "not even within the minute: it is not the one before"
    assert rows() == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize("cookie", ["", ".", "x", "x.y", "a" * 43 + "." + "b" * 43, "\x7f" * 9, "x" * 4000, "%00.%00"])
def test_made_up_cookies_cost_one_question_and_write_nothing(
    app: Flask, anna: Contact, cookie: str, dump: Callable[..., Any]
) -> None:
    browser = with_cookie(app, cookie)
    before = dump(without=frozenset())
    assert browser.get("/").status_code == 200
    assert not signed_in(browser)
    assert dump(without=frozenset()) == before


@pytest.mark.sqlite_only
def test_a_cookie_of_the_other_kind_stays_nowhere(app: Flask, anna: Contact) -> None:
    whose, now = (anna.id, anna.epoch), clock.now()
    with transaction():
        known = remembered.remember(whose, remembered.SECOND, ip=None, user_agent="", now=now)
    assert known is not None
    assert known.cookie is not None
    assert not signed_in(with_cookie(app, known.cookie))


@pytest.mark.parametrize("how", ["sign out", "switch", "password", "deactivated", "revoked", "replaced"])
def test_what_ends_it(app: Flask, client: Client, anna: Contact, how: str) -> None:
    number, before = anna.id, stay(client)
    if how == "sign out":
        client.post_form("/sign-out", page="/")
    elif how == "switch":
        client.post("/sign-in/switch", data={"csrf_token": client.token("/")})
    elif how == "replaced":
        make.make_contact("Bruno", "Costa", username="bruno")
        token = client.token("/")
        typed = {"csrf_token": token, "identifier": "bruno", "password": make.PASSWORD}
        assert client.post("/sign-in", data=typed).status_code == 303
    else:
        with transaction():
            person = db.session.get_one(Contact, number)
            if how == "password":
                person.epoch += 1
            elif how == "deactivated":
                person.active = False
            else:
                db.session.execute(db.delete(RememberedBrowser))
    if how in ("sign out", "switch", "replaced"):
        assert client.get_cookie(STAY) is None
        assert rows() == []
    if how == "replaced":
        assert "Bruno" in client.page("/").text
        assert not signed_in(come_back(client))
    else:
        assert not signed_in(client), "the session that belongs to it ends at once"
    assert not signed_in(with_cookie(app, before))


@pytest.mark.sqlite_only
def test_a_session_that_came_from_it_ends_when_it_is_revoked(client: Client, anna: Contact) -> None:
    stay(client)
    assert signed_in(come_back(client))
    with transaction():
        db.session.execute(db.delete(RememberedBrowser))
    assert not signed_in(client)
    assert client.get_cookie(STAY) is None


@pytest.mark.sqlite_only
def test_rows_that_are_over_are_cleared_away(
    client: Client, new_client: Callable[[], Client], anna: Contact, frozen_clock: FrozenClock
) -> None:
    stay(client)
    frozen_clock.move(days=31)
    stay(new_client())
    assert len(rows()) == 1
    with transaction():
        db.session.get_one(Contact, anna.id).epoch += 1
    stay(new_client())
    assert len(rows()) == 1


@pytest.mark.sqlite_only
def test_nothing_secret_is_stored(client: Client, anna: Contact) -> None:
    selector, _dot, validator = stay(client).partition(".")
    row = rows()[0]
    assert row.selector == selector
    assert validator not in (row.validator_hash, row.previous_hash)
    assert len(validator) == len(selector) == 43


@pytest.mark.sqlite_only
def test_somebody_who_is_signed_in_costs_no_question_more(
    client: Client, new_client: Callable[[], Client], anna: Contact, statements: Callable[[], Any]
) -> None:
    plain = new_client()
    plain.post_form("/sign-in", {**TYPED, "remember": False})
    stay(client)
    counts = []
    for browser in (plain, client):
        browser.get("/")
        with statements() as sent:
            browser.get("/")
        counts.append(len(sent))
    assert counts[1] - counts[0] <= 1
