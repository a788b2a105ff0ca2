"""A workflow never does what those behind it may not do: who activates it, lets it loose, starts it from another."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.contacts import services as contacts
from portal.contacts.models import ContactWebRole
from portal.contacts.services import ContactValues
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import Invalid
from portal.staff.permissions import StaffActor
from portal.workflows import queries, services
from portal.workflows.models import Workflow, WorkflowRun
from tests.support import make
from tests.support.clock import FrozenClock
from tests.workflows import ways

NOTE = {"type": "note", "text": "Hello."}


def board() -> dict[str, Any]:
    return {"type": "add_role", "web_role": str(make.make_role("Board", managers_may_grant=False).id)}


def in_force(workflow_id: int, *steps: dict[str, Any], by: StaffActor) -> None:
    with transaction():
        workflow = queries.get(workflow_id)
        services.save_draft(workflow_id, list(steps), workflow.version, by, clock.now())
        services.activate(workflow_id, workflow.version, by, clock.now())


def faults(*steps: dict[str, Any], by: StaffActor) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        ways.defined(*steps, by=by)
    db.session.rollback()
    return refused.value.fields


def test_an_editor_cannot_let_loose_what_an_owner_activated(app: Flask) -> None:
    workflow_id, editor = ways.defined(board()), ways.acting("editor")
    version = queries.get(workflow_id).version
    with pytest.raises(Invalid) as refused, transaction():
        services.rename(workflow_id, "Flow", "", "contact_created", version, editor, clock.now())
    assert "may not give" in refused.value.fields["trigger"]
    assert not db.session.get_one(Workflow, workflow_id, populate_existing=True).trigger


def test_an_editor_gains_nothing_by_starting_what_an_owner_activated(app: Flask, frozen_clock: FrozenClock) -> None:
    granting = ways.defined(board(), name="Granting")
    step = {"type": "start_workflow", "workflow": str(granting)}
    ways.defined(step, by=ways.acting("editor"), trigger="contact_created", name="Starting")
    owner = ways.acting()
    with transaction():
        contacts.create(ContactValues("Eve", "Editor"), owner, clock.now())
    ways.work_until_idle(frozen_clock)
    assert db.session.query(ContactWebRole).count() == 0
    assert db.session.query(WorkflowRun.state).filter(WorkflowRun.workflow_id == granting).scalar() == "failed"


def test_an_owner_may_start_what_an_owner_activated(app: Flask, frozen_clock: FrozenClock) -> None:
    granting = ways.defined(board(), name="Granting")
    step = {"type": "start_workflow", "workflow": str(granting)}
    ways.started(ways.defined(step, name="Starting"), make.make_contact())
    ways.work_until_idle(frozen_clock)
    assert db.session.query(ContactWebRole).count() == 1


def test_who_may_not_change_contacts_does_not_do_so_by_a_workflow(app: Flask) -> None:
    editor = ways.acting("editor")
    account = {"type": "assign_account", "account": make.make_account().id}
    assert "may not" in faults(account, by=editor)["steps-0-account"]
    name = {"type": "set_field", "field": "first_name", "value": "Eve"}
    assert "may not" in faults(name, by=editor)["steps-0-field"]


def test_contacts_are_changed_only_while_the_activator_may(app: Flask, frozen_clock: FrozenClock) -> None:
    from portal.staff.models import StaffMember

    contact, actor = make.make_contact(), ways.acting("manager")
    one = ways.started(ways.defined({"type": "assign_account", "account": make.make_account().id}, by=actor), contact)
    with transaction():
        db.session.get_one(StaffMember, actor.id).role = "editor"
    ways.work_until_idle(frozen_clock)
    assert ways.run(one).state == "failed"
    assert contact.account_id is None


@pytest.mark.parametrize(("first", "then", "given"), [("owner", "editor", 1), ("manager", "owner", 0)])
def test_a_run_stands_on_the_rights_of_who_activated_its_steps(
    app: Flask, frozen_clock: FrozenClock, first: str, then: str, given: int
) -> None:
    role = make.make_role("Supplier", managers_may_grant=True)
    steps = {"type": "wait", "amount": 1, "unit": "days"}, {"type": "add_role", "web_role": str(role.id)}
    workflow_id = ways.defined(*steps, by=ways.acting(first))
    one = ways.started(workflow_id, make.make_contact())
    ways.work()
    with transaction():
        role.managers_may_grant = False
        db.session.merge(role)
    in_force(workflow_id, NOTE, by=ways.acting(then))
    frozen_clock.set(frozen_clock.now + timedelta(days=2))
    ways.work_until_idle(frozen_clock)
    assert ways.run(one).state == ("done" if given else "failed")
    assert db.session.query(ContactWebRole).count() == given


def test_a_workflow_starts_only_a_few_others(app: Flask) -> None:
    other = ways.defined(NOTE, name="Other")
    step = {"type": "start_workflow", "workflow": str(other)}
    assert "At most 5" in faults(*[step] * 6, by=ways.acting())[""]


def test_the_button_that_activates_needs_a_recent_proof(sign_in_as: Any, frozen_clock: FrozenClock) -> None:
    editor = sign_in_as("editor")
    actor = ways.acting()
    with transaction():
        made = services.create("Flow", "", "contact", "", actor, clock.now())
        services.save_draft(made.id, [{**NOTE, "id": "aaa"}], made.version, actor, clock.now())
        workflow_id = made.id
    url = f"/staff/workflows/{workflow_id}/edit"
    form = editor.page(url).posts[-1]
    frozen_clock.move(minutes=11)
    answer = editor.post(url, data={**dict(form.values), "do": "activate"})
    assert answer.status_code == 303
    assert "/staff/confirm" in answer.headers["Location"]
    assert not db.session.get_one(Workflow, workflow_id, populate_existing=True).activated
