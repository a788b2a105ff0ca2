"""Web roles: what is refused, and what their pages do."""

from typing import Any

import pytest
from sqlalchemy import select

from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict, Forbidden, Invalid
from portal.roles import queries, services
from portal.roles.models import WebRole
from tests.support import make
from tests.support.pages import Page

LIST, NEW = "/staff/web-roles/", "/staff/web-roles/new"


def implicit_ids() -> list[int]:
    return [row.id for row in queries.all_rows() if row.implicit]


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "members"}, "name"),
        ({"name": " MEMBERS "}, "name"),
        ({"name": "authenticated users"}, "name"),
        ({"name": "STRASSE"}, "name"),
        ({"name": "Other", "description": "x" * 501}, "description"),
        *[({"name": f"Ot{c}her"}, "name") for c in ("\0", "\x1b", "\x7f", "\x85", "\u2028", "\n")],
        *[({"name": "Other", "description": f"Ot{c}her"}, "description") for c in ("\0", "\x1b", "\x85", "\u2029")],
    ],
    ids=ascii,
)
def test_bad_input_is_refused(sign_in_as: Any, dump: Any, typed: dict[str, str], field: str) -> None:
    make.make_role("Members")
    make.make_role("Straße", name_key="strasse")
    role = make.make_role("To be edited")
    owner = sign_in_as("owner")
    before = dump()
    for url in (NEW, f"{LIST}{role.id}/edit"):
        response = owner.post_form(url, typed)
        assert response.status_code == 422
        assert field in Page(response).errors
    assert dump() == before


@pytest.mark.parametrize("who", ["owner", "manager"])
def test_the_implicit_roles_are_shown_and_never_changed(sign_in_as: Any, dump: Any, who: str) -> None:
    browser = sign_in_as(who)
    page = browser.page(LIST)
    assert "Authenticated Users" in page.text
    assert "Anonymous Users" in page.text
    token = browser.token("/staff/contacts/new")
    before = dump()
    for role_id in implicit_ids():
        record = browser.page(f"{LIST}{role_id}")
        assert "never given by hand" in record.text
        assert not record.has_button("Edit")
        for act in ("edit", "delete"):
            url = f"{LIST}{role_id}/{act}"
            typed = {"csrf_token": token, "name": "Mine", "version": "1"}
            assert browser.post(url, data=typed).status_code == (409 if who == "owner" else 403)
            assert browser.get(url).status_code == (409 if who == "owner" else 403)
    assert dump() == before


@pytest.mark.sqlite_only
@pytest.mark.parametrize("who", ["manager", "viewer", "editor"])
def test_only_owners_change_web_roles(sign_in_as: Any, who: str) -> None:
    role = make.make_role("Members")
    browser = sign_in_as(who)
    assert not browser.page(LIST).has_button("New web role")
    assert not browser.page(f"{LIST}{role.id}").has_button("Edit")
    token = browser.token("/staff/")
    for url in (NEW, f"{LIST}{role.id}/edit", f"{LIST}{role.id}/delete"):
        assert browser.get(url).status_code == 403
        assert browser.post(url, data={"csrf_token": token, "name": "Mine", "version": 1}).status_code == 403
    assert db.session.get_one(WebRole, role.id).name == "Members"


@pytest.mark.sqlite_only
@pytest.mark.parametrize("number", ["0", "999", "9" * 30])
def test_a_role_that_does_not_exist_is_not_found(sign_in_as: Any, number: str) -> None:
    owner = sign_in_as("owner")
    for url in (f"{LIST}{number}", f"{LIST}{number}/edit", f"{LIST}{number}/delete"):
        assert owner.get(url).status_code == 404


@pytest.mark.sqlite_only
@pytest.mark.parametrize("version", [None, "", "x"], ids=str)
def test_an_edit_without_a_proper_version_is_refused(sign_in_as: Any, version: str | None) -> None:
    role = make.make_role("Members")
    response = sign_in_as("owner").post_form(f"{LIST}{role.id}/edit", {"name": "Other", "version": version})
    assert response.status_code == 422
    assert db.session.get_one(WebRole, role.id).name == "Members"


def test_a_stale_edit_shows_both_versions(sign_in_as: Any) -> None:
    role = make.make_role("Members", managers_may_grant=False)
    url = f"{LIST}{role.id}/edit"
    owner = sign_in_as("owner")
    opened = dict(owner.page(url).form(url).values)
    assert owner.post_form(url, {"name": "Quick", "managers_may_grant": True}).status_code == 303
    response = owner.post(url, data={**opened, "name": "Slow"})
    page = Page(response)
    assert response.status_code == 409
    assert "Quick" in page.testid("versions").text
    assert "Slow" in page.testid("versions").text
    assert owner.post(url, data=dict(page.form(url).values)).status_code == 303
    assert db.session.get_one(WebRole, role.id).name == "Slow"


def test_a_role_in_use_is_not_deleted_and_says_by_what(sign_in_as: Any) -> None:
    role = make.make_role("Members")
    contact = make.make_contact("Anna", roles=[role])
    make.make_invitation(contact, roles=[role])
    url = f"{LIST}{role.id}/delete"
    owner = sign_in_as("owner")
    assert "1 contact, 1 invitation" in owner.page(url).text
    response = owner.post(url, data={"csrf_token": owner.token(NEW)})
    assert response.status_code == 409
    assert "1 contact, 1 invitation" in Page(response).text
    assert db.session.get(WebRole, role.id) is not None


def test_the_foreign_key_guards_what_the_count_missed(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    role = make.make_role("Members")
    role_id = role.id
    make.make_contact("Anna", roles=[role])
    monkeypatch.setattr(services, "held_by", lambda _: [])
    with pytest.raises(Conflict), transaction():
        services.delete(role_id, SYSTEM, clock.now())
    assert db.session.get(WebRole, role_id) is not None


def test_the_unique_name_guards_what_the_look_missed(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make.make_role("Members")
    monkeypatch.setattr(queries, "with_name", lambda _: None)
    with pytest.raises(Invalid), transaction():
        services.create(services.RoleValues("MEMBERS"), SYSTEM, clock.now())


def test_an_unused_role_is_deleted_after_a_dialog(sign_in_as: Any) -> None:
    role_id = make.make_role("Members").id
    assert sign_in_as("owner").post_form(f"{LIST}{role_id}/delete").status_code == 303
    assert db.session.get(WebRole, role_id) is None


def test_a_role_is_created_changed_and_journalled(sign_in_as: Any) -> None:
    owner = sign_in_as("owner")
    typed = {"name": "Members", "description": "May read.", "managers_may_grant": True}
    page = owner.follow(owner.post_form(NEW, typed))
    role = db.session.scalars(select(WebRole).where(WebRole.implicit.is_(None))).one()
    assert (role.name, role.name_key, role.managers_may_grant) == ("Members", "members", True)
    assert "Owners and invitation managers" in page.text
    assert owner.post_form(f"{LIST}{role.id}/edit", {"name": "MEMBERS", "managers_may_grant": False}).status_code == 303
    entry = db.session.scalars(select(JournalEntry).where(JournalEntry.action == "role.updated")).one()
    assert entry.detail["changes"] == {"name": ["Members", "MEMBERS"], "managers_may_grant": [True, False]}
    assert "Web role changed" in owner.page(f"{LIST}{role.id}").text


@pytest.mark.sqlite_only
def test_the_page_says_how_many_contacts_have_it(sign_in_as: Any) -> None:
    role = make.make_role("Members")
    viewer = sign_in_as("viewer")
    assert "No contact has" in viewer.page(f"{LIST}{role.id}").testid("contacts-with-role").text
    make.make_contact("Anna", roles=[role])
    make.make_contact("Bea", roles=[role])
    assert "2 contacts have" in viewer.page(f"{LIST}{role.id}").testid("contacts-with-role").text


@pytest.mark.parametrize(
    ("staff_roles", "allowed"),
    [
        (("owner",), True),
        (("manager",), False),
        (("owner", "manager"), False),
        (("manager", "owner"), False),
        (("editor",), False),
        (("viewer",), False),
        (("nonsense",), False),
    ],
    ids=str,
)
def test_a_role_of_the_owners_is_given_only_where_everybody_asked_is_one(
    app: Any, staff_roles: tuple[str, ...], allowed: bool
) -> None:
    closed = make.make_role("Administrators", managers_may_grant=False)
    if allowed:
        services.check_grant([closed.id], *staff_roles)
    else:
        with pytest.raises(Forbidden):
            services.check_grant([closed.id], *staff_roles)


def test_a_ticked_role_is_given_by_managers_but_by_nobody_below(app: Any) -> None:
    free = make.make_role("Members")
    services.check_grant([free.id], "manager", "owner")
    services.check_grant([], "viewer")
    for below in ("editor", "viewer"):
        with pytest.raises(Forbidden):
            services.check_grant([free.id], below)
        assert queries.grantable(below) == []
    assert make.ids(queries.grantable("manager")) == [free.id]


def test_implicit_and_unknown_roles_are_given_by_nobody(app: Any) -> None:
    for role_id in (*implicit_ids(), 999, 10**17):
        with pytest.raises(Invalid) as refused:
            services.check_grant([role_id], "owner")
        assert set(refused.value.fields) == {"web_roles"}
    assert queries.authenticated() == ["Authenticated Users"]
    assert not set(implicit_ids()) & set(make.ids(queries.grantable("owner")))


def test_the_number_of_a_deleted_role_never_returns(app: Any) -> None:
    with transaction():
        gone = services.create(services.RoleValues("Supplier"), SYSTEM, clock.now()).id
        services.delete(gone, SYSTEM, clock.now())
    with transaction():
        assert services.create(services.RoleValues("Boss"), SYSTEM, clock.now()).id > gone
