"""Whoever was shut out stays out: nothing they began before goes on afterwards, and no session outlives its time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from portal.contacts.models import Contact
from portal.identity import guard, links
from portal.identity.models import Credential, ExternalIdentity, OneTimeLink
from portal.kernel.db import db, transaction
from portal.mail.models import Message
from portal.passkeys import guard as passkey_guard
from portal.web.sessions import ServerSession
from tests.passkeys import ways as keys
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.twins.authenticator import Authenticator

NEW = "seven quiet rivers under moonlight"
SignInAs = Callable[[Any], Client]


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna")


def ask_move(browser: Client, email: str = "attacker@evil.example") -> str:
    """Ask for another address; gives the path of the link that is mailed there."""
    assert browser.post_form("/profile/email", {"email": email}).status_code == 303
    link = db.session.scalars(db.select(OneTimeLink).filter_by(purpose=links.CHANGE)).one()
    contact = db.session.get_one(Contact, link.contact_id)
    bound = links.moving(link.email_key, links.moves_from(contact.email1_key, contact.epoch))
    return f"/change-email/{links.token(make.ring(), link.public_id, links.CHANGE, link.id, bound)}"


def follow(browser: Client, path: str) -> int:
    """Follow such a link and press its button."""
    browser.get(path)
    return browser.post("/change-email", data={"csrf_token": browser.token("/sign-in")}).status_code


def address(contact: Contact) -> str | None:
    return db.session.get_one(Contact, contact.id, populate_existing=True).email1


def shut_out(contact: Contact) -> None:
    """As whatever ends all sessions of somebody does."""
    with transaction():
        db.session.get_one(Contact, contact.id).epoch += 1


@pytest.mark.parametrize("deed", ["identities/{}/remove", "passkeys/{}/remove", "end-sessions"])
def test_a_move_that_waits_ends_with_what_staff_take_away(
    sign_in_as: SignInAs, new_client: Callable[[], Client], anna: Contact, deed: str
) -> None:
    identity = make.make_identity(anna, make.make_provider("alpha"))
    key = make.make_passkey(anna)
    number = identity.id if deed.startswith("identities") else key.id
    path = ask_move(sign_in_as(anna))
    owner = sign_in_as("owner")
    url = f"/staff/contacts/{anna.id}/credentials/{deed.format(number)}"
    assert owner.post(url, data={"csrf_token": owner.token("/staff/profile")}).status_code == 303
    assert follow(new_client(), path) in (404, 410)
    assert address(anna) == "anna@x.example"


def test_a_move_that_waits_ends_with_signing_out_everywhere_else(
    sign_in_as: SignInAs, new_client: Callable[[], Client], anna: Contact
) -> None:
    path = ask_move(sign_in_as(anna))
    browser = sign_in_as(anna)
    data = {"csrf_token": browser.token("/profile/devices/")}
    assert browser.post("/profile/devices/end-others", data=data).status_code == 303
    assert follow(new_client(), path) in (404, 410)
    assert address(anna) == "anna@x.example"


def test_a_move_that_waits_ends_with_a_deactivation(
    sign_in_as: SignInAs, new_client: Callable[[], Client], anna: Contact
) -> None:
    path = ask_move(sign_in_as(anna))
    owner = sign_in_as("owner")
    for deed in ("deactivate", "activate"):
        data = {"csrf_token": owner.token("/staff/profile")}
        assert owner.post(f"/staff/contacts/{anna.id}/{deed}", data=data).status_code == 303
    assert follow(new_client(), path) in (404, 410)
    assert address(anna) == "anna@x.example"


def test_whoever_comes_by_the_link_inherits_no_move(
    sign_in_as: SignInAs, client: Client, new_client: Callable[[], Client], anna: Contact
) -> None:
    """Their earlier sign-in is gone, so there is nothing to replace; what it left behind must go as well."""
    path = ask_move(sign_in_as(anna))
    with transaction():
        db.session.delete(db.session.get_one(Credential, anna.id))
    ways.open_link(client, make.make_invitation(anna, sent=True), anna)
    assert location(ways.sign_up(client)) == "/welcome"
    assert follow(new_client(), path) in (404, 410)
    assert address(anna) == "anna@x.example"


def test_removing_ones_own_passkey_ends_the_other_sessions(sign_in_as: SignInAs, anna: Contact) -> None:
    key = make.make_passkey(anna)
    there, here = sign_in_as(anna), sign_in_as(anna)
    path = f"/profile/passkeys/{key.id}"
    assert location(here.post_form(f"{path}/remove", page=path)) == "/profile"
    assert there.get("/profile").status_code == 303
    assert here.get("/profile").status_code == 200


@pytest.mark.parametrize("deed", ["first-password", "username", "email", "devices/end-others", "identities"])
def test_who_is_shut_out_while_a_form_is_on_its_way_changes_nothing(
    sign_in_as: SignInAs, client: Client, anna: Contact, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their request began before, and waited for the very lock under which they were shut out: it must not give them
    a session of the epoch that came after, nor a way in."""
    identity = make.make_identity(anna, make.make_provider("alpha"))
    device = keys.give(anna)
    assert location(keys.sign_in(client, device)) == "/profile"
    if deed == "first-password":
        with transaction():
            db.session.get_one(Credential, anna.id).password_hash = None
    fields, path = {
        "first-password": ({"password": NEW, "confirm": NEW}, None),
        "username": ({"username": "attacker"}, None),
        "email": ({"email": "attacker@evil.example"}, None),
        "devices/end-others": ({}, "/profile/devices/"),
        "identities": ({}, "/profile"),
    }[deed]
    url = f"/profile/{deed}/{identity.id}/remove" if deed == "identities" else f"/profile/{deed}"
    token = client.token(path or url)

    @contextmanager
    def waits() -> Iterator[None]:
        shut_out(anna)
        with transaction():
            yield

    monkeypatch.setattr(guard, "transaction", waits)
    response = client.post(url, data={"csrf_token": token, **fields})
    monkeypatch.undo()
    assert response.status_code in (303, 409)
    assert client.get("/profile").status_code == 303
    held = db.session.get_one(Credential, anna.id, populate_existing=True)
    assert held.username == "anna"
    assert (held.password_hash is None) == (deed == "first-password")
    assert list(db.session.scalars(db.select(OneTimeLink))) == []
    assert db.session.get_one(Contact, anna.id, populate_existing=True).epoch == 1
    assert db.session.get(ExternalIdentity, identity.id) is not None


def test_a_session_that_was_ended_there_is_not_revived_by_a_new_id(
    sign_in_as: SignInAs, anna: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = sign_in_as(anna)
    token = there.token("/profile/devices/")

    @contextmanager
    def waits() -> Iterator[None]:
        with transaction():
            db.session.execute(db.delete(ServerSession))
        with transaction():
            yield

    monkeypatch.setattr(guard, "transaction", waits)
    assert there.post("/profile/devices/end-others", data={"csrf_token": token}).status_code == 303
    monkeypatch.undo()
    assert there.get("/profile").status_code == 303
    assert [row.user for row in db.session.scalars(db.select(ServerSession)) if row.user] == []


def test_a_passkey_that_was_begun_before_is_not_added_after(
    sign_in_as: SignInAs, anna: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, device = sign_in_as(anna), Authenticator()
    told = keys.ask(browser, "/profile/passkeys/options", "/profile")
    sent = passkey_guard.sent_answer

    def late() -> Any:
        shut_out(anna)
        return sent()

    monkeypatch.setattr(passkey_guard, "sent_answer", late)
    assert keys.send(browser, "/profile/passkeys", told, device.make(told["publicKey"])).status_code == 303
    assert keys.stored() == []


def test_a_form_that_waits_for_a_proof_is_its_persons_own(
    sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock
) -> None:
    make.make_contact("Bert", "Brown", "bert@x.example", username="bert")
    browser = sign_in_as(anna)
    token = browser.token("/profile/username")
    frozen_clock.move(minutes=11)
    browser.post("/profile/username", data={"csrf_token": token, "username": "anna.secret"})
    shut_out(anna)
    form = {"identifier": "bert", "password": make.PASSWORD}
    assert location(browser.post_form("/sign-in", form)) == "/profile"
    page = browser.get("/sign-in/again/on")
    assert "anna.secret" not in page.get_data(as_text=True)
    assert location(page) == "/profile"


def test_a_new_id_makes_a_session_no_younger(sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock) -> None:
    browser = sign_in_as(anna)
    for _ in range(8):
        frozen_clock.move(hours=20)
        data = {"csrf_token": browser.token("/profile/devices/")}
        assert browser.post("/profile/devices/end-others", data=data).status_code == 303
    frozen_clock.move(hours=9)
    assert browser.get("/profile").status_code == 303


def test_signing_in_again_begins_a_new_session(sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock) -> None:
    browser = sign_in_as(anna)
    for _ in range(8):
        frozen_clock.move(hours=20)
        browser.get("/profile")
    data = {"csrf_token": browser.token("/profile/devices/"), "identifier": "anna", "password": make.PASSWORD}
    assert location(browser.post("/sign-in", data=data)) == "/profile"
    frozen_clock.move(hours=9)
    assert browser.get("/profile").status_code == 200


def test_an_unproven_mailbox_is_not_filled_with_notices(sign_in_as: SignInAs, anna: Contact) -> None:
    """Whoever typed a stranger's address must not have them mailed whatever they like, as often as they like."""
    browser = sign_in_as(anna)
    for number in range(14):
        assert browser.post_form("/profile/username", {"username": f"anna{number}"}).status_code == 303
    assert len(list(db.session.scalars(db.select(Message)))) == 10


def test_a_username_from_staff_does_not_keep_anybody_from_signing_up(client: Client) -> None:
    carla = make.make_contact("Carla", "Jones", "carla@x.example", username="carla")
    with transaction():
        db.session.get_one(Credential, carla.id).password_hash = None
    ways.open_link(client, make.make_invitation(carla, sent=True), carla)
    assert location(ways.sign_up(client)) == "/welcome"
    assert db.session.get_one(Credential, carla.id, populate_existing=True).password_hash is not None
