"""What changes how a contact signs in. Every service runs inside `transaction()` unless it says otherwise."""

from portal.identity.services.changing import named as named
from portal.identity.services.changing import notify as notify
from portal.identity.services.local import FAILURES_UNTIL_STOP as FAILURES_UNTIL_STOP
from portal.identity.services.local import change_password as change_password
from portal.identity.services.local import check_new as check_new
from portal.identity.services.local import check_password as check_password
from portal.identity.services.local import checked as checked
from portal.identity.services.local import create_sign_in as create_sign_in
from portal.identity.services.local import renewed as renewed
from portal.identity.services.local import sign_in_failed as sign_in_failed
from portal.identity.services.local import signed_in as signed_in
from portal.identity.services.mailed import LINKS_PER_DAY as LINKS_PER_DAY
from portal.identity.services.mailed import RESET_JOB as RESET_JOB
from portal.identity.services.mailed import ask_confirmation as ask_confirmation
from portal.identity.services.mailed import ask_reset as ask_reset
from portal.identity.services.mailed import confirm_email as confirm_email
from portal.identity.services.mailed import reset_password as reset_password
from portal.identity.services.mailed import send_reset as send_reset
from portal.identity.services.mailed import usable_link as usable_link
from portal.identity.services.replacing import replace_sign_in as replace_sign_in
