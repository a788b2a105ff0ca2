"""What sending asks of many invitations at once: whom they invite, what they give, what was sent before."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from portal.contacts.models import Contact
from portal.invitations.models import Invitation, InvitationWebRole, InvitedContact, Redemption
from portal.invitations.queries import KIND
from portal.kernel.db import db
from portal.mail.models import Message
from portal.roles.models import WebRole
from portal.staff.models import StaffMember


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
    """How many invitation mails each (invitation id, contact id) was written since then, and when the first was."""
    first = func.min(Message.created_at, type_=Message.created_at.type)
    found: Any = db.session.execute(
        select(Message.about_id, Message.contact_id, func.count(), first)
        .where(
            Message.about_kind == KIND,
            Message.about_id.in_(ids),
            Message.kind == KIND,
            Message.created_at > since,
        )
        .group_by(Message.about_id, Message.contact_id)
    )
    return {(invitation_id, contact_id): (count, first) for invitation_id, contact_id, count, first in found}


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
