"""Workflows and their runs."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base


class Workflow(Base):
    """Named, ordered steps. `steps` is a list of `{"type": "send_email" | "note", …}`; `key` marks one that ships."""

    __tablename__ = "workflow"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str | None] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(String(300), default="")
    primary_entity: Mapped[str] = mapped_column(String(15), default="contact")
    activated: Mapped[bool] = mapped_column(default=True)
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)


class WorkflowRun(Base):
    """One run on one contact, with the steps as they were when it began.

    States: queued, running, done, failed. `done_steps` counts the steps whose effect is committed, so that
    running again never repeats one. `cause_kind`/`cause_id` say what started it (a redemption).
    """

    __tablename__ = "workflow_run"

    id: Mapped[int] = mapped_column(primary_key=True)
    workflow_id: Mapped[int] = mapped_column(ForeignKey("workflow.id"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
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
