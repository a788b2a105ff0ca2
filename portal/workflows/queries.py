"""Reading workflows and their runs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, Select, func, select, text

from portal.contacts.models import Contact
from portal.jobs.models import Job
from portal.journal.models import JournalRecord
from portal.journal.services import Record
from portal.kernel import paging
from portal.kernel.db import db, load, possible
from portal.kernel.errors import NotFound
from portal.workflows.models import NOT_DONE, Workflow, WorkflowRun, WorkflowRunStep

SENDING = "send-invitation"
"""The key of the workflow behind *Send Invitation*."""
JOBS = ("workflow", "workflow.outside")
"""The kinds of jobs that carry a run on."""


class RunsOf(NamedTuple):
    """Which runs a list shows: those of a workflow, on a contact, about an invitation; None means any."""

    workflow_id: int | None = None
    contact_id: int | None = None
    invitation_id: int | None = None


def activated() -> list[Workflow]:
    """The workflows that can be chosen, by name."""
    return list(db.session.scalars(select(Workflow).where(Workflow.activated).order_by(Workflow.name)))


def runnable(entity: str) -> list[Workflow]:
    """The activated workflows that staff can run on a contact or an invitation; sending has a button of its own."""
    return [one for one in activated() if one.primary_entity == entity and one.key != SENDING]


def triggered_by(trigger: str) -> list[Workflow]:
    """The activated workflows that this starts."""
    chosen = select(Workflow).where(Workflow.activated, Workflow.trigger == trigger)
    return list(db.session.scalars(chosen.order_by(Workflow.id)))


def all_of_them() -> list[Workflow]:
    """Every workflow, by name."""
    return list(db.session.scalars(select(Workflow).order_by(Workflow.name)))


def get(workflow_id: int, *, lock: bool = False) -> Workflow:
    """The workflow; raises NotFound."""
    workflow = load(Workflow, workflow_id, lock=lock)
    if workflow is None:
        raise NotFound
    return workflow


def by_key(key: str) -> Workflow | None:
    """The shipped workflow of this key."""
    return db.session.scalar(select(Workflow).where(Workflow.key == key))


def names(ids: Iterable[int]) -> dict[int, str]:
    """Names by id."""
    found = db.session.execute(select(Workflow.id, Workflow.name).where(Workflow.id.in_(possible(ids))))
    return {row.id: row.name for row in found}


def run(run_id: int) -> WorkflowRun:
    """The run; raises NotFound."""
    found = load(WorkflowRun, run_id)
    if found is None:
        raise NotFound
    return found


def run_steps(run_id: int) -> list[WorkflowRunStep]:
    """What became of the steps of a run so far, in order."""
    own = select(WorkflowRunStep).where(WorkflowRunStep.run_id == run_id)
    return list(db.session.scalars(own.order_by(WorkflowRunStep.position)))


def runs(of: RunsOf, state: str, after: str) -> paging.Page[Row[Any]]:
    """A page of these runs, newest first, each with its contact's name and its workflow's; `state` blank means any."""
    found = _listed()
    for column, wanted in zip(
        (WorkflowRun.workflow_id, WorkflowRun.contact_id, WorkflowRun.invitation_id), of, strict=True
    ):
        if wanted is not None:
            found = found.where(column == wanted)
    if state:
        found = found.where(WorkflowRun.state == state)
    if state and state != "done":
        found = found.where(text(f"workflow_run.{NOT_DONE}"))
    position = paging.keys(after, int)
    if position is not None:
        found = found.where(WorkflowRun.id < position[0])
    rows = db.session.execute(found.order_by(WorkflowRun.id.desc()).limit(paging.PAGE_SIZE + 1)).all()
    return paging.page(rows, lambda row: (row.id,))


def latest_runs(contact_id: int, most: int) -> Sequence[Row[Any]]:
    """The latest runs on a contact."""
    own = _listed().where(WorkflowRun.contact_id == contact_id)
    return db.session.execute(own.order_by(WorkflowRun.id.desc()).limit(most)).all()


def failed_by_workflow(since: datetime) -> dict[int, int]:
    """How many runs of each workflow failed since then and were not taken up again."""
    failed = select(WorkflowRun.workflow_id, func.count()).where(
        WorkflowRun.state == "failed", text(f"workflow_run.{NOT_DONE}"), WorkflowRun.finished_at >= since
    )
    return {row[0]: row[1] for row in db.session.execute(failed.group_by(WorkflowRun.workflow_id))}


def next_due(run_id: int) -> datetime | None:
    """When the run goes on, where it is not working right now."""
    own = (Job.state == "queued", Job.kind.in_(JOBS), Job.detail["run_id"].as_integer() == run_id)
    return db.session.scalar(select(Job.due_at).where(*own).order_by(Job.due_at).limit(1))


def _listed() -> Select[Any]:
    columns: tuple[Any, ...] = (
        WorkflowRun.id,
        WorkflowRun.workflow_id,
        Workflow.name.label("workflow"),
        WorkflowRun.state,
        WorkflowRun.number,
        WorkflowRun.done_steps,
        WorkflowRun.error,
        WorkflowRun.created_at,
        WorkflowRun.finished_at,
        WorkflowRun.cause_kind,
        WorkflowRun.contact_id,
        WorkflowRun.invitation_id,
        Contact.first_name,
        Contact.last_name,
        Contact.email1,
    )
    named = select(*columns).join(Workflow, Workflow.id == WorkflowRun.workflow_id)
    return named.outerjoin(Contact, Contact.id == WorkflowRun.contact_id)


def locked(run_id: int) -> WorkflowRun:
    """The run, kept from others until the transaction ends; raises NotFound."""
    found = load(WorkflowRun, run_id, lock=True)
    if found is None:
        raise NotFound
    return found


def records(of: WorkflowRun) -> tuple[Record, ...]:
    """The records on whose timelines a run writes: its contact, and the invitation it is about."""
    about: tuple[Record, ...] = ()
    if of.contact_id is not None:
        contact = db.session.get_one(Contact, of.contact_id)
        about = (Record("contact", contact.id, contact.name),)
    if of.invitation_id is None:
        return about
    # The slice above knows invitations; the journal remembers what this one was last called.
    named = (
        select(JournalRecord.name)
        .where(
            JournalRecord.kind == "invitation", JournalRecord.record_id == of.invitation_id, JournalRecord.name != ""
        )
        .order_by(JournalRecord.entry_id.desc())
        .limit(1)
    )
    return (*about, Record("invitation", of.invitation_id, db.session.scalar(named) or ""))
