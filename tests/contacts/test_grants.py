"""Web roles on a contact: who may give and take which."""

from typing import Any

import pytest

from portal.contacts import queries
from portal.roles.queries import all_rows
from tests.support import make
from tests.support.pages import Page

NEW = "/staff/contacts/new"


def test_a_manager_cannot_give_a_role_of_the_owners(sign_in_as: Any, dump: Any) -> None:
    free, closed = make.make_role("Members"), make.make_role("Administrators", managers_may_grant=False)
    contact = make.make_contact("Anna")
    manager = sign_in_as("manager")
    before = dump()
    for url in (NEW, f"/staff/contacts/{contact.id}/edit"):
        response = manager.post_form(url, {"first_name": "Other", "web_roles": [free.id, closed.id]})
        assert response.status_code == 403
    assert dump() == before


@pytest.mark.parametrize("who", ["owner", "manager"])
def test_nobody_gives_an_implicit_role(sign_in_as: Any, dump: Any, who: str) -> None:
    implicit = [row.id for row in all_rows() if row.implicit]
    assert len(implicit) == 2
    browser = sign_in_as(who)
    before = dump()
    for role_id in implicit:
        response = browser.post_form(NEW, {"first_name": "Anna", "web_roles": [role_id]})
        assert response.status_code == 422
        assert "web_roles" in Page(response).errors
    assert dump() == before


def test_a_role_that_is_gone_is_a_plain_error(sign_in_as: Any) -> None:
    response = sign_in_as("owner").post_form(NEW, {"first_name": "Anna", "web_roles": [12345]})
    assert response.status_code == 422
    assert "web_roles" in Page(response).errors


def test_a_manager_sees_the_owners_roles_and_cannot_take_them(sign_in_as: Any) -> None:
    free, closed = make.make_role("Members"), make.make_role("Administrators", managers_may_grant=False)
    contact = make.make_contact("Anna", roles=[free, closed])
    url = f"/staff/contacts/{contact.id}/edit"
    manager = sign_in_as("manager")
    page = manager.page(url)
    assert "Administrators" in page.testid("kept-roles").text
    assert page.form(url).values["web_roles"] == [str(free.id)]
    assert manager.post_form(url, {"web_roles": []}).status_code == 303
    assert make.ids(queries.web_roles(contact.id)) == [closed.id]


def test_an_owner_gives_and_takes_any(sign_in_as: Any) -> None:
    free, closed = make.make_role("Members"), make.make_role("Administrators", managers_may_grant=False)
    contact = make.make_contact("Anna", roles=[free])
    owner = sign_in_as("owner")
    assert owner.post_form(f"/staff/contacts/{contact.id}/edit", {"web_roles": [closed.id]}).status_code == 303
    assert make.ids(queries.web_roles(contact.id)) == [closed.id]


def test_the_same_role_twice_in_one_post_is_given_once(sign_in_as: Any) -> None:
    role = make.make_role("Members")
    response = sign_in_as("manager").post_form(NEW, {"first_name": "Anna", "web_roles": [role.id, role.id]})
    assert response.status_code == 303
    assert make.ids(queries.web_roles(int(response.headers["Location"].rsplit("/", 1)[1]))) == [role.id]
