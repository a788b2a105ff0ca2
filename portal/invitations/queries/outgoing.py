"""What sending asks of many invitations at once: whom they invite, what they give, what was sent before."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import case, func, select

from portal.accounts import queries as accounts
from portal.contacts.models import Contact
from portal.invitations.models import Invitation, InvitationWebRole, InvitedContact, Redemption
from portal.invitations.queries import KIND, REMINDER
from portal.kernel.db import db
from portal.mail.models import Message
from portal.roles.models import WebRole
from portal.staff.models import StaffMember

KINDS = (KIND, REMINDER)


def invited_of(ids: Collection[int]) -> list[Any]:
    """(invitation id, contact) for all invited contacts of these invitations, by name."""
    return list(
        db.session.execute(
            select(InvitedContact.invitation_id, Contact)
            .join(Contact, Contact.id == InvitedContact.contact_id)
            .where(InvitedContact.invitation_id.in_(ids))
            .order_by(Contact.name_key, Contact.id)
        )
    )


def numbers_of(ids: Collection[int]) -> dict[int, int]:
    """How many contacts each of these invitations invites."""
    counted = select(InvitedContact.invitation_id, func.count()).where(InvitedContact.invitation_id.in_(ids))
    return {row[0]: row[1] for row in db.session.execute(counted.group_by(InvitedContact.invitation_id))}


def owners_of(invitations: Iterable[Invitation]) -> dict[int, StaffMember]:
    """The owners of these invitations, by their id."""
    ids = {invitation.owner_id for invitation in invitations}
    return {member.id: member for member in db.session.scalars(select(StaffMember).where(StaffMember.id.in_(ids)))}


def roles_of(ids: Collection[int]) -> list[Any]:
    """(invitation id, web role) for all web roles of these invitations."""
    return list(
        db.session.execute(
            select(InvitationWebRole.invitation_id, WebRole)
            .join(WebRole, WebRole.id == InvitationWebRole.web_role_id)
            .where(InvitationWebRole.invitation_id.in_(ids))
        )
    )


def redeemed_of(ids: Collection[int]) -> set[tuple[int, int]]:
    """(invitation id, contact id) of all redemptions of these invitations."""
    found = db.session.execute(
        select(Redemption.invitation_id, Redemption.contact_id).where(
            Redemption.invitation_id.in_(ids), Redemption.undone_at.is_(None)
        )
    )
    return {(row.invitation_id, row.contact_id) for row in found}


def recent_messages(ids: Collection[int], since: datetime) -> dict[tuple[int, int], tuple[int, datetime]]:
    """How many mails each (invitation id, contact id) was written since then, reminders too, and when the first was."""
    first = func.min(Message.created_at, type_=Message.created_at.type)
    found: Any = db.session.execute(
        select(Message.about_id, Message.contact_id, func.count(), first)
        .where(
            Message.about_kind == KIND,
            Message.about_id.in_(ids),
            Message.kind.in_(KINDS),
            Message.created_at > since,
        )
        .group_by(Message.about_id, Message.contact_id)
    )
    return {(invitation_id, contact_id): (count, first) for invitation_id, contact_id, count, first in found}


def declined_of(ids: Collection[int]) -> set[tuple[int, int]]:
    """(invitation id, contact id) of all who said no to one of these invitations."""
    found = select(InvitedContact.invitation_id, InvitedContact.contact_id).where(
        InvitedContact.invitation_id.in_(ids), InvitedContact.declined_at.is_not(None)
    )
    return {(row.invitation_id, row.contact_id) for row in db.session.execute(found)}


class Mailed(NamedTuple):
    """When a contact was last sent the invitation itself, and what became of the last mail, reminders included."""

    sent_at: datetime | None
    state: str


def mailed_of(ids: Collection[int]) -> dict[tuple[int, int], Mailed]:
    """What each (invitation id, contact id) was mailed; those who were mailed nothing, or nothing that was not
    cancelled, are left out."""
    created: Any = case((Message.kind == KIND, Message.created_at))
    last = (
        select(
            Message.about_id,
            Message.contact_id,
            func.max(created, type_=Message.created_at.type).label("sent_at"),
            func.max(Message.id).label("id"),
        )
        .where(
            Message.about_kind == KIND,
            Message.about_id.in_(ids),
            Message.kind.in_(KINDS),
            Message.state != "cancelled",
        )
        .group_by(Message.about_id, Message.contact_id)
        .subquery()
    )
    columns = (last.c.about_id, last.c.contact_id, last.c.sent_at, Message.state)
    found = db.session.execute(select(*columns).join(Message, Message.id == last.c.id))
    return {(row.about_id, row.contact_id): Mailed(row.sent_at, row.state) for row in found}


def came_back(message: Message) -> bool:
    """Whether the mail before this one, to the same contact about the same invitation, did not arrive."""
    before = select(Message.state).where(
        Message.about_kind == KIND,
        Message.about_id == message.about_id,
        Message.contact_id == message.contact_id,
        Message.kind.in_(KINDS),
        Message.state != "cancelled",
        Message.id < message.id,
    )
    return db.session.scalar(before.order_by(Message.id.desc()).limit(1)) == "failed"


def awaited(invitation_id: int) -> list[tuple[datetime, int]]:
    """When those who can still answer were last sent the invitation, and how many at each moment: active contacts with
    an address, whom the last mail reached, and who neither redeemed nor declined."""
    redeemed = select(Redemption.id).where(
        Redemption.invitation_id == invitation_id, Redemption.contact_id == Contact.id, Redemption.undone_at.is_(None)
    )
    created: Any = case((Message.kind == KIND, Message.created_at))
    failed = func.max(case((Message.state == "failed", Message.id), else_=0))
    sent = (
        select(func.max(created, type_=Message.created_at.type).label("sent_at"))
        .join(Contact, Contact.id == Message.contact_id)
        .join(InvitedContact, InvitedContact.contact_id == Contact.id)
        .where(
            Message.about_kind == KIND,
            Message.about_id == invitation_id,
            Message.kind.in_(KINDS),
            Message.state != "cancelled",
            InvitedContact.invitation_id == invitation_id,
            InvitedContact.declined_at.is_(None),
            Contact.active,
            Contact.email1.is_not(None),
            ~redeemed.exists(),
        )
        .group_by(Contact.id)
        .having(failed < func.max(Message.id))
        .subquery()
    )
    counted = select(sent.c.sent_at, func.count()).where(sent.c.sent_at.is_not(None)).group_by(sent.c.sent_at)
    found = db.session.execute(counted)
    return [(row[0], row[1]) for row in found]


def mailed_since(since: datetime, by: int | None = None) -> int:
    """How many invitations and reminders were put into the outbox since then, by one staff member or by all and all
    that runs by itself."""
    found = select(func.count()).select_from(Message).where(Message.created_at >= since, Message.kind.in_(KINDS))
    if by is not None:
        found = found.where(Message.created_by == by)
    return db.session.scalar(found) or 0


def messages_with_key(invitation_id: int, send_key: str) -> bool:
    """Whether the dialog with this key was confirmed before."""
    prefix = dedupe_prefix(invitation_id)
    found = select(Message.id).where(
        Message.about_kind == KIND,
        Message.about_id == invitation_id,
        Message.dedupe_key.startswith(prefix, autoescape=True),
        Message.dedupe_key.endswith(f":{send_key}", autoescape=True),
    )
    return db.session.scalar(found.limit(1)) is not None


def dedupe_prefix(invitation_id: int) -> str:
    """How the once-only keys of an invitation's messages begin."""
    return f"invitation:{invitation_id}:contact:"


class Facts(NamedTuple):
    """What the mails of some (invitation id, contact id) are made of; `contacts` holds inviters, too, `roles` names."""

    invitations: dict[int, Invitation]
    contacts: dict[int, Contact]
    invited: dict[tuple[int, int], InvitedContact]
    redeemed: set[tuple[int, int]]
    owners: dict[int, StaffMember]
    roles: dict[int, list[str]]
    accounts: dict[int, str]


def facts_of(pairs: Collection[tuple[int, int]]) -> Facts:
    """The facts for these, with one statement a kind however many they are."""
    invitations = {
        i.id: i for i in db.session.scalars(select(Invitation).where(Invitation.id.in_({a for a, _ in pairs})))
    }
    wanted = {contact_id for _, contact_id in pairs} | {i.inviter_id for i in invitations.values() if i.inviter_id}
    among = {"invitation_id": list(invitations), "contact_id": list(wanted)}
    invited = select(InvitedContact).where(*(getattr(InvitedContact, name).in_(ids) for name, ids in among.items()))
    redeemed = select(Redemption.invitation_id, Redemption.contact_id).where(
        *(getattr(Redemption, name).in_(ids) for name, ids in among.items()), Redemption.undone_at.is_(None)
    )
    roles: dict[int, list[str]] = {}
    for invitation_id, role in sorted(roles_of(among["invitation_id"]), key=lambda row: row[1].name_key):
        roles.setdefault(invitation_id, []).append(role.name)
    return Facts(
        invitations=invitations,
        contacts={contact.id: contact for contact in db.session.scalars(select(Contact).where(Contact.id.in_(wanted)))},
        invited={(row.invitation_id, row.contact_id): row for row in db.session.scalars(invited)},
        redeemed={(row.invitation_id, row.contact_id) for row in db.session.execute(redeemed)},
        owners=owners_of(invitations.values()),
        roles=roles,
        accounts=accounts.names([invitation.account_id for invitation in invitations.values()]),
    )
