"""The workflow behind *Send Invitation*: its first step is what the button does."""

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from portal.email_templates import queries as templates
from portal.workflows import queries
from portal.workflows.services.running import start


@dataclass(frozen=True)
class Sending:
    """How invitations are sent now. `refused` says why they cannot be; `template` is the key of the e-mail template;
    `workflow_id` the workflow whose further steps follow, None where there are none."""

    refused: str = ""
    template: str = ""
    workflow_id: int | None = None


def sending() -> Sending:
    """How invitations are sent now."""
    workflow = queries.by_key(queries.SENDING)
    if workflow is None or not workflow.activated or not workflow.steps:
        return Sending(_("The workflow “Send Invitation” is deactivated. Activate it first."))
    template = templates.by_key(str(workflow.steps[0].get("template", "")))
    if template is None or not template.active:
        name = template.name if template else str(workflow.steps[0].get("template", ""))
        return Sending(_("The e-mail template “%(name)s” is deactivated. Activate it first.", name=name))
    return Sending(template=template.key, workflow_id=workflow.id if len(workflow.steps) > 1 else None)


def go_on_after_sending(how: Sending, invitation_id: int, by: int | None, now: datetime) -> None:
    """Run the steps that follow the sending, if there are any."""
    if how.workflow_id is not None:
        cause = ("invitation", invitation_id)
        start(how.workflow_id, None, cause=cause, invitation_id=invitation_id, now=now, done_steps=1, by=by)
