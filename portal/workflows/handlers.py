"""What the worker does with a run: one step per job, so that each step's effect is committed with its count."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from portal.accounts import queries as accounts
from portal.contacts.models import Contact
from portal.contacts.queries import web_roles
from portal.jobs import queue
from portal.jobs.handlers import Failure
from portal.journal.services import record
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, load
from portal.staff.models import StaffMember
from portal.workflows import queries, steps
from portal.workflows.models import Workflow, WorkflowRun, WorkflowRunStep
from portal.workflows.services.running import JOB, OUTSIDE_JOB, OVER


def run(detail: dict[str, Any], job_id: int, now: datetime) -> None:
    """Do the next step of a run; the steps after it are a job of their own."""
    found = queries.locked(int(detail["run_id"]))
    if found.state in OVER:
        return
    if found.done_steps < len(found.steps):
        kind = _kind(found)
        if kind.outside is not None:
            found.state = "running"
            queue.enqueue(OUTSIDE_JOB, {"run_id": found.id, "position": found.done_steps}, now=now)
            return
        _step(found, kind, {}, now)
    _go_on(found, now)


def call_outside(detail: dict[str, Any], now: datetime) -> Any:
    """What a step does with other machines, outside any transaction; what it gives is handed to `run_outside`."""
    found = queries.run(int(detail["run_id"]))
    if found.state in OVER or found.done_steps != detail["position"]:
        return None
    kind = _kind(found)
    return kind.outside(found.steps[found.done_steps], _context(found, now)) if kind.outside else None


def run_outside(detail: dict[str, Any], job_id: int, now: datetime) -> None:
    """Count a step that was done outside."""
    found = queries.locked(int(detail["run_id"]))
    if found.state in OVER or found.done_steps != detail["position"]:
        return
    _step(found, _kind(found), {"outside": detail["outside"]}, now)
    _go_on(found, now)


def failed(detail: dict[str, Any], job_id: int, now: datetime, failure: Failure) -> None:
    """Remember why a step failed; after the last try, say so on the timelines."""
    found = queries.locked(int(detail["run_id"]))
    if found.state in OVER:
        return
    found.error, found.attempts = failure.error, failure.attempts
    _note_step(found, now, state="failed", error=failure.error, tries=failure.attempts)
    if not failure.final:
        return
    found.state, found.finished_at = "failed", now
    name = queries.get(found.workflow_id).name
    about = {"run_id": found.id, "workflow": name, "step": found.done_steps + 1, "tries": failure.attempts}
    record(
        "workflow.failed", *queries.records(found), by=SYSTEM, now=now, text=f"{name}: {failure.error}", detail=about
    )


def _kind(found: WorkflowRun) -> steps.StepType:
    name = str(found.steps[found.done_steps].get("type", ""))
    if name not in steps.types:
        raise steps.StepFailed(f"There is no step of the type “{name}”.")
    return steps.types[name]


def _step(found: WorkflowRun, kind: steps.StepType, more: dict[str, Any], now: datetime) -> None:
    found.state = "running"
    outcome = kind.do({**found.steps[found.done_steps], **more}, _context(found, now))
    db.session.flush()
    tries = found.attempts + 1
    _note_step(found, now, state="done", result=outcome.result, tries=tries, finished_at=now)
    found.done_steps = len(found.steps) if outcome.stop else found.done_steps + 1
    found.error, found.attempts = "", 0
    if outcome.until is not None and found.done_steps < len(found.steps):
        found.state = "waiting"
        queue.enqueue(JOB, {"run_id": found.id}, now=now, due_at=max(outcome.until, now + timedelta(seconds=1)))


def _go_on(found: WorkflowRun, now: datetime) -> None:
    if found.state == "waiting":
        return
    if found.done_steps < len(found.steps):
        queue.enqueue(JOB, {"run_id": found.id}, now=now)
        return
    found.state, found.finished_at, found.error = "done", now, ""
    name = queries.get(found.workflow_id).name
    about = {"run_id": found.id, "workflow": name, "steps": found.done_steps}
    record("workflow.done", *queries.records(found), by=SYSTEM, now=now, text=name, detail=about)


def _context(found: WorkflowRun, now: datetime) -> steps.Context:
    contact = db.session.get_one(Contact, found.contact_id) if found.contact_id else None
    return steps.Context(
        run=found,
        position=found.done_steps,
        contact=contact,
        records=queries.records(found),
        facts=_facts(found, contact),
        activators=tuple(_activators(found)),
        now=now,
    )


def _activators(found: WorkflowRun | None) -> Iterator[str]:
    """Behind a run stands everybody on the way to it: nobody gains by starting what another one activated."""
    while found is not None:
        by = found.activated_by or db.session.get_one(Workflow, found.workflow_id).activated_by
        member = load(StaffMember, by or 0)
        yield member.role if member and member.active else ""
        found = load(WorkflowRun, found.cause_id) if found.cause_kind == "workflow-run" else None


def _facts(found: WorkflowRun, contact: Contact | None) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    if contact is not None:
        roles = web_roles(contact.id)
        facts = {
            "contact_id": contact.id,
            "contact_name": contact.name,
            "contact_email": contact.email1 or "",
            "contact_language": contact.language,
            "contact_account": _account(contact),
            "contact_web_roles": [role.name for role in roles],
        }
    if found.invitation_id is not None and steps.known.invitations is not None:
        facts.update(steps.known.invitations.facts(found.invitation_id))
    return facts


def _account(contact: Contact) -> str:
    return accounts.names([contact.account_id]).get(contact.account_id or 0, "")


def _note_step(found: WorkflowRun, now: datetime, **values: Any) -> None:
    """Keep what became of the present step; a step that is tried again keeps its first moment."""
    own = (WorkflowRunStep.run_id == found.id, WorkflowRunStep.position == found.done_steps)
    row = db.session.scalar(db.select(WorkflowRunStep).where(*own))
    if row is None:
        kind = str(found.steps[found.done_steps].get("type", ""))
        row = WorkflowRunStep(run_id=found.id, position=found.done_steps, type=kind, started_at=now, state="", tries=0)
        db.session.add(row)
    for name, value in {"error": "", **values}.items():
        setattr(row, name, value)
    db.session.flush()
