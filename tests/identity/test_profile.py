"""The profile: one's own record alone, the password with the current one, guards by web role."""

from collections.abc import Callable

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity.guard import require_web_role
from portal.kernel.db import db
from portal.mail.models import Message
from tests.support import make
from tests.support.clients import Client, location
from tests.support.pages import Page

NEW = "seven quiet rivers under moonlight"
SignInAs = Callable[[Contact], Client]


@pytest.fixture
def anna(app: object) -> Contact:
    roles = [make.make_role("Supplier")]
    return make.make_contact(
        "Anna",
        "Weber",
        "anna@x.example",
        username="anna",
        verified=True,
        account=make.make_account("Acme"),
        roles=roles,
    )


@pytest.mark.sqlite_only
@pytest.mark.parametrize("path", ["/profile", "/profile/password", "/welcome"])
def test_nobody_is_asked_to_sign_in(client: Client, path: str) -> None:
    assert location(client.get(path)) == f"/sign-in?next={path}"
    asked = client.get(path, headers={"HX-Request": "true"})
    assert (asked.status_code, asked.headers["HX-Redirect"]) == (401, "/sign-in")


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("current", "password", "confirm", "field"),
    [
        ("not my password at all", NEW, NEW, "current"),
        ("", NEW, NEW, "current"),
        (make.PASSWORD, "short", "short", "password"),
        (make.PASSWORD, "Anna Weber Acme 123", "Anna Weber Acme 123", "password"),
        (make.PASSWORD, NEW, NEW + "x", "confirm"),
    ],
)
def test_a_refused_change_changes_nothing(
    sign_in_as: SignInAs, anna: Contact, current: str, password: str, confirm: str, field: str
) -> None:
    browser = sign_in_as(anna)
    typed = {"current": current, "password": password, "confirm": confirm}
    response = browser.post_form("/profile/password", typed)
    assert response.status_code == 422
    assert field in Page(response).errors
    assert browser.get("/profile").status_code == 200
    assert sign_in_as(anna).get("/profile").status_code == 200


@pytest.mark.sqlite_only
def test_guessing_the_current_password_is_limited(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    typed = {"current": "a wrong password here", "password": NEW, "confirm": NEW}
    answers = [browser.post_form("/profile/password", typed).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


def test_a_new_password_ends_the_other_sessions_and_is_told(
    sign_in_as: SignInAs, client: Client, anna: Contact
) -> None:
    here, there = sign_in_as(anna), sign_in_as(anna)
    before = here.get_cookie("portal")
    typed = {"current": make.PASSWORD, "password": NEW, "confirm": NEW}
    assert location(here.post_form("/profile/password", typed)) == "/profile"
    assert here.page("/profile").heading == "Anna Weber"
    assert here.get_cookie("portal").value != before.value  # type: ignore[union-attr]
    assert there.get("/profile").status_code == 303
    assert client.post_form("/sign-in", {"identifier": "anna", "password": NEW}).status_code == 303
    assert [m.kind for m in db.session.scalars(db.select(Message))] == ["password-changed"]


@pytest.mark.sqlite_only
def test_it_shows_ones_own_record(sign_in_as: SignInAs, anna: Contact) -> None:
    make.make_contact("Ben", "Other", "ben@x.example", username="ben")
    text = sign_in_as(anna).page("/profile").text
    for expected in ("Anna Weber", "anna@x.example", "Confirmed", "anna", "Acme", "Supplier", "Authenticated Users"):
        assert expected in text
    assert "Ben" not in text


@pytest.mark.sqlite_only
def test_a_page_asks_for_few_statements(sign_in_as: SignInAs, anna: Contact, statements: Callable[[], object]) -> None:
    invitation = make.make_invitation(
        anna, roles=[make.make_role()], account=make.make_account(), inviter=make.make_contact()
    )
    browser = sign_in_as(anna)
    for path in ("/", "/profile", "/redeem", "/sign-in", f"/redeem?code={make.code_of(invitation)}", "/redeem/review"):
        with statements() as sent:  # type: ignore[attr-defined]
            browser.get(path)
        assert len(sent) <= 12, (path, len(sent))


@pytest.mark.sqlite_only
def test_a_view_can_ask_for_a_web_role(make_app: Callable[..., Flask], anna: Contact) -> None:
    app = make_app()
    for name in ("supplier", "Authenticated Users", "Nobody Has It"):
        app.add_url_rule(f"/{name[:3]}", name, require_web_role(name)(lambda: "in"))
    browser: Client = app.test_client()  # type: ignore[assignment]
    assert location(browser.get("/sup")) == "/sign-in?next=/sup"
    assert browser.post_form("/sign-in?next=/sup", {"identifier": "anna", "password": make.PASSWORD}).status_code == 303
    answers = {path: browser.get(path).status_code for path in ("/sup", "/Aut", "/Nob")}
    assert answers == {"/sup": 200, "/Aut": 200, "/Nob": 403}
