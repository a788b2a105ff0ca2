"""Starting workflow runs, and running failed ones again."""

from datetime import datetime

from flask_babel import gettext as _

from portal.jobs import queue
from portal.journal.services import record
from portal.kernel.actor import SYSTEM, Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict
from portal.workflows import queries
from portal.workflows.models import WorkflowRun

JOB = "workflow"


def start(
    workflow_id: int, contact_id: int, *, cause: tuple[str, int], invitation_id: int | None, now: datetime
) -> WorkflowRun:
    """Run a workflow on a contact, in the background, after the open transaction is committed.

    Never refuses, for what led to it must stand: a workflow that is not activated becomes a failed run.
    """
    workflow = queries.get(workflow_id)
    run = WorkflowRun(
        workflow_id=workflow.id,
        contact_id=contact_id,
        cause_kind=cause[0],
        cause_id=cause[1],
        invitation_id=invitation_id,
        steps=list(workflow.steps),
        created_at=now,
        state="queued",
        done_steps=0,
        attempts=0,
        error="",
    )
    db.session.add(run)
    db.session.flush()
    if workflow.activated:
        queue.enqueue(JOB, {"run_id": run.id}, now=now)
        return run
    run.state, run.finished_at = "failed", now
    run.error = _("The workflow “%(name)s” is not activated.", name=workflow.name)
    record("workflow.failed", *queries.records(run), by=SYSTEM, now=now, text=run.error, detail={"run_id": run.id})
    return run


def run_again(run_id: int, *, by: Actor, now: datetime) -> WorkflowRun:
    """Take a failed run up where it stopped; steps that are done are not repeated. Raises Conflict."""
    run = queries.locked(run_id)
    workflow = queries.get(run.workflow_id)
    if run.state != "failed":
        raise Conflict(_("This run has not failed, or somebody has run it again already."))
    if not workflow.activated:
        raise Conflict(_("The workflow “%(name)s” is not activated.", name=workflow.name))
    run.state, run.attempts, run.finished_at = "queued", 0, None
    queue.enqueue(JOB, {"run_id": run.id}, now=now)
    detail = {"run_id": run.id, "workflow": workflow.name}
    record("workflow.run-again", *queries.records(run), by=by, now=now, text=workflow.name, detail=detail)
    return run
