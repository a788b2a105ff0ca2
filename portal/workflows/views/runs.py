"""Runs of workflows: the list, one with each of its steps, running it again, cancelling it."""

from typing import Any, NamedTuple

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.contacts import queries as contacts
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.staff import queries as staff
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other
from portal.workflows import queries, services
from portal.workflows.models import WorkflowRun, WorkflowRunStep
from portal.workflows.services.running import OVER
from portal.workflows.views import words
from portal.workflows.views.blueprint import bp


class StepShown(NamedTuple):
    """A step of a run with what became of it: `row` is None for one that was not begun; `state` is (words, tone)."""

    line: words.Line
    row: WorkflowRunStep | None
    state: tuple[str, str]


@bp.get("/workflow-runs/")
@needs(Permission.VIEW)
def runs() -> Response:
    """The runs of all workflows; `contact` or `invitation` leave only theirs."""
    state = request.args.get("state", "")
    of = queries.RunsOf(contact_id=_asked_for("contact"), invitation_id=_asked_for("invitation"))
    page = listed(of, state if state in words.states() else "", request.args.get("after", ""))
    fragment = "workflows/_runs.html" if request.headers.get("HX-Target") == "results" else None
    contact = contacts.find(of.contact_id) if of.contact_id else None
    return render("workflows/runs.html", fragment, words=words, contact=contact, invitation=_invitation(of), **page)


@bp.get("/workflow-runs/<int:run_id>")
@needs(Permission.VIEW)
def run(run_id: int) -> Response:
    """One run."""
    found = queries.run(run_id)
    workflow = queries.get(found.workflow_id)
    over = found.state in OVER
    return render(
        "workflows/run.html",
        run=found,
        workflow=workflow,
        words=words,
        state=words.states()[found.state],
        steps=_steps(found, words.InWords(workflow.primary_entity, found.steps).lines(found.steps)),
        contact=contacts.find(found.contact_id) if found.contact_id else None,
        invitation=_invitation(found),
        starter=staff.get(found.created_by) if found.created_by else None,
        over=over,
        next_due=None if over else queries.next_due(run_id),
        now=clock.now(),
    )


@bp.post("/workflow-runs/<int:run_id>/run-again")
@needs(Permission.CREATE)
def run_again(run_id: int) -> Response:
    """Take a failed run up where it stopped."""
    back = _button_was_on(queries.run(run_id))
    with transaction():
        services.run_again(run_id, by=actor(), now=clock.now())
    return see_other(back, _("The workflow runs again; its result will show on the timeline."))


@bp.route("/workflow-runs/<int:run_id>/cancel", methods=["GET", "POST"])
@needs(Permission.CREATE)
def cancel(run_id: int) -> Response:
    """The dialog, and doing no further step."""
    found = queries.run(run_id)
    if request.method != "POST":
        workflow = queries.get(found.workflow_id)
        return render("workflows/cancel.html", run=found, workflow=workflow, over=found.state in OVER)
    with transaction():
        services.cancel(run_id, by=actor(), now=clock.now())
    return see_other(url_for(".run", run_id=run_id), _("Run cancelled. What it has done stays done."))


def listed(of: queries.RunsOf, state: str, after: str) -> dict[str, Any]:
    """What a list of runs shows; that of one workflow stands on its page."""
    page = queries.runs(of, state, after)
    where: dict[str, Any] = {"state": state or None, "contact": of.contact_id, "invitation": of.invitation_id}
    if of.workflow_id is not None:
        where["workflow_id"] = of.workflow_id
    endpoint = ".runs" if of.workflow_id is None else ".record"
    return {
        "rows": page.rows,
        "invitations": words.invitation_names(row.invitation_id for row in page.rows if row.invitation_id),
        "shown_state": state,
        "tabs": [
            (label, url_for(endpoint, **{**where, "state": name or None}), name == state, None)
            for name, label in [("", _("All")), *((name, one[0]) for name, one in words.states().items())]
        ],
        "first_url": url_for(endpoint, **where) if after else None,
        "next_url": url_for(endpoint, after=page.after, **where) if page.after else None,
    }


def _steps(of: WorkflowRun, lines: list[words.Line]) -> list[StepShown]:
    rows = {row.position: row for row in queries.run_steps(of.id)}
    first = min(rows, default=of.done_steps)  # steps before it were done by the sending that started this run
    return [StepShown(line, rows.get(at), _state(of, at, rows.get(at), first)) for at, line in enumerate(lines)]


def _state(of: WorkflowRun, position: int, row: WorkflowRunStep | None, first: int) -> tuple[str, str]:
    if row is not None and row.state == "done":
        return words.states()["done"]
    if row is not None and of.state != "cancelled":
        return words.states()["failed"] if of.state == "failed" else (_("Will be tried again"), "yellow")
    if row is None and position < first:
        return words.states()["done"]
    if of.state in OVER:
        return _("Not done"), "grey"
    return (_("Next"), "blue") if position == of.done_steps else (_("Not yet"), "grey")


def _asked_for(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _invitation(of: WorkflowRun | queries.RunsOf) -> tuple[int, str] | None:
    if of.invitation_id is None:
        return None
    name = words.invitation_names([of.invitation_id]).get(of.invitation_id)
    return of.invitation_id, name or _("Invitation %(id)s", id=of.invitation_id)


def _button_was_on(of: WorkflowRun) -> str:
    """The page that *Run again* stood on: the run's, the invitation's, the contact's."""
    pages = [url_for(".run", run_id=of.id)]
    if of.invitation_id is not None:
        pages.append(url_for("invitations.record", invitation_id=of.invitation_id))
    if of.contact_id is not None:
        pages.append(url_for("contacts.record", contact_id=of.contact_id))
    came_from = request.referrer or ""
    return next((page for page in pages if came_from.endswith(page)), pages[-1])
