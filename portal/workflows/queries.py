"""Reading workflows and their runs."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, select

from portal.contacts.models import Contact
from portal.journal.models import JournalRecord
from portal.journal.services import Record
from portal.kernel import paging
from portal.kernel.db import db, load, possible
from portal.kernel.errors import NotFound
from portal.workflows.models import Workflow, WorkflowRun, WorkflowRunStep

SENDING = "send-invitation"
"""The key of the workflow behind *Send Invitation*."""


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


def runs(workflow_id: int, state: str, after: str) -> paging.Page[Row[Any]]:
    """A page of the runs of a workflow, newest first, each with its contact's name; `state` blank means all."""
    columns: tuple[Any, ...] = (
        WorkflowRun.id,
        WorkflowRun.state,
        WorkflowRun.number,
        WorkflowRun.done_steps,
        WorkflowRun.error,
        WorkflowRun.created_at,
        WorkflowRun.finished_at,
        WorkflowRun.contact_id,
        WorkflowRun.invitation_id,
        Contact.first_name,
        Contact.last_name,
        Contact.email1,
    )
    found = select(*columns).outerjoin(Contact, Contact.id == WorkflowRun.contact_id)
    found = found.where(WorkflowRun.workflow_id == workflow_id)
    if state:
        found = found.where(WorkflowRun.state == state)
    position = paging.keys(after, int)
    if position is not None:
        found = found.where(WorkflowRun.id < position[0])
    rows = db.session.execute(found.order_by(WorkflowRun.id.desc()).limit(paging.PAGE_SIZE + 1)).all()
    return paging.page(rows, lambda row: (row.id,))


def failed_among(run_ids: Iterable[int]) -> set[int]:
    """Which of these runs have failed and can be run again."""
    chosen = select(WorkflowRun.id).where(WorkflowRun.id.in_(list(run_ids)), WorkflowRun.state == "failed")
    return set(db.session.scalars(chosen))


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
