"""The list of workflows, a new one, and one with its steps and its runs."""

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.journal import queries as journal
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.staff import queries as staff
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs
from portal.web.htmx import render, see_other
from portal.web.security import refills_form
from portal.workflows import queries, services
from portal.workflows.forms import NewForm
from portal.workflows.panels import RECENT
from portal.workflows.views import words
from portal.workflows.views.blueprint import bp
from portal.workflows.views.runs import listed


@bp.get("/workflows/")
@needs(Permission.VIEW)
def index() -> Response:
    """All workflows."""
    rows = queries.all_of_them()
    return render(
        "workflows/index.html", rows=rows, words=words, failed=queries.failed_by_workflow(clock.now() - RECENT)
    )


@bp.route("/workflows/new", methods=["GET", "POST"])
@needs(Permission.EDIT_WORKFLOWS)
@refills_form
def new() -> Response:
    """Name a workflow and say what it runs on; its steps come next."""
    form = NewForm()
    if form.validate_on_submit():
        typed = (form.name.data, form.description.data, form.primary_entity.data)
        try:
            with transaction():
                made = services.create(*typed, "", actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for(".edit", workflow_id=made.id), _("Draft created. Now add its steps."))
    return render("workflows/new.html", status=form.refusal() if form.is_submitted() else 200, form=form)


@bp.get("/workflows/<int:workflow_id>")
@needs(Permission.VIEW)
def record(workflow_id: int) -> Response:
    """One workflow: what it does, what is drafted, its runs."""
    workflow = queries.get(workflow_id)
    in_words = words.InWords(workflow.primary_entity, workflow.steps, workflow.draft or [])
    activator = staff.get(workflow.activated_by) if workflow.activated_by else None
    state = request.args.get("state", "")
    runs = listed(queries.RunsOf(workflow_id), state if state in words.states() else "", request.args.get("after", ""))
    return render(
        "workflows/record.html",
        "workflows/_runs.html" if request.headers.get("HX-Target") == "results" else None,
        workflow=workflow,
        words=words,
        steps=in_words.lines(workflow.steps),
        draft=None if workflow.draft is None else in_words.lines(workflow.draft),
        activator=activator,
        sends=workflow.key == queries.SENDING,
        timeline=journal.timeline("workflow", workflow_id),
        **runs,
    )
