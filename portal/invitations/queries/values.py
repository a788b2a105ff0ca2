"""What an invitation's form holds, as values and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask_babel import format_date
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts.services import languages
from portal.invitations import queries
from portal.invitations.models import ANYONE, GROUP, INVITED, Invitation
from portal.invitations.queries import reminders
from portal.kernel.db import load
from portal.roles import queries as roles
from portal.roles.models import WebRole
from portal.staff.models import StaffMember
from portal.workflows.models import Workflow

LONGEST_NAME = 200
MOST_NAMED = 20


@dataclass(frozen=True)
class InvitationValues:
    """What staff choose. `code` is as typed, blank to generate or keep; `redeemable_by` blank means as usual."""

    name: str
    type: str
    owner_id: int
    code: str = ""
    expires_on: date | None = None
    inviter_id: int | None = None
    contact_ids: tuple[int, ...] = ()
    account_id: int | None = None
    workflow_id: int | None = None
    web_role_ids: tuple[int, ...] = ()
    max_redemptions: int | None = None
    redeemable_by: str = ""
    language: str = ""
    """Blank: that of each contact."""
    message: str = ""
    remind_after: tuple[int, ...] = ()
    """Days after sending on which those who did not answer are reminded."""
    remind_before: tuple[int, ...] = ()
    """Days before the expiry."""

    @property
    def who_redeems(self) -> str:
        """`redeemable_by`, or what is usual for the type."""
        return self.redeemable_by or (ANYONE if self.type == GROUP else INVITED)


def stored(invitation: Invitation, given: Sequence[WebRole] | None = None) -> InvitationValues:
    """The values of a record; never its code. `given` are its web roles, where they are known already."""
    given = queries.roles(invitation.id) if given is None else given
    return InvitationValues(
        name=invitation.name,
        type=invitation.type,
        owner_id=invitation.owner_id,
        expires_on=invitation.expires_on,
        inviter_id=invitation.inviter_id,
        contact_ids=tuple(queries.invited_ids(invitation.id)),
        account_id=invitation.account_id,
        workflow_id=invitation.workflow_id,
        web_role_ids=tuple(role.id for role in given),
        max_redemptions=invitation.max_redemptions if invitation.type == GROUP else None,
        redeemable_by=invitation.redeemable_by,
        language=invitation.language or "",
        message=invitation.message,
        remind_after=reminders.days_of(invitation, reminders.AFTER),
        remind_before=reminders.days_of(invitation, reminders.BEFORE),
    )


def in_words(values: InvitationValues) -> dict[str, str]:
    """Each value as staff read it, by field name; blank where nothing is chosen."""
    return {
        "name": values.name,
        "type": type_name(values.type),
        "owner": _owner(values.owner_id),
        "expires_on": format_date(values.expires_on, "medium") if values.expires_on else "",
        "inviter": _contacts((values.inviter_id,) if values.inviter_id else ()),
        "contacts": _contacts(values.contact_ids),
        "account": accounts.names([values.account_id]).get(values.account_id or 0, ""),
        "workflow": _workflow(values.workflow_id),
        "web_roles": ", ".join(role.name for role in roles.by_ids(values.web_role_ids)),
        "max_redemptions": str(values.max_redemptions or "") if values.type == GROUP else "",
        "redeemable_by": who_name(values.who_redeems, values.type),
        "language": languages().get(values.language, ""),
        "message": values.message,
        "reminders": reminders.in_words(values.remind_after, values.remind_before),
    }


def labels() -> dict[str, str]:
    """What each field is called."""
    return {
        "name": _("Name"),
        "type": _("Type"),
        "owner": _("Owner"),
        "code": _("Invitation code"),
        "expires_on": _("Expires on"),
        "inviter": _("Inviter"),
        "contacts": _("Invited contacts"),
        "account": _("Assign to account"),
        "workflow": _("Workflow on redemption"),
        "web_roles": _("Assign to web roles"),
        "max_redemptions": _("Maximum redemptions"),
        "redeemable_by": _("Redeemable by"),
        "language": _("Language"),
        "message": _("Personal message"),
        "reminders": _("Reminders"),
    }


def type_name(kind: str) -> str:
    """A type in words."""
    return _("Group") if kind == GROUP else _("Single")


def who_name(redeemable_by: str, kind: str) -> str:
    """*Redeemable by* in words."""
    if redeemable_by == ANYONE:
        return _("Anyone with the code")
    return _("Only the invited contacts") if kind == GROUP else _("The invited contact")


def _owner(staff_id: int) -> str:
    member = load(StaffMember, staff_id)
    return member.name if member else ""


def _workflow(workflow_id: int | None) -> str:
    workflow = load(Workflow, workflow_id or 0)
    return workflow.name if workflow else ""


def _contacts(ids: tuple[int, ...]) -> str:
    # A Group may invite thousands; whoever reads the journal needs to recognise the change, not all of them.
    named = ", ".join(option.label for option in contacts.by_ids(ids[:MOST_NAMED])) if ids else ""
    more = len(ids) - MOST_NAMED
    return _("%(names)s and %(more)s more", names=named, more=more) if more > 0 else named
