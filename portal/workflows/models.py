"""Workflows and their runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base

NOT_DONE = "state <> 'done'"
"""Of the runs few are anything but done; the index that finds those wants these very words in a query."""


class Workflow(Base):
    """Named, ordered steps. `steps` is the activated list of `{"type": "send_email", …}` (see `steps`), `draft` the one
    being edited, None where there is nothing to activate; `number` counts activations. `key` marks one that ships.

    `primary_entity` is `contact` or `invitation`; `trigger` what starts it by itself: `contact_created`,
    `invitation_expired` or nothing. What it grants, `activated_by` must be allowed to grant.
    """

    __tablename__ = "workflow"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str | None] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(String(300), default="")
    primary_entity: Mapped[str] = mapped_column(String(15), default="contact")
    activated: Mapped[bool] = mapped_column(default=True)
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    draft: Mapped[list[dict[str, Any]] | None] = mapped_column(JSON)
    number: Mapped[int] = mapped_column(default=1, server_default="1")
    trigger: Mapped[str] = mapped_column(String(30), default="", server_default="")
    activated_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    activated_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1, server_default="1")


class WorkflowRun(Base):
    """One run on one contact or invitation, with the steps as they were when it began (version `number`).

    States: queued, running, waiting, done, failed, cancelled. `done_steps` counts the steps whose
    effect is committed, so that running again never repeats one. `cause_kind`/`cause_id` say what started it.
    """

    __tablename__ = "workflow_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    workflow_id: Mapped[int] = mapped_column(ForeignKey("workflow.id"))
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    cause_kind: Mapped[str] = mapped_column(String(30))
    cause_id: Mapped[int]
    invitation_id: Mapped[int | None] = mapped_column(index=True)
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    done_steps: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(10), default="queued")
    error: Mapped[str] = mapped_column(Text, default="")
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    number: Mapped[int] = mapped_column(default=1, server_default="1")
    depth: Mapped[int] = mapped_column(default=0, server_default="0")
    """How many workflows started one another before this one."""
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    activated_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    """Who activated these steps: whoever activates others later neither lends nor takes away their right."""

    __table_args__ = (
        Index("ix_workflow_run_workflow_id_id", "workflow_id", "id"),
        Index(
            "ix_workflow_run_not_done",
            "state",
            "id",
            sqlite_where=text(NOT_DONE),
            postgresql_where=text(NOT_DONE),
        ),
    )


class WorkflowRunStep(Base):
    """What became of one step of a run: when, what it did or what went wrong, at which try."""

    __tablename__ = "workflow_run_step"

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("workflow_run.id"))
    position: Mapped[int]
    type: Mapped[str] = mapped_column(String(30))
    state: Mapped[str] = mapped_column(String(10))
    result: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str] = mapped_column(Text, default="")
    tries: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("run_id", "position"),)
