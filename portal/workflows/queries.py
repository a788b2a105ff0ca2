"""Reading workflows and their runs."""

from collections.abc import Iterable

from sqlalchemy import select

from portal.contacts.models import Contact
from portal.journal.models import JournalRecord
from portal.journal.services import Record
from portal.kernel.db import db, load
from portal.kernel.errors import NotFound
from portal.workflows.models import Workflow, WorkflowRun


def activated() -> list[Workflow]:
    """The workflows that can be chosen, by name."""
    return list(db.session.scalars(select(Workflow).where(Workflow.activated).order_by(Workflow.name)))


def get(workflow_id: int) -> Workflow:
    """The workflow; raises NotFound."""
    workflow = load(Workflow, workflow_id)
    if workflow is None:
        raise NotFound
    return workflow


def run(run_id: int) -> WorkflowRun:
    """The run; raises NotFound."""
    found = load(WorkflowRun, run_id)
    if found is None:
        raise NotFound
    return found


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
    """The records on whose timelines a run writes: its contact, and the invitation that led to it."""
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
