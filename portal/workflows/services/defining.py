"""Defining a workflow: a draft of steps that is checked when it is activated."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.email_templates import queries as templates
from portal.journal.services import Record, record
from portal.kernel import references
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Invalid, Stale
from portal.kernel.names import visible
from portal.settings.queries import ring
from portal.staff.permissions import StaffActor
from portal.workflows import queries, steps
from portal.workflows.models import Workflow
from portal.workflows.queries import SENDING
from portal.workflows.steps.flowing import START_WORKFLOW
from portal.workflows.steps.mailing import TO_INVITED
from portal.workflows.steps.webhook import SEALED_ABOUT

LONGEST_NAME, LONGEST_DESCRIPTION, MOST_STEPS = 100, 300, 30
MOST_STARTS = 5
"""Steps of one workflow that start another: each start multiplies the runs, five workflows deep."""
TRIGGERS = {"contact_created": steps.CONTACT, "invitation_expired": steps.INVITATION}
"""What can start a workflow by itself, and on what it then runs."""


def create(name: str, description: str, entity: str, trigger: str, by: StaffActor, now: datetime) -> Workflow:
    """A new workflow: a draft without steps. Raises Invalid."""
    if entity not in (steps.CONTACT, steps.INVITATION):
        raise Invalid({"primary_entity": _("Please choose from the list.")})
    workflow = Workflow(name=name, description=description, primary_entity=entity, activated=False, steps=[], draft=[])
    _describe(workflow, name, description, trigger)
    record("workflow.created", about(workflow), by=by, now=now)
    return workflow


def rename(
    workflow_id: int, name: str, description: str, trigger: str, version: int, by: StaffActor, now: datetime
) -> Workflow:
    """Another name, description or trigger; what is in force gets a trigger only from those who could activate it.

    Raises Stale, Invalid.
    """
    workflow = _fresh(workflow_id, version)
    if workflow.activated and trigger and trigger != workflow.trigger:
        _may_be_let_loose(workflow, by)
    before = {"name": workflow.name, "description": workflow.description, "trigger": workflow.trigger}
    _describe(workflow, name, description, trigger)
    changes = {key: [old, getattr(workflow, key)] for key, old in before.items() if getattr(workflow, key) != old}
    if changes:
        workflow.version += 1
        record("workflow.updated", about(workflow), by=by, now=now, detail={"changes": changes})
    return workflow


def save_draft(
    workflow_id: int, given: Sequence[dict[str, Any]], version: int, by: StaffActor, now: datetime
) -> Workflow:
    """Keep these steps as the draft, whole or not yet; what is activated stays as it is.

    A secret that is blank keeps the one that the step with the same `id` had. Raises Stale, Invalid (too many).
    """
    workflow = _fresh(workflow_id, version)
    if len(given) > MOST_STEPS:
        raise Invalid({"": _("A workflow has at most %(most)s steps.", most=MOST_STEPS)})
    kept = {str(step.get("id")): step for step in [*workflow.steps, *(workflow.draft or [])]}
    workflow.draft = [_sealed(step, kept.get(str(step.get("id")), {})) for step in given]
    workflow.version += 1
    return workflow


def discard_draft(workflow_id: int, version: int, by: StaffActor, now: datetime) -> Workflow:
    """Go back to the steps that are activated. Raises Stale."""
    workflow = _fresh(workflow_id, version)
    workflow.draft = None
    workflow.version += 1
    return workflow


def activate(workflow_id: int, version: int, by: StaffActor, now: datetime) -> Workflow:
    """Put the draft in force, or the steps it had where there is no draft; runs under way keep theirs.

    Raises Stale, or Invalid with a fault for each step that is not right (`steps-0-template`).
    """
    workflow = _fresh(workflow_id, version)
    wanted = draft_of(workflow)
    faults = fault_list(workflow, wanted, by.role)
    if faults:
        raise Invalid(faults)
    if wanted != workflow.steps or workflow.activated_at is None:
        workflow.number += workflow.activated_at is not None or bool(workflow.steps)
    workflow.steps, workflow.draft, workflow.activated = wanted, None, True
    workflow.activated_by, workflow.activated_at = by.id, now
    workflow.version += 1
    detail = {"number": workflow.number, "steps": [step["type"] for step in wanted]}
    record("workflow.activated", about(workflow), by=by, now=now, detail=detail)
    return workflow


def deactivate(workflow_id: int, version: int, by: StaffActor, now: datetime) -> Workflow:
    """Start no new runs; those under way end as they began. Raises Stale, Conflict."""
    workflow = _fresh(workflow_id, version)
    if not workflow.activated:
        raise Conflict(_("This workflow is not activated."))
    workflow.activated = False
    workflow.version += 1
    record("workflow.deactivated", about(workflow), by=by, now=now)
    return workflow


def delete(workflow_id: int, by: StaffActor, now: datetime) -> str:
    """Delete a workflow that never ran and that nothing uses; gives its name. Raises Conflict."""
    workflow = queries.get(workflow_id, lock=True)
    kept = kept_because(workflow)
    if kept:
        raise Conflict(kept)
    named, name = about(workflow), workflow.name
    db.session.delete(workflow)
    db.session.flush()
    record("workflow.deleted", named, by=by, now=now)
    return name


def kept_because(workflow: Workflow) -> str:
    """Why it cannot be deleted; blank where it can."""
    if workflow.key is not None:
        return _("This workflow belongs to the portal. You can deactivate it.")
    if references.holding(Workflow.__tablename__, workflow.id):
        return _("This workflow has run, or an invitation uses it. You can deactivate it.")
    return ""


def draft_of(workflow: Workflow) -> list[dict[str, Any]]:
    """The steps as they are being edited."""
    return list(workflow.steps if workflow.draft is None else workflow.draft)


def fault_list(workflow: Workflow, wanted: Sequence[dict[str, Any]], role: str) -> dict[str, str]:
    """What keeps these steps from being activated by somebody in `role`: messages by `steps-<position>-<field>`."""
    if not wanted:
        return {"": _("Please add a step first.")}
    faults = {
        f"steps-{position}-{field}": message
        for position, step in enumerate(wanted)
        for field, message in check_step(step, workflow.primary_entity, role).items()
    }
    if sum(step.get("type") == START_WORKFLOW.name for step in wanted) > MOST_STARTS:
        faults[""] = _("At most %(most)s steps of a workflow start another one.", most=MOST_STARTS)
    if workflow.key == SENDING and not _sends_first(wanted):
        faults[""] = _("The first step of this workflow must send the invitation: it is what *Send Invitation* does.")
    return faults


def check_step(step: dict[str, Any], entity: str, role: str) -> dict[str, str]:
    """The faults of one step, by field."""
    kind = steps.types.get(str(step.get("type")))
    if kind is None or entity not in kind.entities:
        return {"type": _("This step cannot be used here.")}
    faults = {field.name: fault for field in kind.fields if (fault := _fault(field, step.get(field.name), entity))}
    return faults or kind.check(step, entity, role)


def about(workflow: Workflow) -> Record:
    """The workflow as the journal names it."""
    return Record("workflow", workflow.id, workflow.name)


def _fault(field: steps.Field, value: Any, entity: str) -> str:
    text = "" if value is None else str(value)
    if not text.strip():
        return _("Please fill this in.") if field.needed else ""
    if field.kind == steps.WHOLE:
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and field.least <= int(text) <= field.most):
            return _("Please enter a whole number from %(least)s to %(most)s.", least=field.least, most=field.most)
    elif field.kind == steps.CHOICE:
        if field.choices is not None and text not in {key for key, _label in field.choices(entity)}:
            return _("Please choose from the list.")
    elif field.kind != steps.SECRET and len(text) > field.most:
        return _("Please use at most %(most)s characters.", most=field.most)
    return ""


def _sealed(step: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The step as it is stored: no secret in plain text."""
    kind = steps.types.get(str(step.get("type")))
    stored = dict(step)
    for field in kind.fields if kind else ():
        if field.kind != steps.SECRET:
            continue
        typed = str(step.get(field.name) or "")
        if not typed:
            stored[field.name] = before.get(field.name, "") if before.get("type") == step.get("type") else ""
        elif typed != before.get(field.name):
            if not field.least <= len(typed) <= field.most:
                raise Invalid({field.name: _("Please use at least %(least)s characters.", least=field.least)})
            stored[field.name] = ring().seal(typed, SEALED_ABOUT)
    return stored


def _sends_first(wanted: Sequence[dict[str, Any]]) -> bool:
    template = templates.by_key(str(wanted[0].get("template", "")))
    return wanted[0].get("type") == "send_email" and template is not None and template.kind in TO_INVITED


def _may_be_let_loose(workflow: Workflow, by: StaffActor) -> None:
    """A trigger is in force at once, on the rights of whoever activated the steps. Raises Invalid."""
    faults = fault_list(workflow, workflow.steps, by.role)
    if faults:
        why = next(iter(faults.values()))
        raise Invalid({"trigger": _("You could not activate the steps that are in force: %(why)s", why=why)})


def _describe(workflow: Workflow, name: str, description: str, trigger: str) -> None:
    faults = {}
    if not name.strip():
        faults["name"] = _("Please fill this in.")
    elif len(name) > LONGEST_NAME or visible(name) != name:
        faults["name"] = _("Please use at most %(most)s plain characters.", most=LONGEST_NAME)
    if len(description) > LONGEST_DESCRIPTION or visible(description) != description:
        faults["description"] = _("Please use at most %(most)s plain characters.", most=LONGEST_DESCRIPTION)
    if trigger and TRIGGERS.get(trigger) != workflow.primary_entity:
        faults["trigger"] = _("Please choose from the list.")
    with db.session.no_autoflush:
        other = db.session.scalar(select(Workflow.id).where(Workflow.name == name, Workflow.id != (workflow.id or 0)))
    if other is not None:
        faults["name"] = _("Another workflow has this name already.")
    if faults:
        raise Invalid(faults)
    workflow.name, workflow.description, workflow.trigger = name, description, trigger
    try:
        with db.session.begin_nested():
            db.session.add(workflow)
    except IntegrityError as taken:  # by somebody else at this moment
        raise Invalid({"name": _("Another workflow has this name already.")}) from taken


def _fresh(workflow_id: int, version: int) -> Workflow:
    workflow = queries.get(workflow_id, lock=True)
    if workflow.version != version:
        raise Stale(_("Somebody else changed this in the meantime."))
    return workflow
