"""Starting workflow runs, running failed ones again, ending them."""

from datetime import datetime

from flask_babel import gettext as _

from portal.jobs import queue
from portal.journal.services import record
from portal.kernel.actor import SYSTEM, Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict
from portal.workflows import queries, steps
from portal.workflows.models import Workflow, WorkflowRun
from portal.workflows.steps.flowing import starts

JOB, OUTSIDE_JOB = queries.JOBS
OVER = ("done", "failed", "cancelled")


def start(
    workflow_id: int,
    contact_id: int | None,
    *,
    cause: tuple[str, int],
    invitation_id: int | None,
    now: datetime,
    depth: int = 0,
    done_steps: int = 0,
    by: int | None = None,
) -> WorkflowRun:
    """Run a workflow on a contact, or without one on an invitation, in the background, after the open transaction.

    Never refuses, for what led to it must stand: a workflow that is not activated becomes a failed run. `done_steps` is
    how many of its first steps are done already; `depth` how many workflows led here; `by` the staff member.
    """
    workflow = queries.get(workflow_id)
    run = WorkflowRun(
        workflow_id=workflow.id,
        contact_id=contact_id,
        cause_kind=cause[0],
        cause_id=cause[1],
        invitation_id=invitation_id,
        steps=list(workflow.steps),
        number=workflow.number,
        created_at=now,
        created_by=by,
        activated_by=workflow.activated_by,
        state="queued",
        done_steps=done_steps,
        depth=depth,
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


starts[:] = [start]


def start_by_hand(
    workflow_id: int, *, contact_id: int | None = None, invitation_id: int | None = None, by: Actor, now: datetime
) -> WorkflowRun:
    """Run a workflow because somebody asked for it. Raises Conflict where it does not fit or is not activated."""
    workflow = queries.get(workflow_id)
    fits = contact_id is not None if workflow.primary_entity == steps.CONTACT else invitation_id is not None
    if not workflow.activated or not fits or workflow.key == queries.SENDING:
        raise Conflict(_("The workflow “%(name)s” cannot be run here.", name=workflow.name))
    run = start(
        workflow.id,
        contact_id if workflow.primary_entity == steps.CONTACT else None,
        cause=("staff", by.id or 0),
        invitation_id=invitation_id,
        now=now,
        by=by.id,
    )
    detail = {"run_id": run.id, "workflow": workflow.name}
    record("workflow.started", *queries.records(run), by=by, now=now, text=workflow.name, detail=detail)
    return run


def trigger(name: str, *, contact_id: int | None = None, invitation_id: int | None = None, now: datetime) -> int:
    """Start every activated workflow with this trigger; says how many."""
    cause = (name, contact_id or invitation_id or 0)
    found: list[Workflow] = queries.triggered_by(name)
    for workflow in found:
        start(workflow.id, contact_id, cause=cause, invitation_id=invitation_id, now=now)
    return len(found)


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


def cancel(run_id: int, *, by: Actor, now: datetime) -> WorkflowRun:
    """Do no further step. What is done stays done. Raises Conflict for a run that is over."""
    run = queries.locked(run_id)
    if run.state in ("done", "cancelled"):
        raise Conflict(_("This run is over already."))
    run.state, run.finished_at = "cancelled", now
    workflow = queries.get(run.workflow_id)
    detail = {"run_id": run.id, "workflow": workflow.name, "steps": run.done_steps}
    record("workflow.cancelled", *queries.records(run), by=by, now=now, text=workflow.name, detail=detail)
    return run
