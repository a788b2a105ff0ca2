"""What the worker does with a run: one step per job, so that each step's effect is committed with its count."""

from datetime import datetime
from typing import Any

from portal.contacts.models import Contact
from portal.jobs import queue
from portal.jobs.handlers import Failure
from portal.journal.services import record
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db
from portal.workflows import queries, steps
from portal.workflows.models import WorkflowRun


def run(detail: dict[str, Any], job_id: int, now: datetime) -> None:
    """Do the next step of a run; the steps after it are a job of their own."""
    found = queries.locked(int(detail["run_id"]))
    if found.state in ("done", "failed"):
        return
    if found.done_steps < len(found.steps):
        _step(found, now)
    if found.done_steps < len(found.steps):
        queue.enqueue("workflow", {"run_id": found.id}, now=now)
        return
    found.state, found.finished_at, found.error = "done", now, ""
    name = queries.get(found.workflow_id).name
    about = {"run_id": found.id, "workflow": name, "steps": found.done_steps}
    record("workflow.done", *queries.records(found), by=SYSTEM, now=now, text=name, detail=about)


def failed(detail: dict[str, Any], job_id: int, now: datetime, failure: Failure) -> None:
    """Remember why a step failed; after the last try, say so on the timelines."""
    found = queries.locked(int(detail["run_id"]))
    found.error, found.attempts = failure.error, failure.attempts
    if not failure.final:
        return
    found.state, found.finished_at = "failed", now
    name = queries.get(found.workflow_id).name
    about = {"run_id": found.id, "workflow": name, "step": found.done_steps + 1, "tries": failure.attempts}
    record(
        "workflow.failed", *queries.records(found), by=SYSTEM, now=now, text=f"{name}: {failure.error}", detail=about
    )


def _step(found: WorkflowRun, now: datetime) -> None:
    found.state = "running"
    context = steps.Context(
        run=found,
        number=found.done_steps,
        contact=db.session.get_one(Contact, found.contact_id),
        records=queries.records(found),
        now=now,
    )
    steps.perform(found.steps[found.done_steps], context)
    found.done_steps += 1
    found.error, found.attempts = "", 0
