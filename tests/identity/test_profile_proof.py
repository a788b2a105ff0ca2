"""Changing a way to sign in asks once more who is there; what was typed meanwhile is not lost."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.identity.models import Credential
from portal.kernel.db import db
from portal.web.limits import RateLimit
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.databases import Rows
from tests.support.pages import Page

PROVEN = ("/profile/email", "/profile/username", "/profile/first-password", "/profile/data")
SignInAs = Callable[[Contact], Client]


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


@pytest.fixture
def browser(sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock) -> Client:
    """Signed in eleven minutes ago."""
    signed_in = sign_in_as(anna)
    frozen_clock.move(minutes=11)
    return signed_in


@pytest.mark.sqlite_only
@pytest.mark.parametrize("path", PROVEN)
def test_whoever_proved_it_long_ago_is_asked_again_and_comes_back(browser: Client, path: str) -> None:
    asked = browser.get(path)
    assert location(asked) == f"/sign-in/again?next={path}"
    done = browser.post_form(location(asked), {"password": make.PASSWORD})
    assert location(done) == path
    assert browser.get(path).status_code in (200, 303)


@pytest.mark.sqlite_only
def test_htmx_is_led_there_too(browser: Client) -> None:
    asked = browser.get("/profile/email", headers={"HX-Request": "true"})
    assert (asked.status_code, asked.headers["HX-Redirect"]) == (401, "/sign-in/again?next=/profile/email")


@pytest.mark.sqlite_only
def test_a_form_that_took_too_long_is_sent_again_by_one_button(
    sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock
) -> None:
    browser = sign_in_as(anna)
    token = browser.token("/profile/username")
    frozen_clock.move(minutes=11)
    late = browser.post("/profile/username", data={"csrf_token": token, "username": "anna.w"})
    assert location(late) == "/sign-in/again?next=/sign-in/again/on"
    assert db.session.get_one(Credential, anna.id).username == "anna"
    done = browser.post_form(location(late), {"password": make.PASSWORD})
    assert location(browser.post_form("/profile/username", {}, page=location(done))) == "/profile"
    assert db.session.get_one(Credential, anna.id).username == "anna.w"
    assert location(browser.get("/sign-in/again/on")) == "/profile"  # and it is sent once


@pytest.mark.sqlite_only
def test_a_form_of_another_site_is_not_kept(browser: Client, dump: Callable[[], Rows]) -> None:
    before = dump()
    late = browser.post("/profile/username", data={"csrf_token": "made up", "username": "evil"})
    assert location(late).startswith("/sign-in/again")
    done = browser.post_form(location(late), {"password": make.PASSWORD})
    assert "evil" not in browser.follow(done).text
    assert dump() == before


@pytest.mark.sqlite_only
@pytest.mark.parametrize("typed", ["", "a wrong password here", "x" * 300])
def test_a_wrong_password_proves_nothing(browser: Client, anna: Contact, typed: str) -> None:
    response = browser.post_form("/sign-in/again?next=/profile/email", {"password": typed})
    assert response.status_code == 422
    assert "password" in Page(response).errors
    assert browser.get("/profile/email").status_code == 303


@pytest.mark.sqlite_only
def test_guesses_count_like_those_of_signing_in(browser: Client, anna: Contact) -> None:
    answers = [browser.post_form("/sign-in/again", {"password": "wrong password no 1"}).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    assert db.session.get_one(Credential, anna.id).failures == 10
    assert db.session.scalars(db.select(RateLimit)).all()


@pytest.mark.sqlite_only
def test_the_right_one_ends_the_row_of_failures(browser: Client, anna: Contact) -> None:
    browser.post_form("/sign-in/again", {"password": "a wrong password here"})
    browser.post_form("/sign-in/again", {"password": make.PASSWORD})
    assert db.session.get_one(Credential, anna.id).failures == 0


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_it_leads_to_no_other_site(browser: Client, target: str) -> None:
    done = browser.post_form("/sign-in/again", {"password": make.PASSWORD})
    assert location(done) == "/profile"
    token = browser.token("/sign-in/again")
    done = browser.post(
        "/sign-in/again", query_string={"next": target}, data={"csrf_token": token, "password": make.PASSWORD}
    )
    assert location(done) == "/profile"


@pytest.mark.sqlite_only
def test_nobody_is_asked_to_sign_in_instead(client: Client) -> None:
    for path in ("/sign-in/again", *PROVEN):
        assert location(client.get(path)).startswith("/sign-in?next=")


@pytest.mark.sqlite_only
def test_a_provider_proves_only_where_it_is_linked_and_on(browser: Client, anna: Contact) -> None:
    linked, off = make.make_provider("alpha"), make.make_provider("beta", for_sign_in=False)
    make.make_provider("gamma")
    for provider in (linked, off):
        make.make_identity(anna, provider)
    page = browser.page("/sign-in/again?next=/profile/email")
    assert [form.action for form in page.posts if "purpose" in form.names] == ["/sign-in/alpha"]
    form = page.form("/sign-in/alpha")
    assert (form.values["purpose"], form.values["next"]) == (["prove"], ["/profile/email"])


@pytest.mark.sqlite_only
def test_no_password_is_asked_for_where_local_sign_in_is_off(browser: Client) -> None:
    make.set_site(local_sign_in=False)
    assert "password" not in {name for form in browser.page("/sign-in/again").posts for name in form.names}
    token = browser.token("/sign-in/again")
    browser.post("/sign-in/again", data={"csrf_token": token, "password": make.PASSWORD})
    assert browser.get("/profile/email").status_code == 303
