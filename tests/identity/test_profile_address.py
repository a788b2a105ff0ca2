"""Another e-mail address counts once its owner said so; the earlier one is told; nobody learns of others' addresses."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity import links, services
from portal.identity.models import OneTimeLink
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import Actor
from portal.kernel.db import db, transaction
from portal.kernel.errors import PortalError
from portal.mail import outbox, templates
from portal.mail.models import Message
from portal.mail.outbox import Cancelled
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.databases import Rows
from tests.support.pages import Page

SignInAs = Callable[[Contact], Client]


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


def ask(browser: Client, email: str) -> int:
    return browser.post_form("/profile/email", {"email": email}).status_code


def mailed(kind: str) -> list[Message]:
    return list(db.session.scalars(db.select(Message).filter_by(kind=kind).order_by(Message.id)))


def path_in(message: Message) -> str:
    link: str = outbox.prepares[message.kind](message, clock.now()).values["link"]
    return link.removeprefix("http://localhost")


def notices() -> list[tuple[str, str, str]]:
    """To whom, what, and the address it names."""
    made = [outbox.prepares[m.kind](m, clock.now()) for m in mailed("sign-in-changed")]
    return [(one.to, one.values["what"], one.values["which"]) for one in made]


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "typed", ["", "nothing", "a@b, c@d.example", "Anna <a@b.example>", "ANNA@x.example", "anna@X.EXAMPLE"]
)
def test_what_is_no_new_address_changes_nothing(
    sign_in_as: SignInAs, anna: Contact, dump: Callable[[], Rows], typed: str
) -> None:
    browser = sign_in_as(anna)
    before = dump()
    response = browser.post_form("/profile/email", {"email": typed})
    assert response.status_code == 422
    assert "email" in Page(response).errors
    assert dump() == before


def test_the_new_address_counts_once_its_link_was_followed(
    sign_in_as: SignInAs, client: Client, anna: Contact, dump: Callable[[], Rows]
) -> None:
    browser = sign_in_as(anna)
    assert ask(browser, "Anna.New@y.example") == 303
    assert db.session.get_one(Contact, anna.id).email1 == "anna@x.example"
    assert "Anna.New@y.example" in browser.page("/profile").testid("moving").text
    (message,) = mailed("change-email")
    assert outbox.prepares["change-email"](message, clock.now()).to == "Anna.New@y.example"
    link = path_in(message)
    before = dump()
    opened = client.get(link)
    assert location(opened) == "/change-email"
    assert link.rpartition("/")[2] not in client.get("/change-email").text
    assert dump() == before
    assert location(client.post_form("/change-email", {})) == "/"
    moved = db.session.get_one(Contact, anna.id)
    assert (moved.email1, moved.email1_key) == ("Anna.New@y.example", "anna.new@y.example")
    assert moved.email1_verified_at is not None
    assert notices() == [
        ("anna@x.example", "email-change-asked", "Anna.New@y.example"),
        ("anna@x.example", "email-changed", "Anna.New@y.example"),
    ]
    (entry,) = db.session.scalars(db.select(JournalEntry).filter_by(action="contact.email-changed"))
    assert entry.detail == {"changes": {"email1": ["anna@x.example", "Anna.New@y.example"]}}
    assert client.get(link).status_code == 404
    assert browser.get("/profile").status_code == 200


@pytest.mark.sqlite_only
def test_of_two_that_wait_the_newest_counts(sign_in_as: SignInAs, client: Client, anna: Contact) -> None:
    browser = sign_in_as(anna)
    ask(browser, "first@y.example")
    link = path_in(mailed("change-email")[0])
    ask(browser, "second@y.example")
    with pytest.raises(Cancelled):
        path_in(mailed("change-email")[0])
    client.get(link)
    assert client.get("/change-email").status_code == 410
    assert client.post("/change-email", data={"csrf_token": client.token("/sign-in")}).status_code == 410
    client.get(path_in(mailed("change-email")[1]))
    client.post_form("/change-email", {})
    assert db.session.get_one(Contact, anna.id).email1 == "second@y.example"


@pytest.mark.sqlite_only
def test_it_can_be_called_off(sign_in_as: SignInAs, client: Client, anna: Contact) -> None:
    browser = sign_in_as(anna)
    ask(browser, "new@y.example")
    link = path_in(mailed("change-email")[0])
    browser.post_form("/profile/email/drop", {}, page="/profile")
    assert "new@y.example" not in browser.page("/profile").text
    client.get(link)
    assert client.get("/change-email").status_code == 410


@pytest.mark.sqlite_only
def test_a_link_ends_with_its_time_with_another_address_and_with_the_contact(
    sign_in_as: SignInAs, new_client: Callable[[], Client], anna: Contact, frozen_clock: FrozenClock
) -> None:
    browser = sign_in_as(anna)
    ask(browser, "new@y.example")
    link = path_in(mailed("change-email")[0])
    early = new_client()
    early.get(link)
    with transaction():
        db.session.get_one(Contact, anna.id).email1_key = "staff-changed@x.example"
    assert new_client().get(link).status_code == 404
    assert early.get("/change-email").status_code == 404
    with transaction():
        db.session.get_one(Contact, anna.id).email1_key = "anna@x.example"
        db.session.get_one(Contact, anna.id).active = False
    assert new_client().get(link).status_code == 404
    with transaction():
        db.session.get_one(Contact, anna.id).active = True
    frozen_clock.move(hours=25)
    late = new_client()
    late.get(link)
    assert late.get("/change-email").status_code == 410


@pytest.mark.sqlite_only
@pytest.mark.parametrize("path", ["/change-email/nonsense", "/change-email/" + "A" * 60, "/change-email"])
def test_a_made_up_link_is_404_and_keeps_nothing(client: Client, path: str) -> None:
    assert client.get(path).status_code == 404
    assert client.get_cookie("portal") is None or client.get("/change-email").status_code == 404


@pytest.mark.sqlite_only
def test_a_new_password_ends_a_change_that_waits(sign_in_as: SignInAs, client: Client, anna: Contact) -> None:
    browser = sign_in_as(anna)
    ask(browser, "thief@y.example")
    link = path_in(mailed("change-email")[0])
    new = "seven quiet rivers under moonlight"
    browser.post_form("/profile/password", {"current": make.PASSWORD, "password": new, "confirm": new})
    assert client.get(link).status_code == 404
    assert client.get("/change-email").status_code == 404


@pytest.mark.sqlite_only
def test_an_address_that_another_one_confirmed_shows_only_to_its_owner(
    sign_in_as: SignInAs, client: Client, anna: Contact
) -> None:
    make.make_contact("Ben", "Other", "ben@x.example", verified=True)
    browser = sign_in_as(anna)
    assert ask(browser, "ben@x.example") == ask(browser, "free@x.example") == 303
    with transaction():  # the first of the two, as if it were the newest
        first, second = db.session.scalars(db.select(OneTimeLink).order_by(OneTimeLink.id))
        first.used_at, second.used_at = None, clock.now()
    client.get(path_in(mailed("change-email")[0]))
    assert client.post_form("/change-email", {}).status_code == 409
    assert db.session.get_one(Contact, anna.id).email1 == "anna@x.example"


@pytest.mark.sqlite_only
def test_nobodys_mailbox_is_filled(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    assert [ask(browser, f"new{n}@y.example") for n in range(6)] == [303] * 5 + [422]
    others = [make.make_contact(username=f"other{n}", verified=True) for n in range(2)]
    answers = [ask(sign_in_as(one), "new1@y.example") for one in others for _ in range(3)]
    assert answers == [303, 303, 303, 303, 422, 422]


def test_two_moves_at_once_are_one(app: Flask, anna: Contact) -> None:
    by, contact_id = Actor("contact", anna.id, "Anna", None), anna.id
    with transaction():
        services.ask_move(contact_id, "new@y.example", by, clock.now())
    link_id = db.session.scalars(db.select(OneTimeLink.id)).one()
    db.session.remove()
    outcomes: list[str] = []

    def move() -> None:
        with app.app_context():
            try:
                with transaction():
                    services.move(link_id, links.moves_from("anna@x.example", 0), None, clock.now())
                outcomes.append("moved")
            except PortalError as refused:
                outcomes.append(type(refused).__name__)

    threads = [Thread(target=move) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("moved") == 1
    assert set(outcomes) <= {"moved", "Gone", "NotFound"}
    assert len(mailed("sign-in-changed")) == 2


@pytest.mark.sqlite_only
def test_what_the_mails_say(sign_in_as: SignInAs, anna: Contact) -> None:
    ask(sign_in_as(anna), "new@y.example")
    for kind in ("change-email", "sign-in-changed"):
        (message,) = mailed(kind)
        made = outbox.prepares[kind](message, clock.now())
        text = templates.render(made.template, made.values).text
        assert ("24 hours" if kind == "change-email" else "new@y.example") in text
    (link,) = db.session.scalars(db.select(OneTimeLink))
    assert link.expires_at - link.created_at == timedelta(hours=24)
