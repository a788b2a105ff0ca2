"""What staff do with invitations. Every service runs inside `transaction()`."""

from portal.invitations.queries.values import InvitationValues as InvitationValues
from portal.invitations.services.bulk import Outcome as Outcome
from portal.invitations.services.bulk import activate_many as activate_many
from portal.invitations.services.bulk import deactivate_many as deactivate_many
from portal.invitations.services.bulk import send_many as send_many
from portal.invitations.services.codes import copy_link as copy_link
from portal.invitations.services.codes import find_by_code as find_by_code
from portal.invitations.services.codes import sees_code as sees_code
from portal.invitations.services.codes import show_code as show_code
from portal.invitations.services.in_workflows import InWorkflows as InWorkflows
from portal.invitations.services.in_workflows import start_expired as start_expired
from portal.invitations.services.life import activate as activate
from portal.invitations.services.life import deactivate as deactivate
from portal.invitations.services.life import delete as delete
from portal.invitations.services.life import hand_over as hand_over
from portal.invitations.services.life import open_of as open_of
from portal.invitations.services.saving import create as create
from portal.invitations.services.saving import update as update
from portal.invitations.services.sending import Plan as Plan
from portal.invitations.services.sending import Sent as Sent
from portal.invitations.services.sending import new_send_key as new_send_key
from portal.invitations.services.sending import plan as plan
from portal.invitations.services.sending import plans as plans
from portal.invitations.services.sending import send as send
