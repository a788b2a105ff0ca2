"""What is done with workflows and their runs. Every service runs inside `transaction()`."""

from portal.workflows.services.defining import TRIGGERS as TRIGGERS
from portal.workflows.services.defining import activate as activate
from portal.workflows.services.defining import check_step as check_step
from portal.workflows.services.defining import create as create
from portal.workflows.services.defining import deactivate as deactivate
from portal.workflows.services.defining import delete as delete
from portal.workflows.services.defining import discard_draft as discard_draft
from portal.workflows.services.defining import draft_of as draft_of
from portal.workflows.services.defining import fault_list as fault_list
from portal.workflows.services.defining import kept_because as kept_because
from portal.workflows.services.defining import rename as rename
from portal.workflows.services.defining import save_draft as save_draft
from portal.workflows.services.running import JOB as JOB
from portal.workflows.services.running import OUTSIDE_JOB as OUTSIDE_JOB
from portal.workflows.services.running import cancel as cancel
from portal.workflows.services.running import run_again as run_again
from portal.workflows.services.running import start as start
from portal.workflows.services.running import start_by_hand as start_by_hand
from portal.workflows.services.running import trigger as trigger
from portal.workflows.services.sending import Sending as Sending
from portal.workflows.services.sending import go_on_after_sending as go_on_after_sending
from portal.workflows.services.sending import sending as sending
