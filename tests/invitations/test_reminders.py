"""Reminders by schedule: what stops them, what moves them, and that the quiet hours are kept."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.invitations import queries, services
from portal.invitations.models import Invitation, InvitedContact
from portal.jobs.models import Job
from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import TooFast
from portal.mail.models import Message
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffActor
from portal.workflows import services as workflows
from portal.workflows.models import Workflow
from tests.invitations.reminding import (
    ONCE,
    acting,
    arrive,
    at,
    bounce,
    change,
    invited,
    planned,
    redeem,
    reminded,
    send,
    template,
    update,
    work,
)
from tests.support import make, post
from tests.support.clients import Client
from tests.support.clock import FrozenClock

SignIn = Callable[..., Client]


@pytest.fixture
def by(app: Flask, frozen_clock: FrozenClock) -> StaffActor:
    return acting(make.make_staff("owner", name="Olga Owner"))


# What stops it


STOPS: dict[str, Callable[[int, int, StaffActor], None]] = {
    "redeemed": lambda i, c, by: redeem(i, c),
    "declined": lambda i, c, by: change(InvitedContact, (i, c), declined_at=clock.now()),
    "deactivated": lambda i, c, by: change(Invitation, i, deactivated_at=clock.now()),
    "the contact deactivated": lambda i, c, by: change(Contact, c, active=False),
    "without an address": lambda i, c, by: change(Contact, c, email1=None, email1_key=None),
    "bounced": lambda i, c, by: bounce(c),
    "the schedule taken away": lambda i, c, by: update(i, by),
    "expired": lambda i, c, by: change(Invitation, i, expires_at=clock.now(), expires_on=clock.now().date()),
    "the owner gone": lambda i, c, by: change(StaffMember, queries.get(i).owner_id, active=False),
    "the template deactivated": lambda i, c, by: template(active=False),
    "deleted": lambda i, c, by: delete(i, by),
}


def delete(invitation_id: int, by: StaffActor) -> None:
    with transaction():
        services.delete(invitation_id, by, clock.now())


@pytest.mark.parametrize("what", STOPS)
def test_one_due_in_an_hour_is_not_sent_when_meanwhile(by: StaffActor, frozen_clock: FrozenClock, what: str) -> None:
    contact, other = make.make_contact(), make.make_contact()
    made = invited(contact, reminders=ONCE, owner=make.make_staff("manager"))
    kept = invited(other, reminders=ONCE)  # so that silence is not just a schedule that never runs
    send(made, by)
    send(kept, by)
    contact_id = contact.id
    frozen_clock.move(days=3, hours=-1)
    work()
    if what == "the schedule taken away":
        update(made, by, remind_after=())
    else:
        STOPS[what](made, contact_id, by)
    frozen_clock.move(hours=2)
    work()
    assert reminded(made) == []
    assert (len(reminded(kept)) == 1) is (what != "the template deactivated")
    held = what in ("the owner gone", "the template deactivated")
    assert ("invitation.not-reminded" in [line.action for line in timeline("invitation", made)]) is held


def test_a_written_one_is_not_delivered_after_the_redemption(by: StaffActor, frozen_clock: FrozenClock) -> None:
    contact = make.make_contact()
    made = invited(contact, reminders=ONCE)
    contact_id = contact.id
    send(made, by)
    frozen_clock.move(days=3)
    work()
    redeem(made, contact_id)
    post.deliver()
    assert [m.state for m in reminded()] == ["cancelled"]


def test_of_a_group_only_those_who_did_not_answer(by: StaffActor, frozen_clock: FrozenClock) -> None:
    people = [make.make_contact(name) for name in ("Anna", "Ben", "Cleo", "Dora", "Emil")]
    anna, ben, cleo, dora, emil = make.ids(people)
    made = invited(*people[:4])
    send(made, by)
    with transaction():  # invited later, and not sent anything yet
        db.session.add(InvitedContact(invitation_id=made, contact_id=emil, public_id=b"e" * 16))
    redeem(made, anna)
    change(InvitedContact, (made, ben), declined_at=clock.now())
    bounce(cleo)
    frozen_clock.move(days=3)
    work()
    assert [m.contact_id for m in reminded()] == [dora]


def test_an_undone_redemption_is_reminded_again(by: StaffActor, frozen_clock: FrozenClock) -> None:
    contact = make.make_contact()
    made, contact_id = invited(contact), contact.id
    send(made, by)
    redeem(made, contact_id)
    with transaction():
        services.undo(made, contact_id, by, clock.now())
    frozen_clock.move(days=3)
    work()
    assert len(reminded()) == 1


def test_a_deactivated_one_goes_on_where_it_was_when_activated_again(by: StaffActor, frozen_clock: FrozenClock) -> None:
    made = invited(reminders={"after": [3, 7]})
    send(made, by)
    with transaction():
        services.deactivate(made, by, clock.now())
    frozen_clock.move(days=4)
    work()
    with transaction():
        services.activate(made, by, clock.now())
    work()
    assert reminded() == []
    frozen_clock.move(days=3)
    work()
    assert len(reminded()) == 1


def test_not_a_fourth_mail_within_six_hours(by: StaffActor, frozen_clock: FrozenClock) -> None:
    contact = make.make_contact()
    made = invited(contact)
    send(made, by)
    frozen_clock.move(days=3, hours=-1)
    for _time in range(3):
        make.make_message(
            "reminder", contact=contact, state="sent", about_kind="invitation", about_id=made, sent_at=clock.now()
        )
    frozen_clock.move(hours=1)
    work()
    assert len(reminded()) == 3
    with pytest.raises(TooFast), transaction():
        services.send(made, key="again", by=by, now=clock.now())


# What moves it


def test_before_the_expiry_it_moves_with_it(by: StaffActor, frozen_clock: FrozenClock) -> None:
    made = invited(reminders={"before": [2]}, expires_on=date(2026, 11, 30))
    send(made, by)
    assert planned(made) == [at("2026-11-28 09:00")]
    with transaction():
        services.extend(made, date(2026, 12, 30), by, clock.now())
    assert planned(made) == [at("2026-12-28 09:00")]
    frozen_clock.set(at("2026-11-28 10:00"))
    work()
    assert reminded() == []
    frozen_clock.set(at("2026-12-28 08:59"))
    work()
    assert reminded() == []
    frozen_clock.set(at("2026-12-28 09:00"))
    work()
    assert len(reminded()) == 1


def test_a_shorter_expiry_brings_it_forward(by: StaffActor, frozen_clock: FrozenClock) -> None:
    made = invited(reminders={"before": [2]}, expires_on=date(2026, 12, 30))
    send(made, by)
    update(made, by, expires_on=date(2026, 11, 30))
    frozen_clock.set(at("2026-11-28 09:00"))
    work()
    assert len(reminded()) == 1


def test_sending_again_begins_anew(by: StaffActor, frozen_clock: FrozenClock) -> None:
    made = invited()
    send(made, by)
    frozen_clock.move(days=2)
    send(made, by, key="again")
    frozen_clock.move(days=1)
    work()
    assert reminded() == []
    frozen_clock.move(days=2)
    work()
    assert len(reminded()) == 1


def test_a_schedule_given_after_the_sending_counts_from_it(by: StaffActor, frozen_clock: FrozenClock) -> None:
    made = invited(reminders={})
    send(made, by)
    frozen_clock.move(days=1)
    update(made, by, remind_after=(1, 3))
    work()
    assert reminded() == []
    frozen_clock.move(days=2)
    work()
    assert len(reminded()) == 1


def test_quiet_hours_that_begin_to_hold_later_are_kept(by: StaffActor, frozen_clock: FrozenClock) -> None:
    made = invited()
    send(made, by)
    make.set_site(quiet_from=11, quiet_until=15)
    frozen_clock.move(days=3, hours=1)
    work()
    assert reminded() == []
    frozen_clock.move(hours=2)
    work()
    assert len(reminded()) == 1


def test_after_days_without_a_worker_one_goes_out_and_not_two(by: StaffActor, frozen_clock: FrozenClock) -> None:
    made = invited(reminders={"after": [3, 7]})
    send(made, by)
    frozen_clock.move(days=20)
    work()
    assert len(reminded()) == 1


def test_a_job_done_twice_writes_once(by: StaffActor, frozen_clock: FrozenClock) -> None:
    made = invited()
    send(made, by)
    frozen_clock.move(days=3)
    [job] = db.session.scalars(db.select(Job).where(Job.kind == services.REMIND_JOB))
    which = str(job.detail["which"])
    for _time in range(2):
        with transaction():
            services.remind_as_planned(made, which, clock.now())
    work()
    assert len(reminded()) == 1


def test_one_that_waited_into_the_night_waits_for_the_morning(by: StaffActor, frozen_clock: FrozenClock) -> None:
    make.set_site(quiet_from=20, quiet_until=8)
    made = invited()
    send(made, by)
    frozen_clock.move(days=3)
    work()
    [message] = reminded()
    frozen_clock.move(hours=9)  # the mail server comes back at nine in the evening
    post.deliver()
    [message] = reminded()
    assert (message.state, message.attempts, message.due_at) == ("queued", 0, at("2026-11-24 08:00"))
    frozen_clock.set(at("2026-11-24 08:00"))
    post.deliver()
    [message] = reminded()
    assert message.state == "sent"


def test_one_that_waited_is_not_delivered_after_a_bounce(by: StaffActor, frozen_clock: FrozenClock) -> None:
    make.set_site(quiet_from=20, quiet_until=8)
    made = invited()
    send(made, by)
    frozen_clock.move(hours=10)
    with transaction():
        services.remind(made, key="by hand", by=by, now=clock.now())
        came_back = db.update(Message).where(Message.kind == "invitation")
        db.session.execute(came_back.values(state="failed", bounced_at=clock.now()))
    frozen_clock.set(at("2026-11-21 08:00"))
    post.deliver()
    [message] = reminded()
    assert (message.state, message.answer) == ("cancelled", "The mail before it could not be delivered.")


def test_another_zone_of_the_site_loses_none(by: StaffActor, frozen_clock: FrozenClock) -> None:
    make.set_site(timezone="Europe/Berlin")
    made = invited(reminders={"before": [2]}, expires_on=date(2026, 12, 4), zone="Europe/Berlin")
    send(made, by)
    with transaction():
        services.extend(made, date(2026, 12, 5), by, clock.now())
    make.set_site(timezone="Asia/Tokyo")  # where it ends on the sixth
    for hours in range(0, 72, 6):
        frozen_clock.set(at("2026-12-02 12:00") + timedelta(hours=hours))
        work()
    assert len(reminded()) == 1


def test_a_workflow_that_sends_plans_the_reminders_too(by: StaffActor, frozen_clock: FrozenClock) -> None:
    made = invited()
    workflow = db.session.scalars(db.select(Workflow).where(Workflow.primary_entity == "invitation")).first()
    assert workflow is not None
    workflow_id = workflow.id
    with transaction():
        workflows.start(workflow_id, None, cause=("invitation", made), invitation_id=made, now=clock.now(), by=by.id)
    work()
    arrive()
    assert planned(made) == [clock.now() + timedelta(days=3)]
    frozen_clock.move(days=3)
    work()
    assert len(reminded()) == 1


def test_those_who_will_not_be_reminded_are_not_counted(by: StaffActor) -> None:
    people = [make.make_contact(name) for name in ("Anna", "Ben", "Cleo", "Dora")]
    made, ids = invited(*people), make.ids(people)
    send(made, by)
    redeem(made, ids[0])
    bounce(ids[1])
    change(Contact, ids[2], active=False)
    db.session.rollback()
    assert counted(made) == [1]
    bounce(ids[3])
    assert counted(made) == []


def counted(invitation_id: int) -> list[int]:
    """How many each reminder to come is for, as asked for and as told from the page's invitees."""
    db.session.rollback()
    invitation, invitees = queries.get(invitation_id), queries.invitees(invitation_id, 100)
    asked = services.planned(invitation, clock.now())
    assert asked == services.planned(invitation, clock.now(), invitees)
    return [one.contacts for one in asked]
