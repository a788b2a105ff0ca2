"""The types of steps a workflow can be made of; a further one is one line in the table."""

from portal.workflows.steps.flowing import START_WORKFLOW, STOP_IF_NOT, WAIT
from portal.workflows.steps.functions import FUNCTION
from portal.workflows.steps.granting import ADD_ROLE, ASSIGN_ACCOUNT, REMOVE_ROLE
from portal.workflows.steps.kinds import ACCOUNT as ACCOUNT
from portal.workflows.steps.kinds import CHOICE as CHOICE
from portal.workflows.steps.kinds import CONTACT as CONTACT
from portal.workflows.steps.kinds import INVITATION as INVITATION
from portal.workflows.steps.kinds import LINE as LINE
from portal.workflows.steps.kinds import LINES as LINES
from portal.workflows.steps.kinds import SECRET as SECRET
from portal.workflows.steps.kinds import WHOLE as WHOLE
from portal.workflows.steps.kinds import Context as Context
from portal.workflows.steps.kinds import Field as Field
from portal.workflows.steps.kinds import Outcome as Outcome
from portal.workflows.steps.kinds import StepFailed as StepFailed
from portal.workflows.steps.kinds import StepType as StepType
from portal.workflows.steps.kinds import Values as Values
from portal.workflows.steps.kinds import known as known
from portal.workflows.steps.mailing import SEND_EMAIL
from portal.workflows.steps.recording import NOTE, SET_FIELD
from portal.workflows.steps.webhook import WEBHOOK

types: dict[str, StepType] = {
    one.name: one
    for one in (
        SEND_EMAIL,
        ADD_ROLE,
        REMOVE_ROLE,
        ASSIGN_ACCOUNT,
        SET_FIELD,
        NOTE,
        WEBHOOK,
        WAIT,
        STOP_IF_NOT,
        START_WORKFLOW,
        FUNCTION,
    )
}
