"""The rules an invitation must meet before it is saved."""

from collections.abc import Callable, Iterable
from datetime import date, datetime

from flask_babel import gettext as _
from flask_babel import ngettext

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts.services import LANGUAGES
from portal.invitations import queries
from portal.invitations.models import ANYONE, GROUP, INVITED, SINGLE, Invitation
from portal.invitations.queries import reminders
from portal.invitations.queries.values import InvitationValues
from portal.kernel import clock
from portal.kernel.errors import Forbidden, Invalid
from portal.kernel.names import holds_link, visible
from portal.roles.models import WebRole
from portal.roles.services import check_grant
from portal.settings.queries import site
from portal.staff import queries as staff
from portal.staff.permissions import StaffActor, may_grant
from portal.workflows import queries as workflows

LONGEST_NAME, LONGEST_MESSAGE = 200, 2000
LAST_YEAR = 9998
FIRST_YEAR = 1970


def check(values: InvitationValues, before: Invitation | None, by: StaffActor, now: datetime) -> None:
    """Raise Invalid with a message for each wrong field, or Forbidden for a web role that actor or owner may not give.

    `before` is the record that is changed, None for a new one.
    """
    may_own = staff.may_own(values.owner_id)
    if may_own:
        check_grant(values.web_role_ids, by.role, staff.get(values.owner_id).role)
    faults = {
        "name": _name(values.name),
        "type": _type(values.type, before),
        "owner": None if may_own else _("Choose an active staff member who may send invitations."),
        "expires_on": expiry(values.expires_on, before, now),
        "inviter": _exists(values.inviter_id, contacts.find),
        "contacts": _contacts(values, before),
        "account": _exists(values.account_id, accounts.find),
        "workflow": _workflow(values.workflow_id),
        "max_redemptions": _maximum(values, before),
        "redeemable_by": None if values.redeemable_by in ("", INVITED, ANYONE) else _("Please choose from the list."),
        "language": None if values.language in ("", *LANGUAGES) else _("Please choose from the list."),
        "message": _message(values.message),
        "remind_after": _days(values.remind_after),
        "remind_before": _days(values.remind_before),
    }
    wrong = {field: message for field, message in faults.items() if message}
    if wrong:
        raise Invalid(wrong)


def _name(name: str) -> str | None:
    if not name.strip():
        return _("Please fill this in.")
    if len(name) > LONGEST_NAME or visible(name) != name:
        return _("Please use at most %(most)s plain characters.", most=LONGEST_NAME)
    return None


def _message(text: str) -> str | None:
    if len(text) > LONGEST_MESSAGE:
        return _("Please use at most %(most)s characters.", most=LONGEST_MESSAGE)
    if holds_link(text):
        return _("Please leave web addresses out: mail programs would take this message for a fraud.")
    return None


def _days(days: tuple[int, ...]) -> str | None:
    most = reminders.MOST_DAYS
    if len(days) > most:
        return _("Please enter at most %(most)s days.", most=most)
    if any(not 1 <= day <= reminders.LONGEST_DAYS for day in days):
        return _("Please enter days from 1 to %(most)s.", most=reminders.LONGEST_DAYS)
    return None


def _type(kind: str, before: Invitation | None) -> str | None:
    if kind not in (SINGLE, GROUP):
        return _("Please choose Single or Group.")
    if before is not None and kind != before.type and queries.was_redeemed(before.id):
        return _("This invitation was redeemed, so its type stays as it is.")
    return None


def expiry(day: date | None, before: Invitation | None, now: datetime) -> str | None:
    """What is wrong with a day to expire on; `before` is the record that is changed, None for a new one."""
    if day is None:
        return None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        return _("Please enter a date between 1970 and 9998.")
    # An invitation that exists may be ended by a past date; one that begins expired is a slip of the pen.
    if before is None and clock.end_of_day(day, site().zone) <= now:
        return _("This day is over already. Choose today or a later day, or leave it empty.")
    return None


def _exists(record_id: int | None, find: Callable[[int], object]) -> str | None:
    if record_id is None or find(record_id) is not None:
        return None
    return _("That no longer exists. Please choose again.")


def _contacts(values: InvitationValues, before: Invitation | None) -> str | None:
    ids = set(values.contact_ids)
    stays = before is not None and before.type == SINGLE and queries.was_redeemed(before.id)
    if stays and before is not None and ids != set(queries.invited_ids(before.id)):
        return _("This invitation was redeemed, so its recipient stays.")
    if values.type == SINGLE and len(ids) != 1:
        return _("A Single invitation invites exactly one contact. Choose one, or make it a Group.")
    if len(contacts.by_ids(ids)) != len(ids):
        return _("One of those no longer exists. Please choose again.")
    return None


def _workflow(workflow_id: int | None) -> str | None:
    if workflow_id is None or workflow_id in {w.id for w in workflows.activated() if w.primary_entity == "contact"}:
        return None
    return _("Choose an activated workflow.")


def _maximum(values: InvitationValues, before: Invitation | None) -> str | None:
    most = values.max_redemptions
    if values.type == SINGLE or most is None:
        return None
    if most < 1:
        return _("Enter 1 or more, or leave it empty for no limit.")
    used = before.used if before is not None else 0
    if most < used:
        return ngettext(
            "%(num)s redemption has been used already. Enter %(num)s or more.",
            "%(num)s redemptions have been used already. Enter %(num)s or more.",
            used,
        )
    return None


def beyond(staff_role: str, roles: Iterable[WebRole]) -> str | None:
    """The first web role that somebody in this staff role may not give."""
    may_not = (r.name for r in roles if not may_grant(staff_role, managers_may_grant=r.managers_may_grant))
    return next(may_not, None)


def insist_may_give(invitation_id: int, by: StaffActor) -> None:
    """Raise Forbidden for a web role of the invitation that this person may not give.

    Whoever lets an invitation work, for longer or with another code, gives what redeeming gives.
    """
    which = beyond(by.role, queries.roles(invitation_id))
    if which is not None:
        raise Forbidden(_("You may not give the web role %(name)s.", name=which))
