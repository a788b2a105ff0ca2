"""What pages of lower slices show of invitations, which they do not know."""

from datetime import datetime
from typing import Any, NamedTuple

from flask import g, render_template
from flask_babel import gettext as _

from portal.accounts.models import Account
from portal.contacts.models import Contact
from portal.invitations.forms import NoticesForm
from portal.invitations.queries import summaries
from portal.invitations.status import Status, dead, expired, status_of
from portal.kernel import clock, paging
from portal.roles.models import WebRole
from portal.staff.models import StaffMember
from portal.staff.permissions import Permission

WIDTH = 320


class Bar(NamedTuple):
    """A bar of the funnel: its length is a share of the longest."""

    label: str
    value: str
    width: int
    y: int


def of_contact(contact: Contact) -> str:
    """A contact's invitations, each with what can be done, and their redemptions."""
    now = clock.now()
    rows = _of_contact(contact.id)
    return render_template(
        "invitations/_of_contact.html",
        contact=contact,
        rows=_shown(rows),
        sendable={row.id for row in rows if contact.active and _waits(row, now)},
        redemptions=summaries.redemptions_of_contact(contact.id),
        most=summaries.SHOWN,
    )


def contact_actions(contact: Contact) -> str:
    """*Create Invitation*, and *Send Invitation* where it is clear which one."""
    now = clock.now()
    rows = _of_contact(contact.id) if contact.active else []
    waiting = [row for row in rows if _waits(row, now)]
    return render_template(
        "invitations/_contact_actions.html", contact=contact, sends=waiting[0] if len(waiting) == 1 else None
    )


def of_role(role: WebRole) -> str:
    """The latest invitations that give a web role."""
    rows = _shown(summaries.with_role(role.id))
    title = _("Given by invitations")
    return render_template("invitations/_of_record.html", title=title, rows=rows, most=summaries.SHOWN)


def of_account(account: Account) -> str:
    """The latest invitations that assign an account."""
    rows = _shown(summaries.with_account(account.id))
    title = _("Assigned by invitations")
    return render_template("invitations/_of_record.html", title=title, rows=rows, most=summaries.SHOWN)


def overview(_person: object) -> str:
    """How far invitations got within 30 days, and which run out soon."""
    now = clock.now()
    funnel, waiting = summaries.funnel(now), summaries.waiting()
    expiring = summaries.expiring(now)
    return render_template(
        "invitations/_overview.html",
        expiring=[(row, status_of(row)) for row in expiring],
        problems=waiting.problems,
        waiting=waiting.requests,
        bars=_bars([(_("Created"), funnel.created), (_("Sent"), funnel.sent), (_("Redeemed"), funnel.redeemed)]),
        width=WIDTH,
    )


def notices(member: StaffMember) -> str:
    """How this staff member hears of their invitations; nothing for somebody who can have none."""
    if not member.may(Permission.SEND):
        return ""
    return render_template("invitations/_notices.html", form=NoticesForm(formdata=None, obj=member))


def _waits(row: Any, now: datetime) -> bool:
    """Whether this contact may still accept it, and has not said no."""
    return not row.redeemed and row.declined_at is None and dead(row, now) is None


def _of_contact(contact_id: int) -> Any:
    """Two places on one page need the same rows."""
    kept: dict[int, Any] = g.setdefault("invitations_of_contact", {})
    if contact_id not in kept:
        kept[contact_id] = summaries.of_contact(contact_id)
    return kept[contact_id]


def _shown(rows: Any) -> list[tuple[Any, Status, bool]]:
    now = clock.now()
    return [(row, status_of(row), expired(row, now)) for row in rows]


def _bars(steps: list[tuple[str, int]]) -> list[Bar]:
    longest = max([number for _label, number in steps], default=0) or 1
    return [
        Bar(label, _count(number), round(WIDTH * number / longest), 44 * index)
        for index, (label, number) in enumerate(steps)
    ]


def _count(number: int) -> str:
    return "10,000+" if number > paging.COUNTED else f"{number:,}"
