"""Accounts: what is refused, and what their pages do."""

from typing import Any

import pytest
from sqlalchemy import select

from portal.accounts import queries, services
from portal.accounts.models import Account
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict
from tests.support import make
from tests.support.pages import Page

LIST, NEW = "/staff/accounts/", "/staff/accounts/new"
BAD_NAMES = [
    "",
    "   ",
    "x" * 201,
    *[f"Ac{c}me" for c in ("\0", "\x1b", "\x7f", "\x85", "\u2028", "\u2029", "\r", "\n")],
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_a_bad_name_is_refused(sign_in_as: Any, dump: Any, name: str) -> None:
    account = make.make_account("Acme")
    manager = sign_in_as("manager")
    before = dump()
    for url in (NEW, f"{LIST}{account.id}/edit"):
        response = manager.post_form(url, {"name": name})
        assert response.status_code == 422
        assert "name" in Page(response).errors
    assert dump() == before


@pytest.mark.sqlite_only
@pytest.mark.parametrize("version", [None, "", "x", "1.5"], ids=str)
def test_an_edit_without_a_proper_version_is_refused(sign_in_as: Any, version: str | None) -> None:
    account = make.make_account("Acme")
    response = sign_in_as("manager").post_form(f"{LIST}{account.id}/edit", {"name": "Other", "version": version})
    assert response.status_code == 422
    assert db.session.get_one(Account, account.id).name == "Acme"


def test_a_stale_edit_shows_both_versions(sign_in_as: Any) -> None:
    account = make.make_account("Acme")
    url = f"{LIST}{account.id}/edit"
    manager = sign_in_as("manager")
    opened = dict(manager.page(url).form(url).values)
    assert manager.post_form(url, {"name": "Quick"}).status_code == 303
    response = manager.post(url, data={**opened, "name": "Slow"})
    page = Page(response)
    assert response.status_code == 409
    assert "Quick" in page.testid("versions").text
    assert "Slow" in page.testid("versions").text
    assert manager.post(url, data=dict(page.form(url).values)).status_code == 303
    assert db.session.get_one(Account, account.id).name == "Slow"


@pytest.mark.sqlite_only
@pytest.mark.parametrize("number", ["0", "999", "9" * 30])
def test_an_account_that_does_not_exist_is_not_found(sign_in_as: Any, number: str) -> None:
    manager = sign_in_as("manager")
    for url in (f"{LIST}{number}", f"{LIST}{number}/edit", f"{LIST}{number}/delete"):
        assert manager.get(url).status_code == 404
        if not url.endswith(number):
            assert manager.post(url, data={"csrf_token": manager.token(NEW)}).status_code == 404


@pytest.mark.sqlite_only
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_those_who_only_look_can_change_nothing(sign_in_as: Any, who: str) -> None:
    account = make.make_account("Acme")
    viewer = sign_in_as(who)
    assert not viewer.page(LIST).has_button("New account")
    assert not viewer.page(f"{LIST}{account.id}").has_button("Edit")
    for url in (NEW, f"{LIST}{account.id}/edit", f"{LIST}{account.id}/delete"):
        assert viewer.get(url).status_code == 403


def test_an_account_in_use_is_not_deleted_and_says_by_what(sign_in_as: Any) -> None:
    account = make.make_account("Acme")
    make.make_contact("Anna", account=account)
    make.make_contact("Bea", account=account, active=False)
    make.make_invitation(make.make_contact("Cem"), account=account)
    url = f"{LIST}{account.id}/delete"
    manager = sign_in_as("manager")
    page = manager.page(url)
    assert "2 contacts, 1 invitation" in page.text
    assert url not in [form.action for form in page.posts]
    response = manager.post(url, data={"csrf_token": manager.token(NEW)})
    assert response.status_code == 409
    assert "2 contacts, 1 invitation" in Page(response).text
    assert db.session.get(Account, account.id) is not None


def test_the_foreign_key_guards_what_the_count_missed(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    account = make.make_account("Acme")
    account_id = account.id
    make.make_contact("Anna", account=account)
    monkeypatch.setattr(services, "held_by", lambda _: [])
    with pytest.raises(Conflict), transaction():
        services.delete(account_id, SYSTEM, clock.now())
    assert db.session.get(Account, account_id) is not None


def test_an_unused_account_is_deleted_after_a_dialog(sign_in_as: Any) -> None:
    account_id = make.make_account("Acme").id
    manager = sign_in_as("manager")
    assert manager.post_form(f"{LIST}{account_id}/delete").status_code == 303
    assert db.session.get(Account, account_id) is None
    assert db.session.scalars(select(JournalEntry.action).order_by(JournalEntry.id)).all()[-1] == "account.deleted"


def test_an_account_is_created_changed_and_journalled(sign_in_as: Any) -> None:
    manager = sign_in_as("manager")
    page = manager.follow(manager.post_form(NEW, {"name": "  Straße & Söhne  "}))
    account = db.session.scalars(select(Account)).one()
    assert page.heading == account.name == "Straße & Söhne"
    assert account.name_key == "strasse & söhne"
    page = manager.follow(manager.post_form(f"{LIST}{account.id}/edit", {"name": "Globex"}))
    assert "Account changed" in page.text
    assert "Straße & Söhne → Globex" in page.text


def test_the_list_is_searched_and_paged_without_loss(sign_in_as: Any) -> None:
    for _ in range(120):
        make.make_account("Same")
    make.make_account("100% Other_Name")
    seen: list[int] = []
    after: str | None = ""
    while after is not None:
        page = queries.page("same", after)
        seen += [row.id for row in page.rows]
        after = page.after
    assert len(seen) == len(set(seen)) == 120
    assert [row.name for row in queries.page("0%", "").rows] == ["100% Other_Name"]
    assert [row.name for row in queries.page("r_n", "").rows] == ["100% Other_Name"]
    assert queries.page("\\", "").rows == []
    viewer = sign_in_as("viewer")
    assert "121 accounts" in viewer.page(LIST).text
    assert "No account matches" in viewer.page(LIST + "?q=zzz").text
    for query in ("?after=%00", "?after=x", "?q=%00", "?q=" + "x" * 3000):
        viewer.page(LIST + query)


def test_a_picker_finds_twenty_and_tells_namesakes_apart(sign_in_as: Any) -> None:
    first, second = make.make_account("Acme"), make.make_account("ACME")
    for _ in range(25):
        make.make_account("Other")
    viewer = sign_in_as("viewer")
    page = viewer.page("/staff/accounts/options?name=account&account_q=acm")
    assert [e.text for e in page.all("label")] == [f"Acme #{first.id}", f"ACME #{second.id}"]
    assert len(viewer.page("/staff/accounts/options?name=account&q=other").all("input", type="radio")) == 20


@pytest.mark.sqlite_only
def test_the_page_shows_the_first_fifty_contacts_and_leads_to_the_rest(sign_in_as: Any) -> None:
    account = make.make_account("Acme")
    for _ in range(51):
        make.make_contact("Same", "Name", account=account)
    viewer = sign_in_as("viewer")
    page = viewer.page(f"{LIST}{account.id}")
    assert len([e for e in page.all("a", href=None) if e.text == "Same Name"]) == 50
    rest = viewer.page(page.link("Show all 51 contacts"))
    assert rest.heading == "Contacts of Acme"
    assert "51 contacts" in rest.text


def test_the_number_of_a_deleted_account_never_returns(app: Any) -> None:
    with transaction():
        gone = services.create("Acme", SYSTEM, clock.now()).id
        services.delete(gone, SYSTEM, clock.now())
    with transaction():
        assert services.create("Umbrella", SYSTEM, clock.now()).id > gone
