"""One's own ways to sign in: a username, a first password, identities; the last one stays, whatever happens at once."""

from collections.abc import Callable
from threading import Thread

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity import services
from portal.identity.models import Credential, ExternalIdentity
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import Actor
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict
from portal.mail import outbox, templates
from portal.mail.models import Message
from tests.support import make
from tests.support.clients import Client, location
from tests.support.databases import Rows
from tests.support.pages import Page

NEW = "seven quiet rivers under moonlight"
SignInAs = Callable[[Contact], Client]
Dump = Callable[[], Rows]


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


def without_password(contact: Contact) -> None:
    contact_id = contact.id
    with transaction():
        db.session.delete(db.session.get_one(Credential, contact_id))


def told() -> list[str]:
    rows = db.session.scalars(db.select(Message).filter_by(kind="sign-in-changed").order_by(Message.id))
    return [row.detail["what"] for row in rows]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("typed", ["", "ab", "anna@x.example", "an\u200bna", "x" * 101, "BEN", "ｂｅｎ"])
def test_a_username_that_cannot_be(sign_in_as: SignInAs, anna: Contact, dump: Dump, typed: str) -> None:
    make.make_contact("Ben", username="ben")
    browser = sign_in_as(anna)
    before = dump()
    response = browser.post_form("/profile/username", {"username": typed})
    assert response.status_code == 422
    assert "username" in Page(response).errors
    assert dump() == before


def test_another_username(sign_in_as: SignInAs, client: Client, anna: Contact) -> None:
    browser = sign_in_as(anna)
    assert location(browser.post_form("/profile/username", {"username": "Anna Weber"})) == "/profile"
    signed_in = client.post_form("/sign-in", {"identifier": "anna weber", "password": make.PASSWORD})
    assert signed_in.status_code == 303
    assert told() == ["username-changed"]
    assert browser.post_form("/profile/username", {"username": "ANNA WEBER"}).status_code == 303  # only its spelling


@pytest.mark.sqlite_only
def test_a_first_password(sign_in_as: SignInAs, client: Client, anna: Contact) -> None:
    browser = sign_in_as(anna)
    make.make_identity(anna, make.make_provider("alpha"))
    without_password(anna)
    assert location(browser.get("/profile/password")) == "/profile/first-password"
    for typed in (
        {"username": "anna", "password": "short", "confirm": "short"},
        {"username": "anna", "password": NEW, "confirm": NEW + "x"},
        {"username": "", "password": NEW, "confirm": NEW},
        {"username": "silver harbour", "password": "silver harbour 123", "confirm": "silver harbour 123"},
    ):
        assert browser.post_form("/profile/first-password", typed).status_code == 422
    assert not db.session.scalars(db.select(Credential)).all()
    typed = {"username": "anna.w", "password": NEW, "confirm": NEW}
    assert location(browser.post_form("/profile/first-password", typed)) == "/profile"
    assert client.post_form("/sign-in", {"identifier": "anna.w", "password": NEW}).status_code == 303
    assert told() == ["password-set"]
    assert location(browser.get("/profile/first-password")) == "/profile/password"


@pytest.mark.sqlite_only
def test_a_first_password_for_the_username_that_staff_gave(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    with transaction():
        db.session.get_one(Credential, anna.id).password_hash = None
    typed = {"username": "somebody else", "password": NEW, "confirm": NEW}
    assert browser.post_form("/profile/first-password", typed).status_code == 303
    held = db.session.get_one(Credential, anna.id)
    assert (held.username, held.password_hash is not None) == ("anna", True)


@pytest.mark.sqlite_only
def test_without_local_sign_in_there_is_no_password_to_set(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    make.set_site(local_sign_in=False)
    for path in ("/profile/password", "/profile/first-password", "/profile/username"):
        assert browser.get(path).status_code == 404
        assert browser.post(path, data={"csrf_token": browser.token("/profile")}).status_code == 404
    assert "assword" not in browser.page("/profile").text


@pytest.mark.sqlite_only
def test_the_profile_offers_to_link_what_is_not_linked(sign_in_as: SignInAs, anna: Contact) -> None:
    make.make_identity(anna, make.make_provider("alpha"), email="anna@alpha.example")
    make.make_provider("beta")
    make.make_identity(anna, make.make_provider("gamma", for_sign_in=False))
    make.make_provider("delta", for_sign_in=False)
    page = sign_in_as(anna).page("/profile")
    assert [f.action for f in page.posts if "purpose" in f.names] == ["/sign-in/beta"]
    assert page.form("/sign-in/beta").values["purpose"] == ["link"]
    text = page.testid("identities").text
    assert "anna@alpha.example" in text
    assert text.count("Switched off") == 1


def test_removing_an_identity_ends_the_other_sessions(sign_in_as: SignInAs, anna: Contact) -> None:
    identity = make.make_identity(anna, make.make_provider("alpha", caption="Alpha")).id
    here, there = sign_in_as(anna), sign_in_as(anna)
    path = f"/profile/identities/{identity}/remove"
    assert location(here.post_form(path, {}, page="/profile")) == "/profile"
    assert db.session.get(ExternalIdentity, identity) is None
    assert (here.get("/profile").status_code, there.get("/profile").status_code) == (200, 303)
    assert told() == ["identity-removed"]
    (message,) = db.session.scalars(db.select(Message).filter_by(kind="sign-in-changed"))
    made = outbox.prepares["sign-in-changed"](message, clock.now())
    assert "signing in with Alpha was removed" in templates.render(made.template, made.values).text
    assert here.post(path, data={"csrf_token": here.token("/profile")}).status_code == 404


@pytest.mark.sqlite_only
def test_somebody_elses_identity_is_not_there(sign_in_as: SignInAs, anna: Contact, dump: Dump) -> None:
    ben = make.make_contact("Ben", username="ben")
    identity = make.make_identity(ben, make.make_provider()).id
    browser = sign_in_as(anna)
    before = dump()
    data = {"csrf_token": browser.token("/profile")}
    assert browser.post(f"/profile/identities/{identity}/remove", data=data).status_code == 404
    assert dump() == before


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("other", "site"),
    [
        ("nothing", {}),
        ("password", {"local_sign_in": False}),
        ("identity", {}),  # at a provider that is switched off
        ("passkey", {"passkeys": False}),
    ],
)
def test_the_last_way_that_works_stays(
    sign_in_as: SignInAs, anna: Contact, dump: Dump, other: str, site: dict[str, bool]
) -> None:
    browser = sign_in_as(anna)
    identity = make.make_identity(anna, make.make_provider("alpha")).id
    if other != "password":
        without_password(anna)
    if other == "identity":
        make.make_identity(anna, make.make_provider("off", for_sign_in=False))
    if other == "passkey":
        make.make_passkey(anna)
    make.set_site(**site)
    before = dump()
    response = browser.post_form(f"/profile/identities/{identity}/remove", {}, page="/profile")
    assert "last way to sign in" in browser.follow(response).toasts[0]
    assert dump() == before


def test_of_two_removed_at_once_one_stays(app: Flask, anna: Contact) -> None:
    provider = make.make_provider("alpha")
    ids = [make.make_identity(anna, provider).id for _ in range(4)]
    without_password(anna)
    contact_id, outcomes = anna.id, []
    db.session.remove()

    def remove(identity_id: int) -> None:
        with app.app_context():
            try:
                with transaction():
                    by = Actor("contact", contact_id, "Anna", None)
                    services.remove_identity(contact_id, identity_id, by, clock.now())
                outcomes.append("removed")
            except Conflict:
                outcomes.append("kept")

    threads = [Thread(target=remove, args=(number,)) for number in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["kept", "removed", "removed", "removed"]
    assert len(db.session.scalars(db.select(ExternalIdentity)).all()) == 1
    assert len(db.session.scalars(db.select(JournalEntry).filter_by(action="credential.identity-removed")).all()) == 3
