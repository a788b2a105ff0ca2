"""Creating and editing contacts: what is refused, what is kept, what is saved."""

from typing import Any

import pytest
from sqlalchemy import select

from portal.contacts import queries, services
from portal.contacts.models import Contact
from portal.journal.models import JournalEntry, JournalRecord
from portal.kernel import clock
from portal.kernel.db import db, transaction
from tests.support import make
from tests.support.clients import location
from tests.support.pages import Page

NEW = "/staff/contacts/new"
CONTROLS = ["\0", "\x01", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\u2029", "a\rb", "a\nb"]
FIELDS = ["first_name", "last_name", "email1", "email2", "email3", "phone"]
LINKS = [
    "http://evil.example",
    "see www.evil.example",
    "<a href=//evil>x</a>",
    "evil.com",
    "EVIL.COM/login",
    "mailto:a@b",
]
HOSTILE = [
    "a@x.example,b@y.example",
    "Anna <a@x.example>",
    '"a"@x.example',
    "a@x.example\nBcc: b@y.example",
    "a(b)@x.example",
]


def count() -> int:
    return len(db.session.scalars(select(Contact.id)).all())


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({}, "first_name"),
        ({"first_name": "   ", "last_name": "\t"}, "first_name"),
        ({"email2": "second@example.org"}, "first_name"),
        ({"first_name": "x" * 101}, "first_name"),
        ({"last_name": "x" * 101}, "last_name"),
        ({"first_name": "Anna", "phone": "1" * 51}, "phone"),
        ({"first_name": "Anna", "language": "xx"}, "language"),
        ({"first_name": "Anna", "account": "999"}, "account"),
        ({"first_name": "Anna", "account": "abc"}, "account"),
        ({"first_name": "Anna", "account": "9" * 30}, "account"),
        ({"first_name": "Anna", "web_roles": "abc"}, "web_roles"),
        ({"first_name": "Anna", "web_roles": "9" * 30}, "web_roles"),
        ({"first_name": "Anna", "web_roles": "-1"}, "web_roles"),
        ({"first_name": "Anna", "web_roles": "999"}, "web_roles"),
        ({"first_name": "Anna", "email1": "x" * 250 + "@example.org"}, "email1"),
        *[({field: f"An{c}na"}, field) for field in ("first_name", "last_name", "phone") for c in CONTROLS],
        *[({field: f"an{c}na@example.org"}, field) for field in ("email1", "email2", "email3") for c in CONTROLS[:3]],
        *[({"first_name": link}, "first_name") for link in LINKS],
        *[({"last_name": link}, "last_name") for link in LINKS[:2]],
        *[({"email1": address}, "email1") for address in HOSTILE],
        *[({"first_name": "Anna", "email3": address}, "email3") for address in HOSTILE],
    ],
    ids=ascii,
)
def test_bad_input_is_answered_beside_the_field_and_nothing_is_written(
    sign_in_as: Any, dump: Any, typed: dict[str, str], field: str
) -> None:
    manager = sign_in_as("manager")
    before = dump()
    response = manager.post(NEW, data={"csrf_token": manager.token(NEW), "language": "en", **typed})
    assert response.status_code == 422
    assert field in Page(response).errors
    assert dump() == before


@pytest.mark.sqlite_only
def test_what_was_typed_is_still_there_after_a_refusal(sign_in_as: Any) -> None:
    account, role = make.make_account("Acme"), make.make_role("Members")
    typed = {
        "first_name": "Anna",
        "last_name": "<b>Weber",
        "email1": "not an address",
        "email2": "two@example.org",
        "phone": "+49 30",
        "account": account.id,
        "language": "de",
        "web_roles": [role.id],
    }
    form = Page(sign_in_as("manager").post_form(NEW, typed)).form(NEW)
    held = {name: values[0] for name, values in form.values.items()}
    assert held | {k: str(v) for k, v in typed.items() if k != "web_roles"} == held
    assert form.values["web_roles"] == [str(role.id)]


@pytest.mark.sqlite_only
def test_a_stale_token_costs_nothing_that_was_typed(sign_in_as: Any) -> None:
    response = sign_in_as("manager").post(NEW, data={"csrf_token": "old", "first_name": "Anna"})
    assert response.status_code == 400
    assert Page(response).form(NEW).values["first_name"] == ["Anna"]
    assert count() == 0


def test_an_address_that_another_contact_has_is_shown_and_needs_a_tick(sign_in_as: Any) -> None:
    other = make.make_contact("Anna", "Weber", "anna@müller.example".replace("ü", "u"))
    manager = sign_in_as("manager")
    response = manager.post_form(NEW, {"first_name": "Anne", "email1": "ANNA@Muller.Example"})
    page = Page(response)
    assert response.status_code == 422
    assert "email1" in page.errors
    assert page.testid("same-address").first("a").attrs["href"] == f"/staff/contacts/{other.id}"
    assert count() == 1
    again = manager.post(NEW, data={**flat(page.form(NEW).values), "create_anyway": "y"})
    assert again.status_code == 303
    assert len(queries.with_email("anna@muller.example")) == 2


def test_a_new_contact_is_saved_whole_and_journalled(sign_in_as: Any) -> None:
    account, role = make.make_account("Acme"), make.make_role("Members")
    typed = {
        "first_name": "Anna",
        "last_name": "O'Neil",
        "email1": "Anna@Müller.example",
        "email2": "two@example.org",
        "email3": "three@example.org",
        "phone": "+49 30 123",
        "account": account.id,
        "language": "ar",
        "web_roles": [role.id],
    }
    response = sign_in_as("manager").post_form(NEW, typed)
    contact = db.session.scalars(select(Contact)).one()
    assert location(response) == f"/staff/contacts/{contact.id}"
    assert contact.name == "Anna O'Neil"
    assert contact.email1 == "Anna@xn--mller-kva.example"
    assert contact.email1_key == "anna@xn--mller-kva.example"
    assert contact.name_key == "anna o'neil"
    assert (contact.email2, contact.email3, contact.phone) == ("two@example.org", "three@example.org", "+49 30 123")
    assert (contact.account_id, contact.language, contact.email1_verified_at) == (account.id, "ar", None)
    assert make.ids(queries.web_roles(contact.id)) == [role.id]
    entry = db.session.scalars(select(JournalEntry).where(JournalEntry.action == "contact.created")).one()
    about = db.session.execute(select(JournalRecord.kind, JournalRecord.name).where(JournalRecord.entry_id == entry.id))
    assert {tuple(row) for row in about} == {("contact", "Anna O'Neil"), ("account", "Acme")}
    assert entry.detail == {"web_roles": ["Members"]}


def test_a_minimal_post_takes_the_defaults(sign_in_as: Any) -> None:
    manager = sign_in_as("manager")
    assert manager.post(NEW, data={"csrf_token": manager.token(NEW), "email1": "a@example.org"}).status_code == 303
    contact = db.session.scalars(select(Contact)).one()
    assert (contact.language, contact.name, contact.name_key) == ("en", "a@example.org", "a@example.org")


@pytest.mark.parametrize("version", [None, "", "abc", "-1", "1.0", "9" * 30], ids=str)
def test_an_edit_without_a_proper_version_is_refused(sign_in_as: Any, version: str | None) -> None:
    contact = make.make_contact("Anna", "Weber")
    url = f"/staff/contacts/{contact.id}/edit"
    response = sign_in_as("manager").post_form(url, {"first_name": "Other", "version": version})
    assert response.status_code == 422
    assert db.session.get_one(Contact, contact.id).first_name == "Anna"


def test_a_stale_edit_shows_both_versions_and_can_then_be_saved(sign_in_as: Any) -> None:
    account = make.make_account("Acme")
    contact = make.make_contact("Anna", "Weber", "anna@example.org")
    url = f"/staff/contacts/{contact.id}/edit"
    slow, quick = sign_in_as("manager"), sign_in_as("owner")
    opened = flat(slow.page(url).form(url).values)
    assert quick.post_form(url, {"last_name": "Quick", "account": account.id}).status_code == 303
    response = slow.post(url, data={**opened, "last_name": "Slow"})
    page = Page(response)
    assert response.status_code == 409
    shown = page.testid("versions").text
    assert "Quick" in shown
    assert "Slow" in shown
    assert "Acme" in shown
    assert db.session.get_one(Contact, contact.id).last_name == "Quick"
    assert slow.post(url, data=flat(page.form(url).values)).status_code == 303
    assert db.session.get_one(Contact, contact.id).last_name == "Slow"


def test_roles_that_came_in_between_make_an_open_form_stale(sign_in_as: Any) -> None:
    contact, role = make.make_contact("Anna"), make.make_role()
    url = f"/staff/contacts/{contact.id}/edit"
    manager = sign_in_as("manager")
    opened = flat(manager.page(url).form(url).values)
    contact_id, role_id = contact.id, role.id
    with transaction():
        assert services.add_roles(contact_id, [role_id], clock.now()) == [role_id]
    assert manager.post(url, data=opened).status_code == 409
    assert make.ids(queries.web_roles(contact_id)) == [role_id]


def test_an_edit_is_journalled_with_what_was_and_what_is(sign_in_as: Any) -> None:
    before, after = make.make_account("Before"), make.make_account("After")
    keep, drop, add = make.make_role("Keep"), make.make_role("Drop"), make.make_role("Add")
    contact = make.make_contact("Anna", "Weber", "a@example.org", account=before, roles=[keep, drop], verified=True)
    typed = {"last_name": "Wolf", "email1": "b@example.org", "account": after.id, "web_roles": [keep.id, add.id]}
    assert sign_in_as("manager").post_form(f"/staff/contacts/{contact.id}/edit", typed).status_code == 303
    entry = db.session.scalars(select(JournalEntry).where(JournalEntry.action == "contact.updated")).one()
    assert entry.detail["changes"] == {
        "last_name": ["Weber", "Wolf"],
        "email1": ["a@example.org", "b@example.org"],
        "account": ["Before", "After"],
        "web_roles": [["Drop", "Keep"], ["Add", "Keep"]],
    }
    records = db.session.scalars(select(JournalRecord.name).where(JournalRecord.entry_id == entry.id)).all()
    assert set(records) == {"Anna Wolf", "Before", "After"}
    contact = db.session.get_one(Contact, contact.id)
    assert (contact.email1_verified_at, contact.version, contact.name_key) == (None, 2, "anna wolf")


def test_saving_without_a_change_writes_nothing(sign_in_as: Any, dump: Any) -> None:
    contact = make.make_contact("Anna", "Weber", verified=True, roles=[make.make_role()], account=make.make_account())
    manager = sign_in_as("manager")
    before = dump()
    assert manager.post_form(f"/staff/contacts/{contact.id}/edit").status_code == 303
    after = dump()
    assert after["journal_entry"] == before["journal_entry"]
    assert db.session.get_one(Contact, contact.id).version == 1


def test_another_spelling_of_the_same_mailbox_stays_verified(sign_in_as: Any) -> None:
    contact = make.make_contact("Anna", "Weber", "anna@example.org", verified=True)
    manager = sign_in_as("manager")
    assert manager.post_form(f"/staff/contacts/{contact.id}/edit", {"email1": "Anna@Example.org"}).status_code == 303
    contact = db.session.get_one(Contact, contact.id)
    assert contact.email1 == "Anna@example.org"
    assert contact.email1_verified_at is not None


@pytest.mark.sqlite_only
def test_without_script_find_shows_accounts_and_saves_nothing(sign_in_as: Any) -> None:
    account = make.make_account("Acme")
    manager = sign_in_as("manager")
    response = manager.post_form(NEW, {"first_name": "Anna", "account_q": "acm"}, press="account")
    page = Page(response)
    assert str(account.id) in [e.attrs.get("value") for e in page.all("input", name="account", type="radio")]
    assert page.form(NEW).values["first_name"] == ["Anna"]
    assert count() == 0


@pytest.mark.sqlite_only
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_those_who_only_look_can_change_nothing(sign_in_as: Any, who: str) -> None:
    contact = make.make_contact("Anna")
    viewer = sign_in_as(who)
    page = viewer.page(f"/staff/contacts/{contact.id}")
    assert not page.has_button("Edit")
    assert not page.has_button("Deactivate")
    for url in (NEW, f"/staff/contacts/{contact.id}/edit", f"/staff/contacts/{contact.id}/deactivate"):
        assert viewer.get(url).status_code == 403
        assert viewer.post(url, data={"csrf_token": viewer.token("/staff/")}).status_code == 403


def flat(values: dict[str, list[str]]) -> dict[str, Any]:
    """Form values as the test client posts them."""
    return dict(values)


def test_another_account_of_the_same_name_is_a_deed(sign_in_as: Any) -> None:
    one, two = make.make_account("Acme"), make.make_account("Acme")
    number = make.make_contact("Anna", account=one).id
    assert sign_in_as("manager").post_form(f"/staff/contacts/{number}/edit", {"account": two.id}).status_code == 303
    contact = db.session.get_one(Contact, number)
    assert (contact.account_id, contact.version) == (two.id, 2)
    deeds = select(JournalRecord.record_id).join(JournalEntry).where(JournalEntry.action == "contact.updated")
    of_accounts = deeds.where(JournalRecord.kind == "account").order_by(JournalRecord.record_id)
    assert db.session.scalars(of_accounts).all() == [one.id, two.id]
