"""What other slices' pages show of workflows: running one, the latest runs, failures, *Run again* on timelines."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import has_request_context, render_template, url_for
from flask_babel import gettext as _

from portal.contacts.models import Contact
from portal.journal.queries import Line
from portal.kernel import clock
from portal.staff.permissions import Permission
from portal.web.guard import may
from portal.workflows import queries, steps
from portal.workflows.labels import cause, states

SHOWN = 5
RECENT = timedelta(days=30)


def timeline_actions(lines: Sequence[Line]) -> dict[int, Sequence[tuple[str, str]]]:
    """*Run again* beside the failure of each run of which a timeline tells nothing later, for those who may."""
    latest: dict[int, Line] = {}
    for line in lines:
        run_id = line.detail.get("run_id")
        if line.action.startswith("workflow.") and isinstance(run_id, int):
            latest[run_id] = max(line, latest.get(run_id, line), key=lambda one: one.id)
    if not latest or not has_request_context() or not may(Permission.CREATE):
        return {}
    return {
        line.id: [(url_for("workflows.run_again", run_id=run_id), _("Run again"))]
        for run_id, line in latest.items()
        if line.action == "workflow.failed"
    }


def contact_actions(contact: Contact) -> str:
    """*Run workflow* on a contact's page."""
    return render_template("workflows/_run_action.html", entity=steps.CONTACT, id=contact.id)


def invitation_actions(invitation: Any) -> str:
    """*Run workflow* on an invitation's page, and where its runs are."""
    return render_template("workflows/_run_action.html", entity=steps.INVITATION, id=invitation.id)


def contacts_bulk(_list: object) -> str:
    """*Run workflow* on the ticked contacts."""
    return render_template("workflows/_bulk_contacts.html")


def invitations_bulk(_list: object) -> str:
    """*Run workflow* on the ticked invitations."""
    return render_template("workflows/_bulk_invitations.html")


def of_contact(contact: Contact) -> str:
    """The latest runs on a contact; nothing where there are none."""
    rows = queries.latest_runs(contact.id, SHOWN)
    return render_template(
        "workflows/_of_record.html", rows=rows, contact=contact, states=states(), causes=cause, most=SHOWN
    )


def overview(_staff: object) -> str:
    """How many runs failed lately and wait for somebody; nothing while all is well."""
    failed = sum(queries.failed_by_workflow(clock.now() - RECENT).values())
    return render_template("workflows/_overview.html", failed=failed)
