"""Staff and a contact's sign-in: each deed needs its right, stands in the journal, and the contact is told."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.identity import services
from portal.identity.models import Credential, ExternalIdentity, OneTimeLink
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import outbox, templates
from portal.mail.models import Message
from portal.passkeys.models import Passkey
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.databases import Rows
from tests.support.pages import Page

NEW = "seven quiet rivers under moonlight"
SignInAs = Callable[[str | Contact], Client]
Dump = Callable[[], Rows]
DEEDS = ("send-link", "remove-password", "unlock", "end-sessions")


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


def page_of(contact: Contact) -> str:
    return f"/staff/contacts/{contact.id}/credentials"


def do(browser: Client, contact: Contact, deed: str) -> int:
    data = {"csrf_token": browser.token("/staff/profile")}
    return browser.post(f"{page_of(contact)}/{deed}", data=data).status_code


def journal() -> list[str]:
    rows = db.session.scalars(db.select(JournalEntry.action).order_by(JournalEntry.id))
    return [action for action in rows if action.startswith("credential.")]


def told() -> list[str]:
    rows = db.session.scalars(db.select(Message).order_by(Message.id))
    return [str(row.detail.get("what", row.kind)) for row in rows]


@pytest.mark.parametrize("what", ["identities", "passkeys"])
def test_what_is_not_this_contacts_is_not_found(sign_in_as: SignInAs, anna: Contact, dump: Dump, what: str) -> None:
    other = make.make_contact("Otto", "Other")
    others = {
        "identities": make.make_identity(other, make.make_provider()).id,
        "passkeys": make.make_passkey(other).id,
    }
    browser = sign_in_as("manager")
    before = dump()
    for number in (others[what], 0, 2**31, 10**30):
        assert do(browser, anna, f"{what}/{number}/remove") == 404
    assert dump() == before


@pytest.mark.sqlite_only
@pytest.mark.parametrize("persona", ["viewer", "editor", "invitee", "nobody"])
def test_others_may_not(sign_in_as: SignInAs, anna: Contact, dump: Dump, persona: str) -> None:
    browser = sign_in_as(persona)
    refused = 403 if persona in ("viewer", "editor") else 303
    before = dump()
    assert browser.get(page_of(anna)).status_code == refused
    for deed in (*DEEDS, "username", "temporary-password"):
        token = browser.token("/staff/profile" if refused == 403 else "/staff/sign-in")
        assert browser.post(f"{page_of(anna)}/{deed}", data={"csrf_token": token}).status_code == refused
    assert dump() == before


@pytest.mark.sqlite_only
def test_the_contacts_page_leads_there_for_those_who_may(sign_in_as: SignInAs, anna: Contact) -> None:
    url = f"/staff/contacts/{anna.id}"
    assert sign_in_as("manager").page(url).link("Sign-in") == page_of(anna)
    assert page_of(anna) not in sign_in_as("viewer").page(url).links.values()


@pytest.mark.sqlite_only
def test_the_page_says_how_it_stands(sign_in_as: SignInAs, anna: Contact, statements: Callable[[], object]) -> None:
    make.make_identity(anna, make.make_provider("alpha", caption="Alpha"), email="anna@alpha.example")
    make.make_passkey(anna, name="Key in the drawer")
    sign_in_as(anna)
    browser = sign_in_as("owner")
    page = browser.page(page_of(anna))
    for expected in ("anna", "Alpha", "anna@alpha.example", "Key in the drawer", "Set a temporary password"):
        assert expected in page.text
    with statements() as sent:  # type: ignore[attr-defined]
        browser.get(page_of(anna))
    assert len(sent) <= 12
    nobody = make.make_contact("Carla", "Nomail", None)
    assert "no way to sign in" in browser.page(page_of(nobody)).text
    assert "no primary e-mail address" in browser.page(page_of(nobody)).text


@pytest.mark.sqlite_only
def test_a_manager_may_not_set_a_temporary_password(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as("manager")
    assert "temporary" not in browser.page(page_of(anna)).text
    assert browser.get(f"{page_of(anna)}/temporary-password").status_code == 403


@pytest.mark.sqlite_only
def test_it_needs_a_recent_proof(sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock, dump: Dump) -> None:
    browser = sign_in_as("owner")
    frozen_clock.move(minutes=11)
    before = dump()
    asked = browser.get(f"{page_of(anna)}/temporary-password")
    assert location(asked).startswith("/staff/confirm")
    data = {"csrf_token": browser.token("/staff/profile")}
    assert location(browser.post(f"{page_of(anna)}/remove-password", data=data)).startswith("/staff/confirm")
    assert dump() == before


def test_a_temporary_password_ends_all_sessions_and_must_be_changed(sign_in_as: SignInAs, anna: Contact) -> None:
    hers, browser = sign_in_as(anna), sign_in_as("owner")
    url = f"{page_of(anna)}/temporary-password"
    for weak in ("", "short", "Anna Weber Anna Weber"):
        assert browser.post_form(url, {"password": weak}).status_code == 422
    assert location(browser.post_form(url, {"password": NEW})) == page_of(anna)
    assert hers.get("/profile").status_code == 303
    held = db.session.get_one(Credential, anna.id)
    assert held.must_change
    assert journal() == ["credential.temporary-password"]
    assert told() == ["password-changed"]
    (entry,) = db.session.scalars(db.select(JournalEntry).filter_by(action="credential.temporary-password"))
    assert entry.actor_kind == "staff"
    assert NEW not in f"{entry.text}{entry.detail}"
    assert "Temporary" in browser.page(page_of(anna)).text


@pytest.mark.sqlite_only
def test_a_username_and_then_a_link(sign_in_as: SignInAs, client: Client) -> None:
    carla = make.make_contact("Carla", "Costa", "carla@x.example")
    browser = sign_in_as("manager")
    assert do(browser, carla, "send-link") == 303
    assert not db.session.scalars(db.select(OneTimeLink)).all()
    assert browser.page(f"{page_of(carla)}/username").form(holding={"username"}).values["username"] == ["carla"]
    assert browser.post_form(f"{page_of(carla)}/username", {"username": "a@b"}).status_code == 422
    assert browser.post_form(f"{page_of(carla)}/username", {"username": "carla"}).status_code == 303
    held = db.session.get_one(Credential, carla.id)
    assert (held.username, held.password_hash) == ("carla", None)
    assert client.post_form("/sign-in", {"identifier": "carla", "password": make.PASSWORD}).status_code == 422
    assert do(browser, carla, "send-link") == do(browser, carla, "send-link") == 303
    first, second = db.session.scalars(db.select(OneTimeLink).order_by(OneTimeLink.id))
    assert first.used_at is not None
    assert (second.expires_at - second.created_at).total_seconds() == 72 * 3600
    message = db.session.scalars(db.select(Message).filter_by(kind="set-password").order_by(Message.id.desc())).first()
    assert message is not None
    made = outbox.prepares["set-password"](message, clock.now())
    text = templates.render(made.template, made.values).text
    assert "Your username is: carla" in text
    path = made.values["link"].removeprefix("http://localhost")
    opened = client.get(path)
    typed = {"password": NEW, "confirm": NEW}
    assert client.post_form(location(opened), typed).status_code == 303
    assert client.post_form("/sign-in", {"identifier": "carla", "password": NEW}).status_code == 303
    assert journal()[:3] == ["credential.username-changed", "credential.link-sent", "credential.link-sent"]


@pytest.mark.sqlite_only
def test_links_are_not_sent_without_end(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as("manager")
    for _ in range(7):
        do(browser, anna, "send-link")
    assert len(db.session.scalars(db.select(OneTimeLink)).all()) == 5
    gone = make.make_contact("Dora", username="dora", active=False)
    do(browser, gone, "send-link")
    assert len(db.session.scalars(db.select(OneTimeLink)).all()) == 5


@pytest.mark.sqlite_only
def test_a_username_that_is_taken(sign_in_as: SignInAs, anna: Contact, dump: Dump) -> None:
    ben = make.make_contact("Ben", username="ben")
    browser = sign_in_as("manager")
    before = dump()
    response = browser.post_form(f"{page_of(ben)}/username", {"username": "ANNA"})
    assert response.status_code == 422
    assert "username" in Page(response).errors
    assert dump() == before


def test_taking_every_way_away_is_allowed_and_said(sign_in_as: SignInAs, anna: Contact) -> None:
    identity = make.make_identity(anna, make.make_provider("alpha")).id
    passkey = make.make_passkey(anna).id
    hers, browser = sign_in_as(anna), sign_in_as("manager")
    ben = make.make_contact("Ben")
    assert do(browser, ben, f"identities/{identity}/remove") == do(browser, ben, f"passkeys/{passkey}/remove") == 404
    assert do(browser, ben, "remove-password") == 404
    for deed in (f"identities/{identity}/remove", f"passkeys/{passkey}/remove", "remove-password"):
        assert do(browser, anna, deed) == 303
        assert do(browser, anna, deed) == 404
    assert hers.get("/profile").status_code == 303
    assert db.session.get(ExternalIdentity, identity) is db.session.get(Passkey, passkey) is None
    assert db.session.get_one(Credential, anna.id).password_hash is None
    assert told() == ["identity-removed", "passkey-removed", "password-removed"]
    assert journal() == [f"credential.{what}" for what in told()]
    assert "no way to sign in" in browser.page(page_of(anna)).text


@pytest.mark.sqlite_only
def test_unlocking(sign_in_as: SignInAs, client: Client, anna: Contact) -> None:
    with transaction():
        db.session.get_one(Credential, anna.id).failures = 99
    wrong = {"identifier": "anna", "password": "a wrong password here"}
    assert client.post_form("/sign-in", wrong).status_code == 422
    right = {"identifier": "anna", "password": make.PASSWORD}
    assert client.post_form("/sign-in", right).status_code == 422
    for _ in range(9):
        client.post_form("/sign-in", wrong)
    assert client.post_form("/sign-in", right).status_code == 429
    browser = sign_in_as("manager")
    assert "Password locked" in browser.page(page_of(anna)).text
    assert do(browser, anna, "unlock") == 303
    assert client.post_form("/sign-in", right).status_code == 303
    assert told() == ["unlocked"]


@pytest.mark.sqlite_only
def test_signing_them_out_everywhere(sign_in_as: SignInAs, anna: Contact) -> None:
    hers = sign_in_as(anna)
    make.make_remembered(anna)
    browser = sign_in_as("manager")
    assert do(browser, anna, "end-sessions") == 303
    assert hers.get("/profile").status_code == 303
    assert told() == ["signed-out"]
    text = browser.page(page_of(anna)).text
    assert "Sessions 0" in text
    assert "Remembered browsers 0" in text


@pytest.mark.sqlite_only
def test_every_notice_reads_well(app: object, anna: Contact) -> None:
    known = [
        "identity-linked",
        "identity-removed",
        "passkey-added",
        "passkey-removed",
        "password-set",
        "password-removed",
        "username-changed",
        "email-change-asked",
        "email-changed",
        "unlocked",
        "signed-out",
    ]
    with transaction():
        for what in known:
            services.notify(anna.id, what, clock.now(), which="Alpha")
    for message in db.session.scalars(db.select(Message)):
        made = outbox.prepares[message.kind](message, clock.now())
        text = templates.render(made.template, made.values).text
        assert "a way to sign in was changed" not in text
        assert "{%" not in text
