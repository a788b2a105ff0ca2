"""Staff sign-in through a provider, used otherwise than meant: returns sent twice at once, links that were taken away,
sessions that ended on the way, visitors who ask for too much."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from portal.journal.models import JournalEntry
from portal.kernel.db import db, side_transaction
from portal.providers import exchange
from portal.providers.claims import Claims
from portal.providers.models import Provider
from portal.staff.models import StaffIdentity, StaffMember
from portal.web.sessions import ServerSession
from tests.staff.test_providers import PROFILE, SIGN_IN, START, be, identities, signed_in, start, through
from tests.support.clients import location
from tests.support.clock import FrozenClock
from tests.support.make import make_staff_identity
from tests.twins.openid import OpenIdTwin, add_provider, at_provider, sign_in_at


@pytest.fixture
def provider(app: Flask, openid: OpenIdTwin) -> Provider:
    return add_provider(openid, "openid", for_staff=True)


def shut_out(number: int) -> None:
    """What deactivating somebody does, while a request of theirs is under way."""
    over = update(StaffMember).where(StaffMember.id == number)
    with side_transaction() as connection:
        connection.execute(over.values(active=False, epoch=StaffMember.epoch + 1))


def test_of_several_returns_at_once_one_is_believed(
    new_client: Any, provider: Provider, persona: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_staff_identity(persona("manager"), provider, "m-1")
    mine = new_client()
    back = sign_in_at(mine, start(mine))
    cookie = mine.get_cookie("portal-staff").value

    def slow(asked: Provider, *_: Any) -> Claims:
        said = Claims(asked.id, asked.slug, asked.issuer, "m-1")
        time.sleep(0.5)
        return said

    def come_back(_: int) -> int:
        browser = new_client()
        browser.set_cookie("portal-staff", cookie)
        return int(browser.get(back).status_code)

    monkeypatch.setattr(exchange, "finish", slow)
    with ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(lambda n: copy_context().run(come_back, n), range(4)))
    assert answers == [303, 400, 400, 400]
    assert db.session.scalars(db.select(JournalEntry.action)).all() == ["sign-in.ok"]


def test_a_link_that_was_taken_away_does_not_come_back_by_itself(
    new_client: Any, provider: Provider, openid: OpenIdTwin, persona: Any, sign_in_as: Any
) -> None:
    number = persona("editor").id
    be(openid, "e-1", "editor@staff.example")
    first = new_client()
    assert location(through(first)) == "/staff/"
    link = db.session.scalars(db.select(StaffIdentity.id)).one()
    owner, page = sign_in_as("owner"), f"/staff/people/{number}"
    assert owner.post_form(f"{page}/identities/{link}/remove", page=page).status_code == 303
    assert not signed_in(first)
    again = new_client()
    for sub in ("e-1", "e-2"):
        be(openid, sub, "editor@staff.example")
        assert through(again).status_code == 403
    assert identities() == []
    assert not signed_in(again)
    by_hand = sign_in_as("editor")
    assert location(through(by_hand, PROFILE)) == PROFILE
    assert identities() == [(number, "e-2")]


def test_an_address_links_nobody_who_is_known_at_the_same_issuer(
    client: Any, provider: Provider, openid: OpenIdTwin, persona: Any
) -> None:
    """However many records lead to that provider: whoever has the address now may be somebody else."""
    make_staff_identity(persona("editor"), add_provider(openid, "older", for_staff=False), "e-1")
    be(openid, "e-2", "editor@staff.example")
    assert through(client).status_code == 403
    assert identities() == [(persona("editor").id, "e-1")]


def test_a_session_that_ended_on_the_way_links_nothing(
    sign_in_as: Any, provider: Provider, openid: OpenIdTwin, persona: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, number, finish = sign_in_as("viewer"), persona("viewer").id, exchange.finish
    be(openid, "v-1", "private@x.example")
    back = sign_in_at(browser, start(browser, PROFILE))

    def meanwhile(*given: Any) -> Claims:
        said = finish(*given)
        shut_out(number)
        return said

    monkeypatch.setattr(exchange, "finish", meanwhile)
    assert browser.get(back).status_code == 409
    assert identities() == []


def test_proving_it_asks_them_to_sign_in_there_anew(
    frozen_clock: FrozenClock, client: Any, provider: Provider, openid: OpenIdTwin, persona: Any
) -> None:
    be(openid, "m-1", "private@x.example")
    make_staff_identity(persona("manager"), provider, "m-1")
    signing_in = start(client)
    assert "max_age" not in at_provider(signing_in)
    client.get(sign_in_at(client, signing_in))
    frozen_clock.move(minutes=11)
    asked = location(client.get("/staff/profile/two-factor"))
    left = start(client, asked)
    assert "max_age=0" in at_provider(left)
    long_ago = int(frozen_clock.now.timestamp()) - 3600
    openid.behave(claims={"auth_time": long_ago})
    assert client.get(sign_in_at(client, left)).status_code == 400
    assert client.get("/staff/profile/two-factor").status_code == 303
    openid.behave(claims={"auth_time": int(frozen_clock.now.timestamp())})
    assert location(through(client, asked)) == "/staff/profile/two-factor"


def test_a_visitor_leaves_no_long_texts_behind(client: Any, provider: Provider) -> None:
    token = client.token(SIGN_IN)
    asked = "/staff/contacts/?q=" + "a" * 100_000
    assert client.post(START, data={"csrf_token": token, "next": asked}).status_code == 200
    kept = db.session.scalars(db.select(ServerSession)).one().data
    assert len(json.dumps(kept)) < 5_000
    assert kept["at_provider"][0]["target"] == "/staff/"


def test_returns_that_let_nobody_in_are_limited_by_address(
    new_client: Any, frozen_clock: FrozenClock, provider: Provider, openid: OpenIdTwin, persona: Any
) -> None:
    make_staff_identity(persona("manager"), provider, "m-1")
    be(openid, "nobody", "nobody@x.example")
    assert {through(new_client()).status_code for _ in range(15)} == {403}
    openid.behave(algorithm="none")
    assert {through(new_client()).status_code for _ in range(15)} == {400}
    openid.behave()
    be(openid, "m-1", "private@x.example")
    late = start(new_client())
    assert late.status_code == 429
    assert 0 < int(late.headers["Retry-After"]) <= 300
    assert len(db.session.scalars(db.select(JournalEntry.action)).all()) == 15
    frozen_clock.move(minutes=5, seconds=1)
    assert location(through(new_client())) == "/staff/"


def test_saying_no_there_is_not_counted(client: Any, provider: Provider, openid: OpenIdTwin) -> None:
    openid.behave(error="access_denied")
    assert {through(client).status_code for _ in range(32)} == {400}
