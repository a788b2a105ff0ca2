"""The recent proof of who one is, and what becomes of what was typed meanwhile."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from portal.kernel.db import db
from portal.staff.models import StaffMember
from portal.web.sessions import ServerSession
from tests.support.clients import HTMX, Client, filled, location
from tests.support.clock import FrozenClock
from tests.support.make import PASSWORD
from tests.support.pages import Page

NEW, CONFIRM, GO_ON = "/staff/people/new", "/staff/confirm", "/staff/confirm/go-on"
NINA = {"email": "nina@staff.example", "name": "Nina New", "role": "viewer"}


def next_of(response: Any) -> str:
    assert urlsplit(location(response)).path == CONFIRM, response.headers.get("Location")
    return parse_qs(urlsplit(location(response)).query).get("next", [""])[0]


def nina() -> StaffMember | None:
    found: StaffMember | None = db.session.scalar(db.select(StaffMember).filter_by(email_key=NINA["email"]))
    return found


@pytest.fixture
def owner(frozen_clock: FrozenClock, sign_in_as: Any) -> Client:
    browser: Client = sign_in_as("owner")
    return browser


def send_late(owner: Client, frozen_clock: FrozenClock, headers: Any = None) -> Any:
    """The form was opened in time, and sent too late."""
    form = owner.page(NEW).form(NEW, holding=set(NINA))
    frozen_clock.move(minutes=11)
    return owner.post(NEW, data=filled(form, NINA), headers=headers)


def test_signing_in_is_a_proof_for_ten_minutes(owner: Client, frozen_clock: FrozenClock) -> None:
    frozen_clock.move(minutes=9, seconds=59)
    assert owner.get(NEW).status_code == 200
    frozen_clock.move(seconds=1)
    answer = owner.get(f"{NEW}?x=1")
    assert (answer.status_code, next_of(answer)) == (303, f"{NEW}?x=1")
    assert owner.get("/staff/people/").status_code == 200


def test_the_password_is_a_proof_and_leads_on(owner: Client, frozen_clock: FrozenClock) -> None:
    frozen_clock.move(minutes=20)
    asked = location(owner.get(NEW))
    assert owner.get(asked).status_code == 200
    answer = owner.post_form(asked, {"password": PASSWORD})
    assert (answer.status_code, location(answer)) == (303, NEW)
    assert owner.get(NEW).status_code == 200


@pytest.mark.parametrize("typed", ["", "another lamp over loud water", PASSWORD + "x"])
def test_a_wrong_password_is_none(owner: Client, frozen_clock: FrozenClock, persona: Any, typed: str) -> None:
    frozen_clock.move(minutes=20)
    answer = owner.post_form(CONFIRM, {"password": typed})
    assert answer.status_code == 422
    assert set(Page(answer).errors) == {"password"}
    assert owner.get(NEW).status_code == 303
    assert persona("owner").failures == bool(typed)


def test_wrong_passwords_are_throttled_as_for_signing_in(owner: Client, frozen_clock: FrozenClock) -> None:
    codes = [owner.post_form(CONFIRM, {"password": "wrong one"}).status_code for _ in range(10)]
    assert codes == [422] * 10
    token = owner.token("/staff/people/")
    late = owner.post(CONFIRM, data={"csrf_token": token, "password": PASSWORD})
    assert late.status_code == 429


@pytest.mark.parametrize(
    "target", ["https://evil.example/staff/", "//evil.example", "/profile", "/staff/sign-in", "/staff/confirm", "x", ""]
)
def test_it_leads_to_staff_pages_of_this_site_only(owner: Client, target: str) -> None:
    token = owner.token("/staff/people/")
    answer = owner.post(CONFIRM, query_string={"next": target}, data={"csrf_token": token, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/staff/")


def test_what_was_sent_too_late_is_kept_and_sent_after_the_proof(owner: Client, frozen_clock: FrozenClock) -> None:
    answer = send_late(owner, frozen_clock)
    assert (answer.status_code, next_of(answer)) == (303, GO_ON)
    assert nina() is None
    asked = owner.page(location(answer))
    assert asked.all(data_testid="kept")
    assert owner.get(GO_ON).status_code == 303
    then = owner.post_form(location(answer), {"password": PASSWORD})
    assert location(then) == GO_ON
    assert nina() is None, "it is sent by a deed, not by looking at a page"
    sent = owner.post_form(NEW, page=GO_ON)
    assert sent.status_code == 303
    found = nina()
    assert found is not None
    assert (found.name, found.role) == ("Nina New", "viewer")
    assert location(owner.get(GO_ON)) == "/staff/", "it waits no longer"


def test_what_is_kept_is_sealed_and_forgotten_after_ten_minutes(owner: Client, frozen_clock: FrozenClock) -> None:
    answer = send_late(owner, frozen_clock)
    kept = [row.data for row in db.session.scalars(db.select(ServerSession))]
    assert any("kept_form" in data for data in kept)
    assert "nina" not in str(kept).lower()
    frozen_clock.move(minutes=10)
    assert owner.post_form(location(answer), {"password": PASSWORD}).status_code == 303
    assert location(owner.get(GO_ON)) == "/staff/"


def test_a_form_without_its_token_is_not_kept(owner: Client, frozen_clock: FrozenClock) -> None:
    """Another site may have filled it in: nobody is to send it by confirming who they are."""
    owner.get(NEW)
    frozen_clock.move(minutes=11)
    answer = owner.post(NEW, data={**NINA, "csrf_token": "x"})
    assert answer.status_code == 303
    assert next_of(answer) != GO_ON
    assert owner.post_form(location(answer), {"password": PASSWORD}).status_code == 303
    assert location(owner.get(GO_ON)) == "/staff/"


def test_a_form_too_long_to_keep_leads_back_to_its_page(owner: Client, frozen_clock: FrozenClock) -> None:
    token = owner.token(NEW)
    frozen_clock.move(minutes=11)
    data = {**NINA, "name": "n" * 300_000, "csrf_token": token}
    answer = owner.post(NEW, data=data, headers={"Referer": "http://localhost" + NEW})
    assert next_of(answer) == NEW


def test_htmx_is_led_to_the_proof_by_a_header(owner: Client, frozen_clock: FrozenClock) -> None:
    answer = send_late(owner, frozen_clock, HTMX)
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith(CONFIRM)
    assert nina() is None


def test_who_may_not_is_not_asked(frozen_clock: FrozenClock, sign_in_as: Any) -> None:
    viewer = sign_in_as("viewer")
    frozen_clock.move(minutes=11)
    assert viewer.get(NEW).status_code == 403


def test_the_proof_is_of_this_person_and_of_this_browser(
    frozen_clock: FrozenClock, sign_in_as: Any, owner: Client
) -> None:
    other = sign_in_as("owner")
    frozen_clock.move(minutes=11)
    assert owner.post_form(CONFIRM, {"password": PASSWORD}).status_code == 303
    assert owner.get(NEW).status_code == 200
    assert other.get(NEW).status_code == 303


def test_nobody_is_led_to_sign_in(client: Client, app: Any) -> None:
    for url in (CONFIRM, GO_ON):
        assert location(client.get(url)).startswith("/staff/sign-in")
