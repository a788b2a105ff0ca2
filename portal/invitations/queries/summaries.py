"""Invitations as other pages show them: a contact's, a web role's, an account's, and the site's as a whole."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, case, func, select, union_all

from portal.invitations.models import Invitation, InvitationWebRole, InvitedContact, Redemption
from portal.invitations.queries import lists, problems, requests
from portal.invitations.status import Status
from portal.kernel import paging
from portal.kernel.db import db

FUNNEL = timedelta(days=30)
SHOWN = 20

_ROW: tuple[Any, ...] = (
    Invitation.id,
    Invitation.name,
    Invitation.type,
    Invitation.expires_on,
    Invitation.expires_at,
    Invitation.sent_at,
    Invitation.completed_at,
    Invitation.deactivated_at,
)


class Funnel(NamedTuple):
    """Of the invitations created within 30 days: how many were sent, how many redeemed at least once."""

    created: int
    sent: int
    redeemed: int


class Waiting(NamedTuple):
    """What waits for somebody: open invitations that did not reach everybody, and requests for a new one."""

    problems: int
    requests: int


def of_contact(contact_id: int) -> Sequence[Any]:
    """The latest invitations of a contact, and whether they redeemed each."""
    redeemed = (
        select(Redemption.id)
        .where(
            Redemption.invitation_id == Invitation.id,
            Redemption.contact_id == contact_id,
            Redemption.undone_at.is_(None),
        )
        .exists()
    )
    found = (
        select(*_ROW, InvitedContact.declined_at, redeemed.label("redeemed"))
        .join(InvitedContact, InvitedContact.invitation_id == Invitation.id)
        .where(InvitedContact.contact_id == contact_id)
        .order_by(Invitation.id.desc())
        .limit(SHOWN)
    )
    return db.session.execute(found).all()


def redemptions_of_contact(contact_id: int) -> Sequence[Any]:
    """The latest redemptions of a contact."""
    return db.session.execute(
        select(
            Invitation.id,
            Invitation.name,
            Redemption.redeemed_at,
            Redemption.signed_in_by,
            Redemption.proof,
            Redemption.ip,
        )
        .join(Invitation, Invitation.id == Redemption.invitation_id)
        .where(Redemption.contact_id == contact_id, Redemption.undone_at.is_(None))
        .order_by(Redemption.redeemed_at.desc(), Redemption.id.desc())
        .limit(SHOWN)
    ).all()


def with_role(role_id: int) -> Sequence[Any]:
    """The latest invitations that give a web role."""
    found = select(*_ROW).join(InvitationWebRole, InvitationWebRole.invitation_id == Invitation.id)
    return _latest(found.where(InvitationWebRole.web_role_id == role_id))


def with_account(account_id: int) -> Sequence[Any]:
    """The latest invitations that assign an account."""
    return _latest(select(*_ROW).where(Invitation.account_id == account_id))


def funnel(now: datetime) -> Funnel:
    """How far the invitations of the last 30 days got; the latest 10,001 of them at most."""
    recent = (
        select(Invitation.sent_at, Invitation.used)
        .where(Invitation.created_at > now - FUNNEL)
        .order_by(Invitation.created_at.desc(), Invitation.id.desc())
        .limit(paging.COUNTED + 1)
        .subquery()
    )
    redeemed = func.coalesce(func.sum(case((recent.c.used > 0, 1), else_=0)), 0)
    return Funnel(*db.session.execute(select(func.count(), func.count(recent.c.sent_at), redeemed)).one())


def waiting() -> Waiting:
    """How much waits for somebody, each counted to 10,001 at most, in one statement."""
    unreached = select(Invitation.id).where(problems.among(lists.PREDICATES[Status.OPEN]))
    asked = requests.open_ids()
    return Waiting(*db.session.execute(select(paging.capped_column(unreached), paging.capped_column(asked))).one())


def expiring(now: datetime) -> Sequence[Any]:
    """The unfinished invitations whose time ends within a week, the soonest first."""
    soon = (Invitation.expires_at > now, Invitation.expires_at <= now + lists.SOON)
    # Each half is the start of a partial index; together they still are one statement.
    halves = [_soonest(lists.PREDICATES[status], *soon).subquery() for status in (Status.NEW, Status.OPEN)]
    rows = db.session.execute(union_all(*(select(half) for half in halves))).all()
    return sorted(rows, key=lambda row: (row.expires_at, row.id))[:SHOWN]


def _latest(found: Any) -> Sequence[Any]:
    return db.session.execute(found.order_by(Invitation.id.desc()).limit(SHOWN)).all()


def _soonest(*conditions: ColumnElement[bool]) -> Select[Any]:
    return select(*_ROW).where(*conditions).order_by(Invitation.expires_at, Invitation.id).limit(SHOWN)
