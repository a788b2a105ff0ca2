"""The step types a workflow can be made of; a further one is one line in the table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask_babel import gettext as _

from portal.contacts.models import Contact
from portal.journal.services import Record, record
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db
from portal.kernel.errors import PortalError
from portal.mail import outbox
from portal.workflows.models import WorkflowRun


class StepFailed(PortalError):
    """The step could not be done; `message` is shown to staff."""


@dataclass(frozen=True)
class Context:
    """What a step works on. `records` are those whose timelines it writes to."""

    run: WorkflowRun
    number: int
    contact: Contact
    records: tuple[Record, ...]
    now: datetime


Step = Callable[[dict[str, Any], Context], str]
"""Does one step inside the transaction that counts it as done, and says what it did; raises to be tried again."""


def send_email(step: dict[str, Any], about: Context) -> str:
    """Queue the template's message to the contact."""
    if not about.contact.email1:
        raise StepFailed(_("%(name)s has no e-mail address.", name=about.contact.name))
    if not about.contact.active:
        raise StepFailed(_("%(name)s is deactivated.", name=about.contact.name))
    outbox.enqueue(
        str(step["template"]),
        now=about.now,
        contact_id=about.contact.id,
        about=("workflow-run", about.run.id),
        dedupe_key=f"workflow-run:{about.run.id}:{about.number}",
    )
    return _("Queued the message “%(template)s”.", template=step["template"])


def note(step: dict[str, Any], about: Context) -> str:
    """Write a note on the timelines."""
    record("note", *about.records, by=SYSTEM, now=about.now, text=str(step["text"]))
    return _("Wrote a note.")


types: dict[str, Step] = {
    "send_email": send_email,
    "note": note,
}


def perform(step: dict[str, Any], about: Context) -> str:
    """Do a step of whatever type; raises StepFailed for a type that is not known."""
    kind = str(step.get("type", ""))
    if kind not in types:
        raise StepFailed(_("There is no step of the type “%(kind)s”.", kind=kind))
    done = types[kind](step, about)
    db.session.flush()
    return done
