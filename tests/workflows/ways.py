"""Making workflows and running them to their end; shared by the tests of workflows."""

from typing import Any

from portal.contacts.models import Contact
from portal.jobs import runner
from portal.jobs.models import Job
from portal.journal import queries as journal
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffActor
from portal.workflows import queries, services
from portal.workflows.models import Workflow, WorkflowRun, WorkflowRunStep
from tests.support import make
from tests.support.clock import FrozenClock


def acting(role: str = "owner") -> StaffActor:
    """A staff member of this role, as services see them."""
    member: StaffMember = make.make_staff(role)
    return member.actor(None)


def defined(
    *steps: dict[str, Any], by: StaffActor | None = None, entity: str = "contact", trigger: str = "", name: str = "Flow"
) -> int:
    """An activated workflow with these steps, made as staff make it."""
    actor, now = by or acting(), clock.now()
    with transaction():
        made = services.create(name, "", entity, trigger, actor, now)
        services.save_draft(made.id, list(steps), made.version, actor, now)
        services.activate(made.id, made.version, actor, now)
        return made.id


def started(workflow_id: int, contact: Contact | None = None, invitation_id: int | None = None) -> int:
    """A run, queued."""
    contact_id = contact.id if contact else None
    with transaction():
        cause = ("redemption", 1)
        return services.start(workflow_id, contact_id, cause=cause, invitation_id=invitation_id, now=clock.now()).id


def work() -> None:
    """Do what is due."""
    while runner.turn("me", lambda: False):
        pass
    db.session.rollback()


def work_until_idle(frozen: FrozenClock, most: int = 12) -> None:
    """Do all there is, moving the clock on to each next job."""
    for _ in range(most):
        work()
        due = db.session.query(Job.due_at).filter(Job.state == "queued").order_by(Job.due_at).first()
        if due is None:
            return
        frozen.set(max(due.due_at, frozen.now))


def run(run_id: int) -> WorkflowRun:
    """The run as it is now."""
    db.session.rollback()
    return db.session.get_one(WorkflowRun, run_id, populate_existing=True)


def results(run_id: int) -> list[WorkflowRunStep]:
    """What became of its steps."""
    db.session.rollback()
    return queries.run_steps(run_id)


def actions(kind: str, record_id: int) -> list[str]:
    """What stands on a timeline, latest first."""
    return [line.action for line in journal.timeline(kind, record_id)]


def of_key(key: str) -> Workflow:
    """A shipped workflow."""
    found = queries.by_key(key)
    assert found is not None
    return found
