"""The redemption itself: the seat, what it grants, what it withholds, what it leaves in the journal."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.contacts.models import Contact
from portal.identity.models import OneTimeLink
from portal.invitations.models import Invitation, Redemption
from portal.jobs.models import Job
from portal.journal.models import JournalEntry, JournalRecord
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail.models import Message
from portal.redemption import services
from portal.redemption.services import Refused
from portal.redemption.status import Reason
from portal.staff.models import StaffMember
from portal.workflows.models import WorkflowRun
from tests.redemption import ways
from tests.support import make
from tests.support.clock import FrozenClock


def redeem(invitation: Invitation, contact: Contact, proof: str = "link", **more: Any) -> Redemption:
    ids = invitation.id, contact.id
    with transaction():
        values = {"proof": proof, "signed_in_by": "password", "ip": "203.0.113.7", "now": clock.now()}
        made = services.redeem(*ids, **{**values, **more})
        number = made.id
    return db.session.get_one(Redemption, number)


def journal(action: str) -> list[tuple[JournalEntry, set[tuple[str, int]]]]:
    entries = db.session.scalars(db.select(JournalEntry).filter_by(action=action).order_by(JournalEntry.id)).all()
    records = db.session.scalars(db.select(JournalRecord)).all()
    return [(e, {(r.kind, r.record_id) for r in records if r.entry_id == e.id}) for e in entries]


def test_an_invitation_that_is_over_is_refused_with_its_reason(app: object, frozen_clock: FrozenClock) -> None:
    person = make.make_contact()
    cases = {
        Reason.INACTIVE: make.make_invitation(person, deactivated=True),
        Reason.COMPLETED: make.make_invitation(person, completed=True, used=1),
        Reason.EXPIRED: make.make_invitation(person, expires_at=frozen_clock.now),
        Reason.CONTACT_INACTIVE: make.make_invitation(gone := make.make_contact(active=False)),
    }
    for reason, invitation in cases.items():
        with pytest.raises(Refused) as refused:
            redeem(invitation, gone if reason is Reason.CONTACT_INACTIVE else person)
        assert (refused.value.reason, refused.value.status) == (reason, 410)
    assert ways.redemptions() == []


@pytest.mark.parametrize(
    ("kind", "redeemable_by", "proof", "reason"),
    [
        ("single", "invited", "link", Reason.WRONG_PERSON),
        ("single", "invited", "code", Reason.WRONG_PERSON),
        ("single", "anyone", "link", Reason.WRONG_PERSON),
        ("group", "invited", "link", Reason.NOT_INVITED),
        ("group", "invited", "code", Reason.NOT_INVITED),
        ("group", "anyone", "link", Reason.NOT_INVITED),
    ],
)
def test_somebody_else_is_refused(app: object, kind: str, redeemable_by: str, proof: str, reason: Reason) -> None:
    invitation = make.make_invitation(make.make_contact(), type=kind, redeemable_by=redeemable_by)
    with pytest.raises(Refused) as refused:
        redeem(invitation, make.make_contact(), proof)
    assert (refused.value.reason, refused.value.status) == (reason, 409)
    assert (ways.used(invitation), ways.redemptions()) == (0, [])


def test_a_redemption_that_expires_at_an_instant_ends_with_the_second_before(
    app: object, frozen_clock: FrozenClock
) -> None:
    ends = frozen_clock.now
    invitation = make.make_invitation(type="group", expires_at=ends)
    frozen_clock.move(seconds=-1)
    redeem(invitation, make.make_contact(), "code")
    frozen_clock.set(ends)
    with pytest.raises(Refused) as refused:
        redeem(invitation, make.make_contact(), "code")
    assert refused.value.reason is Reason.EXPIRED


def test_the_last_seat_completes_and_the_next_one_is_refused(app: object, frozen_clock: FrozenClock) -> None:
    invitation = make.make_invitation(type="group", max_redemptions=2)
    redeem(invitation, make.make_contact(), "code")
    assert db.session.get_one(Invitation, invitation.id).completed_at is None
    redeem(invitation, make.make_contact(), "code")
    stored = db.session.get_one(Invitation, invitation.id)
    assert (stored.used, stored.completed_at) == (2, frozen_clock.now)
    with pytest.raises(Refused):
        redeem(invitation, make.make_contact(), "code")
    assert (ways.used(invitation), len(ways.redemptions())) == (2, 2)


def test_a_group_without_a_maximum_never_completes(app: object) -> None:
    invitation = make.make_invitation(type="group")
    for _ in range(3):
        redeem(invitation, make.make_contact(), "code")
    stored = db.session.get_one(Invitation, invitation.id)
    assert (stored.used, stored.completed_at) == (3, None)


def test_the_same_person_again_takes_no_second_seat_even_when_it_is_over(app: object) -> None:
    person = make.make_contact()
    invitation = make.make_invitation(person)
    first = redeem(invitation, person)
    assert redeem(invitation, person).id == first.id
    assert ways.used(invitation) == 1
    assert len(journal("redemption.completed")) == 1


def test_it_assigns_the_account_and_says_which_was_before(app: object) -> None:
    old, new = make.make_account("Old"), make.make_account("New")
    person = make.make_contact(account=old)
    made = redeem(make.make_invitation(person, account=new), person)
    assert db.session.get_one(Contact, person.id).account_id == new.id
    assert (made.account_assigned, made.account_before_id) == (True, old.id)
    again = redeem(make.make_invitation(person, account=new), person)
    assert (again.account_assigned, again.account_before_id) == (False, new.id)
    none = redeem(make.make_invitation(person), person)
    assert (none.account_assigned, none.account_before_id) == (False, None)
    assert db.session.get_one(Contact, person.id).account_id == new.id


def test_it_adds_roles_removes_none_and_remembers_which_were_new(app: object) -> None:
    had, shared, new = make.make_role("Had"), make.make_role("Shared"), make.make_role("New")
    person = make.make_contact(roles=[had, shared])
    made = redeem(make.make_invitation(person, roles=[shared, new]), person)
    assert made.roles_added == [new.id]
    for role in (had, shared, new):
        assert ways.holders(role.id) == {person.id}


def test_a_role_that_the_owner_may_no_longer_give_is_withheld_and_noted(app: object) -> None:
    may, may_not = make.make_role("May"), make.make_role("May not", managers_may_grant=False)
    owner = make.make_staff("manager")
    person = make.make_contact()
    made = redeem(make.make_invitation(person, owner=owner, roles=[may, may_not]), person)
    assert (made.roles_added, made.roles_withheld) == ([may.id], [may_not.id])
    assert ways.holders(may_not.id) == set()
    [(entry, about)] = journal("role.withheld")
    assert about == {("invitation", made.invitation_id), ("contact", person.id)}
    assert entry.detail["web_roles"] == ["May not"]


def test_an_owner_who_left_gives_nothing(app: object) -> None:
    role, owner = make.make_role(), make.make_staff("owner")
    person = make.make_contact()
    invitation = make.make_invitation(person, owner=owner, roles=[role])
    with transaction():
        db.session.get_one(StaffMember, owner.id).active = False
    assert redeem(invitation, person).roles_withheld == [role.id]
    assert ways.holders(role.id) == set()


def test_it_stands_on_both_timelines_with_what_it_did(app: object) -> None:
    role, account = make.make_role("Supplier"), make.make_account("Acme")
    person = make.make_contact()
    made = redeem(make.make_invitation(person, roles=[role], account=account), person)
    [(entry, about)] = journal("redemption.completed")
    assert about == {("invitation", made.invitation_id), ("contact", person.id)}
    assert (entry.actor_kind, entry.actor_id, entry.ip) == ("contact", person.id, "203.0.113.7")
    assert entry.detail["web_roles"] == ["Supplier"]
    assert (entry.detail["account"], entry.detail["proof"]) == ("Acme", "link")
    assert "Supplier" in entry.text
    assert "Acme" in entry.text


def test_the_workflow_starts_with_it_and_once(app: object) -> None:
    person = make.make_contact()
    invitation = make.make_invitation(person, workflow=make.shipped_workflow())
    made = redeem(invitation, person)
    redeem(invitation, person)
    run = db.session.scalars(db.select(WorkflowRun)).one()
    assert (run.contact_id, run.cause_kind, run.cause_id) == (person.id, "redemption", made.id)
    assert db.session.scalars(db.select(Job)).one().kind == "workflow"


def test_a_link_proves_the_address_and_a_code_does_not(app: object) -> None:
    by_link, by_code = make.make_contact(), make.make_contact()
    redeem(make.make_invitation(by_link), by_link)
    redeem(make.make_invitation(by_code), by_code, "code")
    assert db.session.get_one(Contact, by_link.id).email1_verified_at is not None
    assert db.session.get_one(Contact, by_code.id).email1_verified_at is None
    link = db.session.scalars(db.select(OneTimeLink)).one()
    assert (link.contact_id, link.purpose) == (by_code.id, "confirm")
    message = db.session.scalars(db.select(Message)).one()
    assert (message.kind, message.contact_id, message.detail) == ("confirm-email", by_code.id, {"link": link.id})


def test_an_address_that_another_contact_has_proven_is_not_proven_twice_and_nobody_is_merged(app: object) -> None:
    first = make.make_contact(email1="same@x.example", verified=True)
    second = make.make_contact(email1="same@x.example")
    redeem(make.make_invitation(second), second)
    assert db.session.get_one(Contact, second.id).email1_verified_at is None
    assert db.session.get_one(Contact, first.id).email1_verified_at is not None
    assert ways.redemptions() == [(db.session.scalars(db.select(Invitation.id)).one(), second.id)]


def test_a_contact_without_an_address_gets_no_mail(app: object) -> None:
    person = make.make_contact(email1=None)
    redeem(make.make_invitation(person), person, "code")
    assert db.session.scalars(db.select(Message)).all() == []


def test_when_something_later_fails_nothing_of_it_stays(app: object, dump: Callable[[], object]) -> None:
    person, role = make.make_contact(), make.make_role()
    invitation = make.make_invitation(person, roles=[role], workflow=make.shipped_workflow())
    ids, before = (invitation.id, person.id), dump()

    def redeem_and_break() -> None:
        with transaction():
            services.redeem(*ids, proof="link", signed_in_by="password", ip=None, now=clock.now())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        redeem_and_break()
    assert dump() == before
