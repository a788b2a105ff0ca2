"""Drafts, activation, triggers, and the workflow behind *Send Invitation*."""

from datetime import timedelta

import pytest
from flask import Flask

from portal.contacts import services as contacts
from portal.contacts.services import ContactValues
from portal.invitations import services as invitations
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict, Invalid, Stale
from portal.mail.models import Message
from portal.workflows import queries, services
from portal.workflows.models import WorkflowRun
from tests.support import make
from tests.support.clock import FrozenClock
from tests.workflows import ways

NOTE, OTHER = {"type": "note", "text": "One."}, {"type": "note", "text": "Two."}


def test_somebody_elses_change_is_not_written_over(app: Flask) -> None:
    workflow_id, actor, now = ways.defined(NOTE), ways.acting(), clock.now()
    for act in (
        lambda: services.save_draft(workflow_id, [OTHER], 1, actor, now),
        lambda: services.activate(workflow_id, 1, actor, now),
        lambda: services.deactivate(workflow_id, 1, actor, now),
        lambda: services.discard_draft(workflow_id, 1, actor, now),
        lambda: services.rename(workflow_id, "X", "", "", 1, actor, now),
    ):
        with pytest.raises(Stale), transaction():
            act()


@pytest.mark.parametrize(
    ("name", "entity", "trigger", "field"),
    [
        ("", "contact", "", "name"),
        ("x" * 101, "contact", "", "name"),
        ("Send Invitation", "contact", "", "name"),
        ("New", "account", "", "primary_entity"),
        ("New", "contact", "invitation_expired", "trigger"),
        ("New", "contact", "nonsense", "trigger"),
    ],
)
def test_a_workflow_that_cannot_be_is_refused(app: Flask, name: str, entity: str, trigger: str, field: str) -> None:
    actor = ways.acting()
    with pytest.raises(Invalid) as refused, transaction():
        services.create(name, "", entity, trigger, actor, clock.now())
    assert list(refused.value.fields) == [field]


def test_a_run_keeps_the_steps_it_began_with(app: Flask, frozen_clock: FrozenClock) -> None:
    contact, actor = make.make_contact(), ways.acting()
    workflow_id = ways.defined({"type": "wait", "amount": "1", "unit": "days"}, NOTE, by=actor)
    one = ways.started(workflow_id, contact)
    ways.work()
    with transaction():
        workflow = queries.get(workflow_id)
        services.save_draft(workflow_id, [OTHER], workflow.version, actor, clock.now())
    assert queries.get(workflow_id).steps != [OTHER], "a draft is not in force"
    with transaction():
        workflow = queries.get(workflow_id)
        services.activate(workflow_id, workflow.version, actor, clock.now())
        assert (workflow.number, workflow.steps, workflow.draft) == (2, [OTHER], None)
    frozen_clock.move(days=1, seconds=1)
    ways.work()
    assert [line.text for line in ways.journal.timeline("contact", contact.id) if line.action == "note"] == ["One."]
    assert ways.run(one).number == 1


def test_a_deactivated_workflow_starts_no_run_and_says_so(app: Flask) -> None:
    contact, actor, workflow_id = make.make_contact(), ways.acting(), ways.defined(NOTE)
    contact_id = contact.id
    with transaction():
        services.deactivate(workflow_id, queries.get(workflow_id).version, actor, clock.now())
    with pytest.raises(Conflict, match="cannot be run"), transaction():
        services.start_by_hand(workflow_id, contact_id=contact_id, by=actor, now=clock.now())
    assert "not activated" in ways.run(ways.started(workflow_id, contact)).error


def test_sending_is_refused_while_its_workflow_is_deactivated(app: Flask) -> None:
    contact = make.make_contact()
    invitation_id, actor = make.make_invitation(contact).id, ways.acting()
    sending = ways.of_key("send-invitation")
    workflow_id, version = sending.id, sending.version
    with transaction():
        services.deactivate(workflow_id, version, actor, clock.now())
    with pytest.raises(Conflict, match=r"Send Invitation.*deactivated"), transaction():
        invitations.send(invitation_id, key="k", by=actor, now=clock.now())
    assert db.session.query(Message).count() == 0
    with transaction():
        services.activate(workflow_id, version + 1, actor, clock.now())
        assert invitations.send(invitation_id, key="k", by=actor, now=clock.now()).messages == 1


def test_sending_goes_on_with_the_further_steps(app: Flask, frozen_clock: FrozenClock) -> None:
    actor = ways.acting()
    sending = ways.of_key("send-invitation")
    with transaction():
        services.save_draft(sending.id, [NOTE], sending.version, actor, clock.now())
    version = ways.of_key("send-invitation").version
    with pytest.raises(Invalid, match="first step"), transaction():
        services.activate(sending.id, version, actor, clock.now())
    first = {"type": "send_email", "template": "invitation"}
    with transaction():
        workflow = ways.of_key("send-invitation")
        services.save_draft(
            workflow.id, [first, {"type": "note", "text": "Sent!"}], workflow.version, actor, clock.now()
        )
        services.activate(workflow.id, workflow.version, actor, clock.now())
    invitation_id = make.make_invitation(make.make_contact()).id
    with transaction():
        invitations.send(invitation_id, key="k", by=actor, now=clock.now())
    ways.work_until_idle(frozen_clock)
    assert db.session.query(Message).count() == 1, "its first step was the button's"
    assert ways.actions("invitation", invitation_id)[:2] == ["workflow.done", "note"]


def test_a_new_contact_starts_what_it_triggers_once(app: Flask, frozen_clock: FrozenClock) -> None:
    ways.defined(NOTE, trigger="contact_created")
    actor = ways.acting()
    with transaction():
        made = contacts.create(ContactValues("New", "One"), actor, clock.now())
        contact_id = made.id
    ways.work_until_idle(frozen_clock)
    assert ways.actions("contact", contact_id) == ["workflow.done", "note", "contact.created"]


def test_an_expired_invitation_starts_what_it_triggers_once(app: Flask, frozen_clock: FrozenClock) -> None:
    step = {"type": "note", "text": "Too late."}
    soon = frozen_clock.now + timedelta(hours=1)
    before = frozen_clock.now - timedelta(hours=1)
    contact = make.make_contact()
    old = make.make_invitation(contact, sent=True, expires_at=before, expires_on=before.date())
    new = make.make_invitation(contact, sent=True, expires_at=soon, expires_on=soon.date())
    ways.defined(step, entity="invitation", trigger="invitation_expired")
    for moment in (frozen_clock.now, soon, soon + timedelta(minutes=1)):
        frozen_clock.set(moment)
        with transaction():
            invitations.start_expired(clock.now())
    ways.work_until_idle(frozen_clock)
    assert [run.invitation_id for run in db.session.query(WorkflowRun)] == [new.id]
    assert "note" in ways.actions("invitation", new.id)
    assert ways.actions("invitation", old.id) == []


def test_a_workflow_mails_everybody_whom_an_invitation_still_waits_for(app: Flask, frozen_clock: FrozenClock) -> None:
    anna, bert, carla = make.make_contact("Anna"), make.make_contact("Bert"), make.make_contact("Carla", email1=None)
    invitation = make.make_invitation(anna, bert, carla, sent=True)
    make.make_redemption(invitation, bert)
    workflow_id = ways.defined({"type": "send_email", "template": "reminder"}, entity="invitation")
    one = ways.started(workflow_id, None, invitation.id)
    ways.work_until_idle(frozen_clock)
    assert ways.run(one).state == "done"
    [message] = db.session.query(Message)
    assert (message.contact_id, message.detail["template"]) == (anna.id, "reminder")
    assert "Carla" in ways.results(one)[0].result


def test_a_cancelled_run_does_no_further_step(app: Flask, frozen_clock: FrozenClock) -> None:
    contact, actor = make.make_contact(), ways.acting()
    one = ways.started(ways.defined({"type": "wait", "amount": "1", "unit": "days"}, NOTE), contact)
    ways.work()
    with transaction():
        services.cancel(one, by=actor, now=clock.now())
    ways.work_until_idle(frozen_clock)
    assert ways.run(one).state == "cancelled"
    assert "note" not in ways.actions("contact", contact.id)
    with pytest.raises(Conflict), transaction():
        services.cancel(one, by=actor, now=clock.now())


def test_what_has_run_is_not_deleted(app: Flask) -> None:
    actor, now = ways.acting(), clock.now()
    used, unused = ways.defined(NOTE, name="Used"), ways.defined(NOTE, name="Unused")
    ways.started(used, make.make_contact())
    shipped = ways.of_key("send-invitation").id
    for workflow_id in (used, shipped):
        with pytest.raises(Conflict), transaction():
            services.delete(workflow_id, actor, now)
    with transaction():
        assert services.delete(unused, actor, now) == "Unused"
