"""What becomes of contacts besides editing: roles, accounts, addresses, in and out."""

import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.contacts import queries, services
from portal.contacts.models import Contact
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict, Invalid, NotFound
from tests.support import make


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        (("", "", ""), "first_name"),
        (("http://evil.example", "", "a@example.org"), "first_name"),
        (("Anna", "x" * 101, "a@example.org"), "last_name"),
        (("Anna", "", "a@x.example,b@y.example"), "email"),
        (("An\0na", "", "a@example.org"), "first_name"),
    ],
    ids=ascii,
)
def test_signing_oneself_up_follows_the_same_rules(app: Flask, typed: tuple[str, str, str], field: str) -> None:
    with pytest.raises(Invalid) as refused, transaction():
        services.register(*typed, "en", SYSTEM, clock.now())
    assert set(refused.value.fields) == {field}
    assert not db.session.scalars(select(Contact)).all()


def test_signing_oneself_up_with_an_address_that_exists_says_nothing_about_it(app: Flask) -> None:
    other = make.make_contact("Anna", "Weber", "anna@example.org", verified=True)
    other_id = other.id
    with transaction():
        contact = services.register("Eve", "", "ANNA@example.org", "de", SYSTEM, clock.now())
    assert contact.id != other_id
    assert contact.email1_verified_at is None
    assert queries.verified("anna@example.org") is db.session.get(Contact, other_id)


def test_an_address_is_proven_by_one_contact_only(app: Flask) -> None:
    first, second = (make.make_contact("Anna", email1="anna@example.org").id for _ in range(2))
    with transaction():
        services.verify_email(first, clock.now())
    with pytest.raises(Conflict), transaction():
        services.verify_email(second, clock.now())
    with transaction():
        services.verify_email(first, clock.now())
    assert db.session.get_one(Contact, second).email1_verified_at is None


def test_no_address_cannot_be_proven(app: Flask) -> None:
    contact_id = make.make_contact("Anna", email1=None).id
    with pytest.raises(Conflict), transaction():
        services.verify_email(contact_id, clock.now())


def test_roles_are_added_once_and_only_new_ones_are_named(app: Flask) -> None:
    one, two = make.make_role().id, make.make_role().id
    contact_id = make.make_contact("Anna").id
    with transaction():
        assert services.add_roles(contact_id, [], clock.now()) == []
        assert services.add_roles(contact_id, [two, one, one], clock.now()) == sorted([one, two])
        assert services.add_roles(contact_id, [one, two], clock.now()) == []
    assert db.session.get_one(Contact, contact_id).version == 2


def test_many_at_once_give_each_role_once(app: Flask) -> None:
    roles = [make.make_role().id for _ in range(3)]
    contact_id = make.make_contact("Anna").id
    added: list[list[int]] = []
    barrier = threading.Barrier(8)

    def give() -> None:
        with app.app_context():
            barrier.wait()
            with transaction():
                added.append(services.add_roles(contact_id, roles, clock.now()))

    threads = [threading.Thread(target=give) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(added) == 8
    assert sorted(role for roles_of_one in added for role in roles_of_one) == sorted(roles)


def test_assigning_an_account_names_the_one_before(app: Flask) -> None:
    one, two = make.make_account().id, make.make_account().id
    contact_id = make.make_contact("Anna").id
    with transaction():
        assert services.assign_account(contact_id, one, clock.now()) is None
        assert services.assign_account(contact_id, two, clock.now()) == one
        assert services.assign_account(contact_id, two, clock.now()) == two
    assert db.session.get_one(Contact, contact_id).account_id == two


def test_services_know_a_missing_contact(app: Flask) -> None:
    for act in (services.deactivate, services.activate):
        with pytest.raises(NotFound), transaction():
            act(999, SYSTEM, clock.now())
    with pytest.raises(NotFound), transaction():
        services.add_roles(999, [1], clock.now())


@pytest.mark.sqlite_only
def test_deactivating_ends_sessions_and_keeps_the_contact_out(sign_in_as: Any, persona: Any) -> None:
    contact_id = persona("stranger").id
    browser, manager = sign_in_as("stranger"), sign_in_as("manager")
    assert browser.get("/profile").status_code == 200
    url = f"/staff/contacts/{contact_id}/deactivate"
    assert "signed out" in manager.page(url).text
    assert "<html" not in manager.get(url, headers={"HX-Request": "true", "HX-Target": "dialog"}).get_data(as_text=True)
    for _ in range(2):
        assert manager.post_form(url).status_code == 303
    assert browser.get("/profile").status_code == 303
    record = manager.page(f"/staff/contacts/{contact_id}")
    assert "Inactive" in record.text
    assert "Contact deactivated" in record.text
    entries = db.session.scalars(select(JournalEntry).where(JournalEntry.action == "contact.deactivated")).all()
    assert len(entries) == 1
    assert manager.post_form(f"/staff/contacts/{contact_id}/activate").status_code == 303
    assert browser.get("/profile").status_code == 303
    assert db.session.get_one(Contact, contact_id).active


@pytest.mark.sqlite_only
def test_the_record_page_says_what_is_known(sign_in_as: Any) -> None:
    account, role = make.make_account("Acme"), make.make_role("Members")
    contact = make.make_contact("Anna", "Weber", "anna@example.org", verified=True, account=account, roles=[role])
    page = sign_in_as("viewer").page(f"/staff/contacts/{contact.id}")
    assert page.heading == "Anna Weber"
    assert page.link("Acme") == f"/staff/accounts/{account.id}"
    assert page.link("Members") == f"/staff/web-roles/{role.id}"
    assert "Verified" in page.text
