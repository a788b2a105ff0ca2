"""Deactivating, activating, deleting, and handing over to another owner."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.invitations import queries, services
from portal.invitations.models import Invitation, InvitationCode, InvitedContact
from portal.invitations.status import status_of
from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import Invalid
from portal.mail.models import Message
from portal.staff.models import StaffMember
from tests.support import make
from tests.support.clients import Client

SignIn = Callable[..., Client]


@pytest.fixture
def owner(sign_in_as: SignIn) -> Client:
    return sign_in_as("owner")


def here(invitation_id: int, act: str = "") -> str:
    return f"/staff/invitations/{invitation_id}{act and '/' + act}"


def fresh(invitation_id: int) -> Invitation | None:
    db.session.rollback()
    return db.session.get(Invitation, invitation_id)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("act", ["deactivate", "activate", "delete"])
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_without_the_right(sign_in_as: SignIn, who: str, act: str):
    made = make.make_invitation(make.make_contact()).id
    browser = sign_in_as(who)
    assert browser.get(here(made, act)).status_code == 403
    assert not browser.page(here(made)).has_button(act.title())
    assert fresh(made).deactivated_at is None


@pytest.mark.sqlite_only
@pytest.mark.parametrize("act", ["deactivate", "activate", "delete"])
def test_looking_at_the_dialog_does_nothing(owner: Client, dump: Callable[[], Any], act: str):
    made = make.make_invitation(make.make_contact()).id
    owner.page("/staff/")
    before = dump()
    owner.page(here(made, act))
    assert owner.post(here(made, act)).status_code == 400
    assert dump() == before


def test_what_was_redeemed_is_never_deleted(owner: Client):
    contact = make.make_contact()
    made = make.make_invitation(contact)
    made_id = made.id
    make.make_redemption(made, contact)
    page = owner.page(here(made_id, "delete"))
    assert "cannot be deleted" in page.text
    assert not page.has_button("Delete")
    assert not owner.page(here(made_id)).has_button("Delete")
    token = owner.token("/staff/invitations/find")
    assert owner.post(here(made_id, "delete"), data={"csrf_token": token}).status_code == 409
    assert fresh(made_id) is not None


def test_what_was_redeemed_and_undone_is_never_deleted(owner: Client):
    contact = make.make_contact()
    made = make.make_invitation(contact, type="group")
    made_id = made.id
    make.make_redemption(made, contact, undone_at=clock.now())
    with transaction():
        db.session.get(Invitation, made_id).used = 0
    assert owner.post_form(here(made_id, "delete"), page="/staff/invitations/find").status_code == 409


def test_deleting_removes_it_with_its_rows_and_keeps_its_codes_hash(owner: Client):
    contact, role = make.make_contact("Anna", "Weber"), make.make_role()
    made = make.make_invitation(contact, name="Spring", roles=[role])
    made_id, lookup = made.id, made.code_lookup
    assert "the link of 1 invited contact" in owner.page(here(made_id, "delete")).text
    page = owner.follow(owner.post_form(here(made_id, "delete")))
    assert any("Spring" in toast for toast in page.toasts)
    assert fresh(made_id) is None
    assert db.session.scalars(db.select(InvitedContact)).all() == []
    assert db.session.get(InvitationCode, lookup) is not None
    assert timeline("contact", contact.id)[0].action == "invitation.deleted"
    assert owner.get(here(made_id)).status_code == 404


def test_the_number_of_a_deleted_one_never_returns(owner: Client):
    """Else a new invitation would inherit its journal and its waiting mails."""
    made = make.make_invitation(make.make_contact()).id
    owner.post_form(here(made, "delete"))
    assert make.make_invitation(make.make_contact()).id > made


@pytest.mark.parametrize(
    ("facts", "stands"),
    [({}, "new"), ({"sent": True}, "open"), ({"sent": True, "completed": True, "used": 1}, "completed")],
)
def test_activating_returns_it_to_where_its_facts_put_it(owner: Client, facts: dict, stands: str):
    made = make.make_invitation(make.make_contact(), **facts).id
    page = owner.follow(owner.post_form(here(made, "deactivate")))
    assert "Inactive" in page.text
    assert status_of(fresh(made)) == "inactive"
    owner.post_form(here(made, "activate"))
    assert status_of(fresh(made)) == stands
    actions = [line.action for line in timeline("invitation", made)]
    assert actions == ["invitation.activated", "invitation.deactivated"]


def test_twice_is_as_good_as_once(owner: Client):
    made = make.make_invitation(make.make_contact()).id
    for act in ("deactivate", "deactivate", "activate", "activate"):
        assert owner.post_form(here(made, act)).status_code == 303
    assert len(timeline("invitation", made)) == 2


def test_code_and_links_survive_deactivating_and_activating(owner: Client):
    contact = make.make_contact()
    made = make.make_invitation(contact)
    made_id, facts = made.id, (made.code_lookup, made.link_version, queries.invitee(made.id, contact.id).public_id)
    owner.post_form(here(made_id, "deactivate"))
    owner.post_form(here(made_id, "activate"))
    after = fresh(made_id)
    assert (after.code_lookup, after.link_version, queries.invitee(made_id, contact.id).public_id) == facts


# Handing over (T14)


@pytest.fixture
def leaver(app: Flask):
    member = make.make_staff("manager", name="Leaving Person")
    for facts in ({}, {"sent": True}, {"sent": True, "completed": True, "used": 1}, {"deactivated": True}):
        make.make_invitation(make.make_contact(), owner=member, **facts)
    make.make_invitation(make.make_contact(), owner=make.make_staff("owner"), name="Another's")
    return member


def handed(leaver_id: int, to: int | None) -> int:
    by = make.make_staff("owner").actor(None)
    with transaction():
        return services.hand_over(leaver_id, to, by, clock.now())


@pytest.mark.parametrize("heir", ["viewer", "editor", "gone", "self", "nobody"])
def test_an_heir_who_may_not_own_is_refused(leaver: StaffMember, heir: str, dump: Callable[[], Any]):
    leaver_id = leaver.id
    people = {
        "gone": lambda: make.make_staff("manager", active=False).id,
        "self": lambda: leaver_id,
        "nobody": lambda: 99,
    }
    to = people.get(heir, lambda: make.make_staff(heir).id)()
    with pytest.raises(Invalid):
        handed(leaver_id, to)
    assert services.open_of(leaver_id) == 2


def test_without_an_heir_the_unfinished_ones_end_with_the_reason(leaver: StaffMember):
    leaver_id = leaver.id
    assert services.open_of(leaver_id) == 2
    assert handed(leaver_id, None) == 2
    assert services.open_of(leaver_id) == 0
    rows = db.session.scalars(db.select(Invitation).filter_by(owner_id=leaver_id).order_by(Invitation.id)).all()
    assert [status_of(row).value for row in rows] == ["inactive", "inactive", "completed", "inactive"]
    assert "Leaving Person" in rows[0].deactivated_why
    assert rows[3].deactivated_why == ""


def test_the_reason_stands_on_the_record(leaver: StaffMember, owner: Client):
    first = db.session.scalars(db.select(Invitation).filter_by(owner_id=leaver.id).order_by(Invitation.id)).first().id
    handed(leaver.id, None)
    assert "Its owner, Leaving Person, was deactivated" in owner.page(here(first)).text


def test_an_heir_gets_the_unfinished_ones_and_the_codes_go_on(leaver: StaffMember):
    heir = make.make_staff("manager", name="Staying Person")
    leaver_id, heir_id = leaver.id, heir.id
    assert handed(leaver_id, heir_id) == 2
    assert (services.open_of(leaver_id), services.open_of(heir_id)) == (0, 2)
    moved = db.session.scalars(db.select(Invitation).filter_by(owner_id=heir_id)).first()
    line = timeline("invitation", moved.id)[0]
    assert line.action == "invitation.handed-over"
    assert line.detail["changes"]["owner"] == ["Leaving Person", "Staying Person"]


def test_both_are_known_to_the_people_page(app: Flask):
    assert app.extensions["hand_over"] is services.hand_over
    assert app.extensions["open_invitations"] is services.open_of


def test_a_waiting_mail_of_a_deleted_invitation_is_cancelled(owner: Client):
    from portal.invitations.messages import prepare_invitation
    from portal.mail.outbox import Cancelled

    made = make.make_invitation(make.make_contact()).id
    owner.post_form(here(made, "send"))
    owner.post_form(here(made, "delete"))
    with pytest.raises(Cancelled):
        prepare_invitation(db.session.scalars(db.select(Message)).one(), clock.now() + timedelta(minutes=1))
