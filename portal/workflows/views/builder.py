"""The builder: the steps of a draft are added, ordered, set and taken away, each with a post that keeps the draft."""

import re
from collections.abc import Sequence
from typing import Any

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.forms import wants_find
from portal.web.guard import needs
from portal.web.htmx import render, see_other
from portal.web.security import refills_form
from portal.workflows import queries, services, steps
from portal.workflows.forms import BuilderForm, Step, builder, new_mark, triggers
from portal.workflows.models import Workflow
from portal.workflows.views import words
from portal.workflows.views.blueprint import bp

PRESSED = re.compile(r"(up|down|remove)-([0-9]{1,3})")
MOVE = re.compile(r"move-([0-9]{1,3})-([0-9]{1,3})")


@bp.route("/workflows/<int:workflow_id>/edit", methods=["GET", "POST"])
@needs(Permission.EDIT_WORKFLOWS, proven=True)
@refills_form
def edit(workflow_id: int) -> Response:
    """Build a workflow. `do` is the pressed button: save, activate, add-TYPE, up-N, down-N, move-N-M, remove-N."""
    workflow = queries.get(workflow_id)
    if request.method != "POST":
        given = services.draft_of(workflow)
        return _page(workflow, builder(workflow, given, None), _focus(given))
    form = builder(workflow, services.draft_of(workflow), request.form)
    if wants_find() or not form.validate():
        return _page(workflow, form, status=form.refusal())
    wanted, touched = _done(form.given(), request.form.get("do", ""), workflow.primary_entity)
    try:
        version = _save(workflow_id, form, wanted)
    except Invalid as refused:
        form.show(refused)
    except Stale:
        return _stale(workflow_id, form)
    else:
        return _answer(workflow_id, form, version, touched)
    return _page(queries.get(workflow_id), form, status=form.refusal())


def _save(workflow_id: int, form: BuilderForm, wanted: Sequence[Step]) -> int:
    """Keep all that was typed; the workflow's version now. A draft that says what is in force is none."""
    by, now = actor(), clock.now()
    described = (form.name.data, form.description.data, form.trigger.data or "")
    with transaction():
        workflow = services.rename(workflow_id, *described, form.version.number, by, now)
        workflow = services.save_draft(workflow_id, wanted, workflow.version, by, now)
        if _unmarked(workflow.draft or []) == _unmarked(workflow.steps):
            workflow = services.discard_draft(workflow_id, workflow.version, by, now)
        return workflow.version


def _unmarked(given: Sequence[Step]) -> list[Step]:
    """Steps as they compare: neither their marks nor fields left empty make a difference."""
    return [{name: value for name, value in step.items() if name != "id" and value not in (None, "")} for step in given]


def _answer(workflow_id: int, form: BuilderForm, version: int, touched: str) -> Response:
    if request.form.get("do") == "activate":
        return _activate(workflow_id, form, version)
    if touched:
        return see_other(url_for(".edit", workflow_id=workflow_id, at=touched))
    return see_other(url_for(".record", workflow_id=workflow_id), _("Saved."))


def _activate(workflow_id: int, form: BuilderForm, version: int) -> Response:
    try:
        with transaction():
            services.activate(workflow_id, version, actor(), clock.now())
    except Invalid as refused:
        form.version.data = str(version)  # the draft is kept, so the same form goes on
        form.show(refused)
        return _page(queries.get(workflow_id), form, status=422)
    return see_other(url_for(".record", workflow_id=workflow_id), _("Workflow activated. New runs use these steps."))


def _done(given: list[Step], do: str, entity: str) -> tuple[list[Step], str]:
    """The steps after the pressed button, and where the eye goes then: `<mark>-<up|down|field|head>`, or blank."""
    if do.startswith("add-"):
        kind = steps.types.get(do.removeprefix("add-"))
        if kind is None or entity not in kind.entities:
            return given, ""
        mark = new_mark()
        return [*given, {"type": kind.name, "id": mark}], f"{mark}-field"
    act, at, to = _target(do)
    if not 0 <= at < len(given):
        return given, ""
    if act == "remove":
        left = given[:at] + given[at + 1 :]
        return left, f"{left[min(at, len(left) - 1)]['id']}-head" if left else "none-head"
    to = max(0, min(to, len(given) - 1))
    moved = [*given[:at], *given[at + 1 :]]
    moved.insert(to, given[at])
    pressed = {"up": "up" if to else "down", "down": "down" if to < len(given) - 1 else "up"}.get(act, "head")
    return moved, f"{given[at]['id']}-{pressed}"


def _target(do: str) -> tuple[str, int, int]:
    """The act, which step it is on, and where that goes; (-1, -1) for a button that is none."""
    moved = MOVE.fullmatch(do)
    if moved:
        return "move", int(moved[1]), int(moved[2])
    pressed = PRESSED.fullmatch(do)
    if not pressed:
        return "", -1, -1
    return pressed[1], int(pressed[2]), int(pressed[2]) + {"up": -1, "down": 1, "remove": 0}[pressed[1]]


def _focus(given: Sequence[Step]) -> tuple[int, str]:
    """What to focus: a step's position (-1 for none) and the part of it."""
    mark, _dash, part = request.args.get("at", "").partition("-")
    position = next((at for at, step in enumerate(given) if str(step.get("id")) == mark), -1)
    return position, part if position >= 0 or mark == "none" else ""


def _page(
    workflow: Workflow,
    form: BuilderForm,
    focus: tuple[int, str] = (-1, ""),
    differences: Sequence[tuple[Any, str, str]] = (),
    status: int = 200,
) -> Response:
    stored = {str(step.get("id")): step for step in [*workflow.steps, *(workflow.draft or [])]}
    return render(
        "workflows/edit.html",
        status=status,
        workflow=workflow,
        form=form,
        words=words,
        types=steps.types,
        fitting=[one for one in steps.types.values() if workflow.primary_entity in one.entities],
        stored=stored,
        focus=focus,
        differences=differences,
        sends=workflow.key == queries.SENDING,
    )


def _stale(workflow_id: int, form: BuilderForm) -> Response:
    workflow = queries.get(workflow_id)
    saved, yours = services.draft_of(workflow), form.given()
    in_words = words.InWords(workflow.primary_entity, saved, yours)
    called = dict(triggers(workflow.primary_entity))
    differences: list[tuple[Any, str, str]] = [
        (form.name.label.text, workflow.name, form.name.data),
        (form.description.label.text, workflow.description, form.description.data),
        (form.trigger.label.text, words.trigger(workflow), called.get(form.trigger.data, form.trigger.data or "")),
    ]
    lines = in_words.lines(saved), in_words.lines(yours)
    for at in range(max(len(saved), len(yours))):
        theirs, mine = (f"{one[at].label}: {one[at].words}".rstrip(": ") if at < len(one) else "" for one in lines)
        differences.append((_("Step %(number)s", number=at + 1), theirs, mine))
    form.version.data = str(workflow.version)
    return _page(workflow, form, differences=differences, status=409)
