"""The dialogs that put a workflow in force, take it out, throw its draft away, or delete it."""

from collections.abc import Callable
from typing import Any

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other
from portal.web.security import refills_form
from portal.workflows import queries, services
from portal.workflows.forms import VersionForm
from portal.workflows.views import words
from portal.workflows.views.blueprint import bp


@bp.route("/workflows/<int:workflow_id>/activate", methods=["GET", "POST"])
@needs(Permission.EDIT_WORKFLOWS, proven=True)
@refills_form
def activate(workflow_id: int) -> Response:
    """Put the draft in force; runs under way keep the steps they have."""
    toast = _("Workflow activated. New runs use these steps.")
    return _act("workflows/activate.html", workflow_id, services.activate, toast)


@bp.route("/workflows/<int:workflow_id>/deactivate", methods=["GET", "POST"])
@needs(Permission.EDIT_WORKFLOWS, proven=True)
@refills_form
def deactivate(workflow_id: int) -> Response:
    """Start no further runs."""
    toast = _("Workflow deactivated. Runs under way go on.")
    return _act("workflows/deactivate.html", workflow_id, services.deactivate, toast)


@bp.route("/workflows/<int:workflow_id>/discard", methods=["GET", "POST"])
@needs(Permission.EDIT_WORKFLOWS)
@refills_form
def discard(workflow_id: int) -> Response:
    """Throw the draft away."""
    return _act("workflows/discard.html", workflow_id, services.discard_draft, _("Draft discarded."))


@bp.route("/workflows/<int:workflow_id>/delete", methods=["GET", "POST"])
@needs(Permission.EDIT_WORKFLOWS, proven=True)
def delete(workflow_id: int) -> Response:
    """Delete one that never ran and that nothing uses."""
    workflow = queries.get(workflow_id)
    if request.method != "POST":
        return render("workflows/delete.html", workflow=workflow, kept=services.kept_because(workflow))
    with transaction():
        name = services.delete(workflow_id, actor(), clock.now())
    return see_other(url_for(".index"), _("Workflow “%(name)s” deleted.", name=name))


def _act(template: str, workflow_id: int, act: Callable[..., Any], toast: str) -> Response:
    """The dialog; with a post the deed, on the version that the dialog showed."""
    workflow = queries.get(workflow_id)
    form = VersionForm(data={"version": workflow.version})
    faults: list[str] = []
    if form.is_submitted() and form.validate():
        try:
            with transaction():
                act(workflow_id, form.version.number, actor(), clock.now())
        except Invalid as refused:
            workflow = queries.get(workflow_id)
            faults = _in_words(refused)
        else:
            return see_other(url_for(".record", workflow_id=workflow_id), toast)
    given = services.draft_of(workflow)
    return render(
        template,
        status=form.refusal() if form.is_submitted() else 200,
        workflow=workflow,
        form=form,
        faults=faults,
        steps=words.InWords(workflow.primary_entity, given).lines(given),
        sends=workflow.key == queries.SENDING,
    )


def _in_words(refused: Invalid) -> list[str]:
    """The faults of an activation, each with the step it is in."""
    found = []
    for name, message in refused.fields.items():
        _steps, _dash, rest = name.partition("-")
        position = rest.partition("-")[0]
        number = int(position) + 1 if position.isdigit() else 0
        found.append(_("Step %(number)s: %(message)s", number=number, message=message) if number else message)
    return found
