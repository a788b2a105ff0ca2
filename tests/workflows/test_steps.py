"""Each type of step: what it refuses when it is activated, and what it does once when it runs."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact, ContactWebRole
from portal.invitations.models import Redemption
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import Invalid
from portal.mail.models import Message
from portal.redemption import services as redemption
from portal.workflows import services, steps
from portal.workflows.steps import functions
from portal.workflows.steps.flowing import holds
from tests.support import make
from tests.support.clock import FrozenClock
from tests.twins.webhook import listening
from tests.workflows import ways

SECRET = "a secret of sixteen and more"
NOTE = {"type": "note", "text": "Joined."}


def faults(*given: dict[str, Any], role: str = "owner", entity: str = "contact") -> dict[str, str]:
    """What keeps these steps from being activated."""
    with pytest.raises(Invalid) as refused:
        ways.defined(*given, by=ways.acting(role), entity=entity)
    return refused.value.fields


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("step", "field"),
    [
        ({"type": "nonsense"}, "type"),
        ({}, "type"),
        ({"type": "note", "text": "  "}, "text"),
        ({"type": "note", "text": "x" * 2001}, "text"),
        ({"type": "send_email", "template": "no-such"}, "template"),
        ({"type": "send_email", "template": "reset-password"}, "template"),
        ({"type": "send_email", "template": "invitation"}, "template"),
        ({"type": "add_role", "web_role": "999"}, "web_role"),
        ({"type": "add_role", "web_role": "1"}, "web_role"),
        ({"type": "assign_account", "account": "999"}, "account"),
        ({"type": "set_field", "field": "email1", "value": "eve@example.org"}, "field"),
        ({"type": "set_field", "field": "first_name", "value": "www.evil.example"}, "value"),
        ({"type": "set_field", "field": "language", "value": "xx"}, "value"),
        ({"type": "wait", "amount": "-1", "unit": "days"}, "amount"),
        ({"type": "wait", "amount": "99999", "unit": "days"}, "amount"),
        ({"type": "wait", "amount": "1", "unit": "moons"}, "unit"),
        ({"type": "stop_if_not", "field": "password", "operator": "is", "value": "x"}, "field"),
        ({"type": "stop_if_not", "field": "contact_name", "operator": "more", "value": "x"}, "value"),
        ({"type": "stop_if_not", "field": "contact_name", "operator": "is", "value": ""}, "value"),
        ({"type": "start_workflow", "workflow": "999"}, "workflow"),
        ({"type": "function", "function": "os.system"}, "function"),
        ({"type": "webhook", "url": "http://example.org/hook", "secret": SECRET}, "url"),
        ({"type": "webhook", "url": "https://user:pass@example.org/", "secret": SECRET}, "url"),
        ({"type": "webhook", "url": "file:///etc/passwd", "secret": SECRET}, "url"),
        ({"type": "webhook", "url": "https://example.org/", "secret": ""}, "secret"),
    ],
    ids=lambda value: str(value.get("type", "")) if isinstance(value, dict) else value,
)
def test_a_step_that_is_not_right_is_named_and_nothing_is_activated(
    app: Flask, step: dict[str, Any], field: str
) -> None:
    assert list(faults(NOTE, step)) == [f"steps-1-{field}"]


def test_a_workflow_without_steps_or_with_too_many_is_refused(app: Flask) -> None:
    assert list(faults()) == [""]
    assert "at most" in faults(*[NOTE] * 31)[""]


def test_steps_for_contacts_do_not_fit_an_invitation(app: Flask) -> None:
    role = make.make_role()
    assert list(faults({"type": "add_role", "web_role": str(role.id)}, entity="invitation")) == ["steps-0-type"]


def test_nobody_activates_a_step_that_gives_what_they_may_not_give(app: Flask) -> None:
    board = make.make_role("Board", managers_may_grant=False)
    step = {"type": "add_role", "web_role": str(board.id)}
    assert "may not give" in faults(step, role="editor")["steps-0-web_role"]
    assert "may not give" in faults(step, role="manager")["steps-0-web_role"]


def test_a_role_is_given_only_while_its_activator_may_give_it(app: Flask, frozen_clock: FrozenClock) -> None:
    role, contact, actor = make.make_role(), make.make_contact(), ways.acting("owner")
    one = ways.started(ways.defined({"type": "add_role", "web_role": str(role.id)}, by=actor), contact)
    with transaction():
        from portal.staff.models import StaffMember

        db.session.get_one(StaffMember, actor.id).active = False
    ways.work_until_idle(frozen_clock)
    assert ways.run(one).state == "failed"
    assert "activated" in ways.run(one).error
    assert db.session.query(ContactWebRole).count() == 0


def test_a_webhook_secret_is_not_stored_in_plain_text(app: Flask) -> None:
    workflow_id = ways.defined({"type": "webhook", "url": "https://example.org/", "secret": SECRET})
    stored = json.dumps(services.draft_of(ways.queries.get(workflow_id)))
    assert SECRET not in stored
    with transaction():
        workflow, by = ways.queries.get(workflow_id), ways.acting
    actor = by()
    [step] = services.draft_of(ways.queries.get(workflow_id))
    with transaction():
        workflow = ways.queries.get(workflow_id)
        again = {**step, "secret": "", "id": step.get("id")}
        services.save_draft(workflow_id, [again], workflow.version, actor, clock.now())
        assert services.draft_of(workflow)[0]["secret"] == step["secret"], "a blank secret keeps the one there was"


def test_every_type_of_step_runs_from_a_redemption(make_app: Any, frozen_clock: FrozenClock, monkeypatch: Any) -> None:
    def greeting(about: steps.Context, argument: str) -> str:
        """Greets somebody."""
        return f"{argument} {about.person().name}"

    monkeypatch.setattr(functions, "registered", lambda: {"greeting": greeting})
    with listening() as hook, make_app(PORTAL_WEBHOOK_NETWORKS="127.0.0.0/8").app_context():
        new, old = make.make_role("Supplier"), make.make_role("Guest")
        account = make.make_account("Acme")
        contact = make.make_contact("Anna", "Weber", "anna@example.org", verified=True, roles=[old])
        second = ways.defined({"type": "note", "text": "From the second."}, name="Second")
        workflow_id = ways.defined(
            {"type": "send_email", "template": "welcome"},
            {"type": "add_role", "web_role": str(new.id)},
            {"type": "remove_role", "web_role": str(old.id)},
            {"type": "assign_account", "account": str(account.id)},
            {"type": "set_field", "field": "phone", "value": "+49 30 123"},
            {"type": "note", "text": "Has come."},
            {"type": "webhook", "url": hook.url, "secret": SECRET},
            {"type": "wait", "amount": "2", "unit": "hours", "date": ""},
            {"type": "stop_if_not", "field": "contact_account", "operator": "is", "value": "acme"},
            {"type": "start_workflow", "workflow": str(second)},
            {"type": "function", "function": "greeting", "argument": "Hello"},
            {"type": "stop_if_not", "field": "contact_name", "operator": "contains", "value": "nobody"},
            {"type": "note", "text": "Never written."},
        )
        invitation = make.make_invitation(contact, workflow=ways.queries.get(workflow_id), sent=True)
        began, numbers = frozen_clock.now, (invitation.id, contact.id)
        with transaction():
            redemption.redeem(*numbers, proof="link", signed_in_by="password", ip=None, now=began)
        ways.work()
        [waiting] = db.session.query(ways.WorkflowRun).filter_by(workflow_id=workflow_id)
        assert (waiting.state, waiting.done_steps) == ("waiting", 8)
        frozen_clock.move(hours=2, seconds=1)
        ways.work()
        done = ways.run(waiting.id)
        assert (done.state, done.done_steps, done.error) == ("done", 13, "")
        assert db.session.query(Redemption).count() == 1
        anna = db.session.get_one(Contact, contact.id)
        assert (anna.phone, anna.account_id) == ("+49 30 123", account.id)
        assert {row.web_role_id for row in db.session.query(ContactWebRole)} == {new.id}
        assert [message.kind for message in db.session.query(Message).filter_by(kind="workflow")] == ["workflow"]
        assert ways.actions("contact", contact.id).count("note") == 2
        assert len(hook.calls) == 1
        told = json.loads(hook.calls[0].body)
        assert (told["contact_name"], told["invitation_name"]) == ("Anna Weber", invitation.name)
        rows = ways.results(done.id)
        assert [row.position for row in rows] == list(range(12))
        assert {row.state for row in rows} == {"done"}
        assert rows[10].result == "Hello Anna Weber"
        assert "stopped here" in rows[11].result


@pytest.mark.parametrize("kind", [name for name in steps.types if name != "webhook"])
def test_a_step_that_is_done_is_not_done_again(app: Flask, frozen_clock: FrozenClock, kind: str) -> None:
    """The worker dies after the effect and before it hears of it: a run that is handed out again does nothing twice."""
    contact = make.make_contact()
    role, account = make.make_role(), make.make_account()
    values = {
        "send_email": {"template": "welcome"},
        "add_role": {"web_role": str(role.id)},
        "remove_role": {"web_role": str(role.id)},
        "assign_account": {"account": str(account.id)},
        "set_field": {"field": "phone", "value": "1"},
        "note": {"text": "x"},
        "wait": {"amount": "0", "unit": "days"},
        "stop_if_not": {"field": "contact_name", "operator": "not_empty"},
        "start_workflow": {"workflow": str(ways.defined(NOTE, name="Other"))},
        "function": {},
    }[kind]
    if kind == "function":
        return  # needs an installed package; the test above runs one
    one = ways.started(ways.defined({"type": kind, **values}), contact)
    ways.work_until_idle(frozen_clock)
    before = ways.run(one).finished_at
    with transaction():
        ways.services.running.queue.enqueue(services.JOB, {"run_id": one}, now=clock.now())
    ways.work_until_idle(frozen_clock)
    assert (ways.run(one).state, ways.run(one).finished_at) == ("done", before)
    assert db.session.query(Message).count() <= 1
    assert ways.actions("contact", contact.id).count("workflow.done") == (2 if kind == "start_workflow" else 1)


def test_waiting_for_a_date_of_the_invitation(app: Flask, frozen_clock: FrozenClock) -> None:
    contact = make.make_contact()
    ends = frozen_clock.now + timedelta(days=5)
    invitation = make.make_invitation(contact, sent=True, expires_at=ends, expires_on=ends.date())
    step = {"type": "wait", "amount": "2", "unit": "days", "date": "expires_at"}
    one = ways.started(ways.defined(step, NOTE), contact, invitation.id)
    ways.work()
    assert ways.run(one).state == "waiting"
    frozen_clock.set(ends - timedelta(days=2, seconds=1))
    ways.work()
    assert ways.run(one).state == "waiting"
    frozen_clock.set(ends - timedelta(days=2))
    ways.work()
    assert ways.run(one).state == "done"


def test_a_date_that_is_past_or_missing_does_not_hold_a_run_up(app: Flask, frozen_clock: FrozenClock) -> None:
    contact = make.make_contact()
    past = make.make_invitation(contact, sent=True, expires_at=frozen_clock.now, expires_on=frozen_clock.now.date())
    never = make.make_invitation(contact, sent=True)
    workflow_id = ways.defined({"type": "wait", "amount": "2", "unit": "days", "date": "expires_at"})
    for invitation_id in (past.id, never.id):
        one = ways.started(workflow_id, contact, invitation_id)
        ways.work()
        assert ways.run(one).state == "done"


def test_workflows_that_start_one_another_come_to_an_end(app: Flask, frozen_clock: FrozenClock) -> None:
    contact, actor = make.make_contact(), ways.acting()
    workflow_id = ways.defined(NOTE, by=actor)
    with transaction():
        workflow = ways.queries.get(workflow_id)
        step = {"type": "start_workflow", "workflow": str(workflow_id)}
        services.save_draft(workflow_id, [step], workflow.version, actor, clock.now())
        services.activate(workflow_id, workflow.version, actor, clock.now())
    ways.started(workflow_id, contact)
    ways.work_until_idle(frozen_clock, most=20)
    states = [run.state for run in db.session.query(ways.WorkflowRun).order_by(ways.WorkflowRun.id)]
    assert states == ["done"] * 5 + ["failed"]


@pytest.mark.parametrize(
    ("fact", "operator", "value", "expected"),
    [
        ("Acme", "is", "acme ", True),
        ("Acme", "is_not", "acme", False),
        (["Supplier", "Board"], "is", "board", True),
        (["Supplier"], "contains", "ppl", True),
        ([], "empty", "", True),
        (None, "empty", "", True),
        ("x", "not_empty", "", True),
        (3, "more", "2", True),
        (3, "less", "2", False),
        ("x", "more", "2", False),
        ("Anna", "contains_not", "b", True),
        ("Anna", "nonsense", "b", False),
    ],
)
def test_conditions(fact: Any, operator: str, value: str, expected: bool) -> None:
    assert holds(fact, operator, value) is expected
