"""Name and language, with nothing overwritten unseen; and everything the site knows, to take along, without secrets."""

import json
from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.identity.models import Credential
from portal.journal.models import JournalEntry
from portal.kernel.db import db, transaction
from portal.web.sessions import ServerSession
from tests.support import make
from tests.support.clients import Client, location
from tests.support.databases import Rows
from tests.support.pages import Page

SignInAs = Callable[[Contact], Client]
pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact(
        "Anna",
        "Weber",
        "anna@x.example",
        username="anna",
        verified=True,
        account=make.make_account("Acme"),
        phone="123",
    )


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"first_name": "x" * 101}, "first_name"),
        ({"last_name": "www.evil.example"}, "last_name"),
        ({"language": "xx"}, "language"),
        ({"version": ""}, "version"),
        ({"version": "nonsense"}, "version"),
    ],
)
def test_what_cannot_be_kept(
    sign_in_as: SignInAs, anna: Contact, dump: Callable[[], Rows], typed: dict[str, str], field: str
) -> None:
    browser = sign_in_as(anna)
    before = dump()
    response = browser.post_form("/profile/name", typed)
    assert response.status_code == 422
    assert field in Page(response).errors or field == "version"
    assert dump() == before


def test_name_and_language_alone_change(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    page = browser.page("/profile/name")
    data = {"csrf_token": page.form(holding={"first_name"}).token, "version": "1", "language": "de"}
    data |= {"first_name": "Änne", "last_name": "Weber", "email1": "evil@x.example", "account": "", "phone": ""}
    assert location(browser.post("/profile/name", data=data)) == "/profile"
    kept = db.session.get_one(Contact, anna.id)
    assert (kept.name, kept.language, kept.email1, kept.phone) == ("Änne Weber", "de", "anna@x.example", "123")
    assert kept.account_id is not None
    assert kept.email1_verified_at is not None
    assert kept.name_key == "änne weber"
    (entry,) = db.session.scalars(db.select(JournalEntry).filter_by(action="contact.updated"))
    assert set(entry.detail["changes"]) == {"first_name", "language"}


def test_what_staff_saved_meanwhile_is_shown_and_stays(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    token = browser.token("/profile/name")
    with transaction():
        kept = db.session.get_one(Contact, anna.id)
        kept.last_name, kept.version = "Weber-Costa", 2
    data = {"csrf_token": token, "version": "1", "first_name": "Änne", "last_name": "Weber", "language": "en"}
    response = browser.post("/profile/name", data=data)
    assert response.status_code == 409
    page = Page(response)
    assert "Weber-Costa" in page.testid("versions").text
    assert page.form(holding={"version"}).values["version"] == ["2"]
    assert db.session.get_one(Contact, anna.id).last_name == "Weber-Costa"


def test_somebody_without_any_name_keeps_the_address(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    assert browser.post_form("/profile/name", {"first_name": "", "last_name": ""}).status_code == 303
    assert db.session.get_one(Contact, anna.id).name == "anna@x.example"


def test_the_download_holds_what_is_known_and_no_secret(sign_in_as: SignInAs, anna: Contact) -> None:
    make.make_identity(anna, make.make_provider("alpha", caption="Alpha"), email="anna@alpha.example")
    make.make_passkey(anna, name="Key in the drawer")
    make.make_remembered(anna, purpose="second")
    inviter = make.make_contact("Bert", "Köhler")
    make.make_redemption(make.make_invitation(anna, inviter=inviter), anna)
    make.make_contact("Ben", "Other", "ben@x.example", username="ben")
    browser = sign_in_as(anna)
    answer = browser.get("/profile/data")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="my-data.json"'
    assert answer.mimetype == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    data = json.loads(answer.text)
    assert data["contact"]["email1"] == "anna@x.example"
    assert data["account"] == "Acme"
    assert data["sign_in"]["username"] == "anna"
    assert data["sign_in"]["identities"][0]["email"] == "anna@alpha.example"
    assert data["sign_in"]["passkeys"][0]["name"] == "Key in the drawer"
    assert len(data["sessions"]) == len(data["remembered_browsers"]) == 1
    assert data["accepted_invitations"][0]["invited_by"] == "Bert Köhler"
    assert [deed["action"] for deed in data["your_deeds"]] == ["sign-in.ok"]
    secrets = [db.session.get_one(Credential, anna.id).password_hash, browser.get_cookie("portal").value]  # type: ignore[union-attr]
    secrets += [row.id for row in db.session.scalars(db.select(ServerSession))]
    for secret in (*secrets, "Ben", "ben@x.example", "selector", "subject-"):
        assert str(secret) not in answer.text


def test_the_profile_with_everything_asks_for_few_statements(
    sign_in_as: SignInAs, anna: Contact, statements: Callable[[], object]
) -> None:
    make.make_identity(anna, make.make_provider("alpha"))
    make.make_provider("beta")
    make.make_passkey(anna)
    make.make_redemption(make.make_invitation(anna), anna)
    browser = sign_in_as(anna)
    browser.post_form("/profile/email", {"email": "new@y.example"})
    for path in ("/profile", "/profile/data", "/profile/email", "/sign-in/again"):
        with statements() as sent:  # type: ignore[attr-defined]
            assert browser.get(path).status_code == 200
        assert len(sent) <= 12, (path, len(sent))
