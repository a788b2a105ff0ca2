"""Changing an invitation: what is refused, what a change does, and what it leaves alone."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.contacts.models import Contact
from portal.invitations import queries
from portal.invitations.models import Invitation, InvitedContact
from portal.journal.models import JournalEntry
from portal.journal.queries import timeline
from portal.kernel import codes
from portal.kernel.db import db
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.pages import Page

SignIn = Callable[..., Client]


@pytest.fixture
def owner(sign_in_as: SignIn, frozen_clock: FrozenClock) -> Client:
    return sign_in_as("owner")


@pytest.fixture
def anna(app: Flask):
    return make.make_contact("Anna", "Weber", "anna@example.org")


def edit(browser: Client, invitation_id: int, **typed: Any):
    return browser.post_form(url(invitation_id), typed)


def url(invitation_id: int) -> str:
    return f"/staff/invitations/{invitation_id}/edit"


def fresh(invitation_id: int) -> Invitation:
    db.session.rollback()
    return db.session.get_one(Invitation, invitation_id)


def errors(response: TestResponse) -> dict[str, str]:
    assert response.status_code == 422
    return Page(response).errors


@pytest.mark.parametrize("number", ["0", "999999", "99999999999999999999"])
def test_an_invitation_that_does_not_exist(owner: Client, number: str):
    for page in ("", "/edit", "/send", "/deactivate", "/activate", "/delete", "/show-code", "/copy-link"):
        assert owner.get(f"/staff/invitations/{number}{page}").status_code == 404


def test_without_the_right_there_is_no_form(sign_in_as: SignIn, anna: Contact, dump: Callable[[], Any]):
    made = make.make_invitation(anna).id
    viewer = sign_in_as("viewer")
    assert viewer.get(url(made)).status_code == 403
    assert not viewer.page(f"/staff/invitations/{made}").has_button("Edit")


@pytest.mark.sqlite_only
@pytest.mark.parametrize("version", [None, "", "x", "-1", "1.0", "99999999999"])
def test_a_form_without_its_version(owner: Client, anna: Contact, version: str | None):
    made = make.make_invitation(anna).id
    assert errors(edit(owner, made, name="Other", version=version)) is not None
    assert fresh(made).name != "Other"


def test_a_stale_form_shows_both_versions_and_writes_nothing(
    owner: Client, sign_in_as: SignIn, anna: Contact, dump: Callable[[], Any]
):
    made = make.make_invitation(anna, name="First name").id
    stale = owner.page(url(made)).form(url(made)).values
    assert edit(sign_in_as("manager"), made, name="Their name").status_code == 303
    before = dump()
    response = owner.post(url(made), data={**stale, "name": "My name"})
    assert response.status_code == 409
    page = Page(response)
    assert "Their name" in page.testid("versions").text
    assert "My name" in page.testid("versions").text
    assert page.form(url(made)).values["name"] == ["My name"]
    assert dump() == before
    again = page.form(url(made)).values
    assert owner.post(url(made), data=again).status_code == 303
    assert fresh(made).name == "My name"


def test_deactivating_in_between_is_a_conflict_too(owner: Client, anna: Contact):
    made = make.make_invitation(anna).id
    stale = owner.page(url(made)).form(url(made)).values
    owner.post_form(f"/staff/invitations/{made}/deactivate")
    assert owner.post(url(made), data=stale).status_code == 409


def test_a_type_is_fixed_once_somebody_redeemed(owner: Client, anna: Contact):
    made = make.make_invitation(anna, type="group")
    made_id = made.id
    make.make_redemption(made, anna)
    page = owner.page(url(made_id))
    assert page.form(url(made_id)).values["type"] == ["group"]
    assert "type" in errors(edit(owner, made_id, type="single"))


@pytest.mark.parametrize("most", ["2", "1"])
def test_a_maximum_below_what_is_used(owner: Client, most: str):
    made = make.make_invitation(type="group", max_redemptions=5, used=3).id
    assert "3" in errors(edit(owner, made, max_redemptions=most))["max_redemptions"]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("most", ["0", "-1", "1.5", "ten"])
def test_a_maximum_that_is_none(owner: Client, most: str):
    made = make.make_invitation(type="group").id
    assert "max_redemptions" in errors(edit(owner, made, max_redemptions=most))


@pytest.mark.sqlite_only
@pytest.mark.parametrize("day", ["9999-12-31", "1969-12-31", "26-01-01", "0026-01-01", "x"])
def test_a_day_that_is_none(owner: Client, anna: Contact, day: str):
    made = make.make_invitation(anna).id
    assert "expires_on" in errors(edit(owner, made, expires_on=day))


def test_another_codes_spelling(owner: Client, anna: Contact):
    make.make_invitation(anna, code="WELCOME-2026-PLUS")
    made = make.make_invitation(anna).id
    assert "code" in errors(edit(owner, made, code="welcome2026plus"))
    assert fresh(made).link_version == 1


def test_a_code_it_had_before_does_not_return(owner: Client, anna: Contact):
    made = make.make_invitation(anna, code="WELCOME-2026-PLUS").id
    assert edit(owner, made, code="WELCOME-2027-PLUS").status_code == 303
    assert "code" in errors(edit(owner, made, code="WELCOME-2026-PLUS"))


def test_no_role_beyond_the_actors_own_rights_on_another_ones_invitation(
    sign_in_as: SignIn, anna: Contact, dump: Callable[[], Any]
):
    """T11: added by hand, or kept on an invitation that gives it already."""
    admin, member = make.make_role("Admin", managers_may_grant=False), make.make_role("Member")
    boss = make.make_staff("owner")
    plain, powerful = make.make_invitation(anna, owner=boss), make.make_invitation(anna, owner=boss, roles=[admin])
    plain_id, powerful_id = plain.id, powerful.id
    manager = sign_in_as("manager")
    manager.page(url(plain_id))
    before = dump()
    assert edit(manager, plain_id, web_roles=[admin.id, member.id]).status_code == 403
    response = edit(manager, powerful_id, contacts=[make.make_contact().id])
    assert response.status_code == 403
    assert "you may not give it" in response.get_data(as_text=True)
    after = dump()
    for table in ("invitation", "invitation_web_role", "invited_contact", "journal_entry"):
        assert after[table] == before[table]


def test_a_powerful_role_can_be_taken_away(sign_in_as: SignIn, anna: Contact):
    admin = make.make_role("Admin", managers_may_grant=False)
    made = make.make_invitation(anna, owner=make.make_staff("manager"), roles=[admin]).id
    assert edit(sign_in_as("manager"), made, web_roles=[]).status_code == 303
    assert queries.roles(made) == []


def test_a_past_day_ends_it_now(owner: Client, anna: Contact):
    made = make.make_invitation(anna, sent=True, expires_on=date(2027, 1, 1)).id
    assert edit(owner, made, expires_on="2026-11-19").status_code == 303
    assert fresh(made).expires_at == make.at("2026-11-20 00:00")
    assert "Expired" in owner.page(f"/staff/invitations/{made}").text


def test_an_unchanged_day_never_moves_the_instant(owner: Client, anna: Contact):
    made = make.make_invitation(anna, expires_on=date(2027, 1, 31), zone="Europe/Berlin").id
    was = fresh(made).expires_at
    make.set_site(timezone="Asia/Kathmandu")
    assert edit(owner, made, name="Renamed").status_code == 303
    assert (fresh(made).name, fresh(made).expires_at) == ("Renamed", was)
    assert edit(owner, made, expires_on="2027-02-01").status_code == 303
    assert fresh(made).expires_at == make.at("2027-02-01 18:15")


def test_no_day_means_never(owner: Client, anna: Contact):
    made = make.make_invitation(anna, expires_on=date(2027, 1, 31)).id
    assert edit(owner, made, expires_on="").status_code == 303
    assert (fresh(made).expires_on, fresh(made).expires_at) == (None, None)


@pytest.mark.parametrize(("most", "completed"), [("3", True), ("4", False), ("", False)])
def test_the_maximum_decides_about_completed(owner: Client, most: str, completed: bool):
    made = make.make_invitation(type="group", max_redemptions=10, used=3, sent=True).id
    assert edit(owner, made, max_redemptions=most).status_code == 303
    assert (fresh(made).completed_at is not None) == completed


def test_more_seats_open_a_completed_one_again(owner: Client, frozen_clock: FrozenClock):
    made = make.make_invitation(type="group", max_redemptions=3, used=3, sent=True, completed=True).id
    was = fresh(made).completed_at
    frozen_clock.move(minutes=5)
    assert edit(owner, made, name="Same seats").status_code == 303
    assert fresh(made).completed_at == was
    assert edit(owner, made, max_redemptions="4").status_code == 303
    assert fresh(made).completed_at is None


def test_a_new_code_ends_the_old_one_and_all_links(owner: Client, anna: Contact):
    """T15."""
    from portal.invitations import links

    made = make.make_invitation(anna, sent=True)
    made_id, old = made.id, codes.normalise(make.code_of(made))
    token = links.token(made, queries.invitee(made_id, anna.id), anna)
    assert links.resolve(token) is not None
    assert edit(owner, made_id, code="WELCOME-2027-PLUS").status_code == 303
    assert queries.by_code(old) is None
    assert queries.by_code(codes.normalise("WELCOME-2027-PLUS")).id == made_id
    assert links.resolve(token) is None
    assert fresh(made_id).link_version == 2


@pytest.mark.parametrize("typed", ["", "   ", "welcome2026plus", "WELCOME-2026-PLUS"])
def test_no_code_or_its_own_keeps_it_and_the_links(owner: Client, anna: Contact, typed: str):
    made = make.make_invitation(anna, code="WELCOME-2026-PLUS").id
    was = fresh(made).code_sealed
    assert edit(owner, made, code=typed, name="Renamed").status_code == 303
    assert fresh(made).link_version == 1
    assert fresh(made).code_sealed == was


def test_the_code_is_never_in_the_form(owner: Client, anna: Contact):
    made = make.make_invitation(anna)
    assert owner.page(url(made.id)).form(url(made.id)).values["code"] == [""]
    assert make.code_of(made) not in owner.page(url(made.id)).html


def test_lists_are_replaced_by_what_is_posted_and_links_of_those_who_stay_live_on(owner: Client, anna: Contact):
    ben, cleo = make.make_contact("Ben"), make.make_contact("Cleo")
    first, second = make.make_role("First"), make.make_role("Second")
    made = make.make_invitation(anna, ben, type="group", roles=[first]).id
    kept = queries.invitee(made, anna.id).public_id
    assert edit(owner, made, contacts=[anna.id, cleo.id], web_roles=[second.id]).status_code == 303
    assert queries.invited_ids(made) == sorted([anna.id, cleo.id])
    assert [role.name for role in queries.roles(made)] == ["Second"]
    assert queries.invitee(made, anna.id).public_id == kept
    assert len(db.session.scalars(db.select(InvitedContact)).all()) == 2


def test_the_journal_tells_old_and_new_but_never_the_code(owner: Client, anna: Contact):
    made = make.make_invitation(anna, name="Old name", code="WELCOME-2026-PLUS").id
    edit(owner, made, name="New name", code="WELCOME-2027-PLUS", expires_on="2027-01-31")
    line = timeline("invitation", made)[0]
    assert line.action == "invitation.updated"
    assert line.detail["changes"]["name"] == ["Old name", "New name"]
    assert line.detail["changes"]["expires_on"][0] == ""
    entries = db.session.scalars(db.select(JournalEntry)).all()
    assert "WELCOME" not in json.dumps([[entry.text, entry.detail] for entry in entries])


def test_nothing_changed_is_not_a_deed(owner: Client, anna: Contact):
    made = make.make_invitation(anna).id
    assert edit(owner, made).status_code == 303
    assert timeline("invitation", made) == []


def test_another_owner(owner: Client, anna: Contact):
    manager, made = make.make_staff("manager"), make.make_invitation(anna).id
    assert edit(owner, made, owner=manager.id).status_code == 303
    assert fresh(made).owner_id == manager.id


def test_two_edits_one_after_the_other_both_count(owner: Client, anna: Contact):
    made = make.make_invitation(anna).id
    for number in range(3):
        assert edit(owner, made, name=f"Name {number}").status_code == 303
    assert (fresh(made).name, fresh(made).version) == ("Name 2", 4)
    assert fresh(made).updated_at - fresh(made).created_at == timedelta(0)


def test_another_contact_is_a_deed_even_where_the_words_are_the_same(owner: Client):
    many = [make.make_contact("Person", f"{number:03}").id for number in range(26)]
    made = make.make_invitation(*[db.session.get_one(Contact, number) for number in many[:25]]).id
    assert edit(owner, made, contacts=[*many[:24], many[25]]).status_code == 303
    assert [line.action for line in timeline("invitation", made)] == ["invitation.updated"]
    for concerned in many[24:]:
        assert [line.action for line in timeline("contact", concerned)] == ["invitation.updated"]


def test_another_account_of_the_same_name_is_a_deed(owner: Client, anna: Contact):
    one, two = make.make_account("Acme"), make.make_account("Acme")
    made = make.make_invitation(anna, account=one).id
    assert edit(owner, made, account=two.id).status_code == 303
    [line] = timeline("invitation", made)
    assert line.detail["changes"] == {"account": ["Acme", "Acme"]}
