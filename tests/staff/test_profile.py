from typing import Any

import pytest

from portal.journal.models import JournalEntry
from portal.kernel.db import db
from portal.staff.models import StaffMember
from tests.support.clients import Client, location
from tests.support.make import PASSWORD
from tests.support.pages import Page

CHOSEN = "seven kites over red roofs"
PROFILE, CHANGE = "/staff/profile", "/staff/profile/password"


def change(browser: Client, **typed: str) -> Any:
    values = {"current": PASSWORD, "password": CHOSEN, "confirm": CHOSEN, **typed}
    return browser.post_form(CHANGE, values, page=PROFILE)


@pytest.fixture
def viewer(sign_in_as: Any) -> Client:
    browser: Client = sign_in_as("viewer")
    return browser


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"current": "wrong"}, "current"),
        ({"current": ""}, "current"),
        ({"password": "short", "confirm": "short"}, "password"),
        ({"password": "viewer persona 1", "confirm": "viewer persona 1"}, "password"),
        ({"confirm": "something else entirely"}, "confirm"),
    ],
)
@pytest.mark.sqlite_only
def test_a_password_change_that_does_not_fit_is_refused(viewer: Client, typed: dict[str, str], field: str) -> None:
    page = Page(change(viewer, **typed))
    assert (page.status, list(page.errors)) == (422, [field])
    assert page.form(PROFILE, holding={"name"}).values["name"] == ["Viewer Persona"]
    assert viewer.get("/staff/").status_code == 200


def test_guessing_the_current_password_is_throttled(viewer: Client) -> None:
    answers = [change(viewer, current=f"guess {n}").status_code for n in range(11)]
    assert answers == [422] * 10 + [429]


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(
    viewer: Client, sign_in_as: Any, new_client: Any
) -> None:
    other = sign_in_as("viewer")
    before = viewer.get_cookie("portal-staff")
    answer = change(viewer)
    assert (answer.status_code, location(answer)) == (303, PROFILE)
    after = viewer.get_cookie("portal-staff")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    assert viewer.get("/staff/").status_code == 200
    assert other.get("/staff/").status_code == 303
    for password, status in ((PASSWORD, 422), (CHOSEN, 303)):
        typed = {"email": "viewer@staff.example", "password": password}
        assert new_client().post_form("/staff/sign-in", typed).status_code == status
    entry = db.session.scalars(db.select(JournalEntry).where(JournalEntry.action == "staff.password-changed")).one()
    assert (entry.actor_name, entry.detail) == ("Viewer Persona", {})


def test_signing_out_everywhere_ends_all_sessions(viewer: Client, sign_in_as: Any) -> None:
    other = sign_in_as("viewer")
    answer = viewer.post_form("/staff/profile/sign-out-everywhere", page=PROFILE)
    assert location(answer) == "/staff/sign-in"
    assert [browser.get("/staff/").status_code for browser in (viewer, other)] == [303, 303]


def test_ones_name_may_be_changed_but_not_the_rest(viewer: Client, persona: Any) -> None:
    typed = {"name": "Vera", "role": "owner", "email": "x@staff.example", "active": ""}
    assert viewer.post_form(PROFILE, typed, page=PROFILE).status_code == 303
    member = persona("viewer")
    assert (member.name, member.role, member.email) == ("Vera", "viewer", "viewer@staff.example")
    assert viewer.get("/staff/").status_code == 200
    page = Page(viewer.post_form(PROFILE, {"name": ""}, page=PROFILE))
    assert (page.status, list(page.errors)) == (422, ["name"])


def test_a_stale_name_shows_what_was_saved(viewer: Client, persona: Any) -> None:
    token = viewer.token(PROFILE)
    viewer.post_form(PROFILE, {"name": "From the other window"}, page=PROFILE)
    answer = viewer.post(PROFILE, data={"csrf_token": token, "name": "Mine", "version": "1"})
    page = Page(answer)
    assert page.status == 409
    assert "From the other window" in page.text
    assert page.form(PROFILE, holding={"name"}).values["name"] == ["Mine"]
    assert db.session.get_one(StaffMember, persona("viewer").id).name == "From the other window"


def test_no_password_is_ever_in_a_page(viewer: Client) -> None:
    answer = change(viewer, confirm="different from the first")
    for typed in (PASSWORD, CHOSEN, "different from"):
        assert typed not in answer.text
