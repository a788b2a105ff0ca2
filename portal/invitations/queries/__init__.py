"""Reading invitations one by one: by id, by code, whom they invite, what they grant."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import CTE, Row, Subquery, case, exists, func, select, text

from portal.accounts.models import Account
from portal.contacts.models import Contact
from portal.invitations.models import (
    Invitation,
    InvitationCode,
    InvitationRequest,
    InvitationWebRole,
    InvitedContact,
    Redemption,
)
from portal.invitations.status import Status
from portal.kernel.db import LARGEST_ID, db, load
from portal.kernel.errors import NotFound
from portal.mail.models import Message
from portal.roles.models import WebRole
from portal.settings.queries import ring
from portal.staff.models import StaffMember
from portal.workflows.models import Workflow

KIND, REMINDER = "invitation", "reminder"

STATUS = case(
    (Invitation.deactivated_at.is_not(None), Status.INACTIVE.value),
    (Invitation.completed_at.is_not(None), Status.COMPLETED.value),
    (Invitation.sent_at.is_not(None), Status.OPEN.value),
    else_=Status.NEW.value,
)
"""`status.status` in SQL."""


def get(invitation_id: int, *, lock: bool = False) -> Invitation:
    """The invitation; with `lock` nobody else changes it before this transaction ends. Raises NotFound."""
    invitation = find(invitation_id, lock=lock)
    if invitation is None:
        raise NotFound
    return invitation


def find(invitation_id: int, *, lock: bool = False) -> Invitation | None:
    """The invitation, or None."""
    return load(Invitation, invitation_id, lock=lock)


def by_ids(ids: Collection[int], *, lock: bool = False) -> list[Invitation]:
    """Those of the invitations that exist, newest first; always locked in this order, so that two bulk acts never
    wait for each other."""
    known = [i for i in ids if 0 < i <= LARGEST_ID]
    query = select(Invitation).where(Invitation.id.in_(known)).order_by(Invitation.id.desc())
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return list(db.session.scalars(query)) if known else []


def by_code(normalised: str) -> Invitation | None:
    """The invitation with this code. The same one indexed query whether or not there is one."""
    return db.session.scalar(select(Invitation).where(Invitation.code_lookup.in_(ring().lookups(normalised))))


def code_taken(normalised: str) -> bool:
    """Whether a code is in use or ever was, by a deleted invitation too."""
    found = select(InvitationCode.lookup).where(InvitationCode.lookup.in_(ring().lookups(normalised)))
    return db.session.scalar(found.limit(1)) is not None


def code(invitation: Invitation) -> str:
    """The code as people read it. Callers must hold the right to see it, and note that they did."""
    return ring().open(invitation.code_sealed, seal_of(invitation.id))


def seal_of(invitation_id: int) -> str:
    """What a sealed code is bound to."""
    return f"invitation:{invitation_id}"


def invited(invitation_id: int, limit: int | None = None) -> list[Contact]:
    """The invited contacts, by name."""
    query = (
        select(Contact)
        .join(InvitedContact, InvitedContact.contact_id == Contact.id)
        .where(InvitedContact.invitation_id == invitation_id)
        .order_by(Contact.name_key, Contact.id)
    )
    return list(db.session.scalars(query.limit(limit)))


def invited_ids(invitation_id: int) -> list[int]:
    """The ids of the invited contacts."""
    found = select(InvitedContact.contact_id).where(InvitedContact.invitation_id == invitation_id)
    return list(db.session.scalars(found.order_by(InvitedContact.contact_id)))


def invitee(invitation_id: int, contact_id: int) -> InvitedContact | None:
    """The row that invites this contact, with their link's public id; None when they are not invited."""
    return db.session.get(InvitedContact, (invitation_id, contact_id))


def is_invited(invitation_id: int, contact_id: int) -> bool:
    """Whether the invitation names this contact."""
    return invitee(invitation_id, contact_id) is not None


def roles(invitation_id: int) -> list[WebRole]:
    """The web roles that redeeming gives, by name."""
    return list(
        db.session.scalars(
            select(WebRole)
            .join(InvitationWebRole, InvitationWebRole.web_role_id == WebRole.id)
            .where(InvitationWebRole.invitation_id == invitation_id)
            .order_by(WebRole.name_key)
        )
    )


def redemption(invitation_id: int, contact_id: int) -> Redemption | None:
    """This contact's redemption of this invitation, unless it was undone."""
    return db.session.scalar(
        select(Redemption).where(
            Redemption.invitation_id == invitation_id,
            Redemption.contact_id == contact_id,
            Redemption.undone_at.is_(None),
        )
    )


def was_redeemed(invitation_id: int) -> bool:
    """Whether anybody ever redeemed it, even if that was undone since."""
    found = select(Redemption.id).where(Redemption.invitation_id == invitation_id).limit(1)
    return db.session.scalar(found) is not None


class Invitee(NamedTuple):
    """An invited contact, whether they redeemed, their latest mail about it, and when and how they declined.

    `invited_at`: when they were last sent the invitation, None also where the last mail did not reach them.
    """

    contact: Contact
    redeemed: bool
    message: Row[Any] | None
    declined_at: datetime | None = None
    declined_words: str = ""
    invited_at: datetime | None = None

    @property
    def may_answer(self) -> bool:
        """Whether they still can, and can be written to."""
        return bool(self.contact.active and self.contact.email1) and not self.redeemed and self.declined_at is None


def invitees(invitation_id: int, limit: int) -> list[Invitee]:
    """The invited contacts by name, up to `limit`."""
    redeemed = select(Redemption.id).where(
        Redemption.invitation_id == invitation_id, Redemption.contact_id == Contact.id, Redemption.undone_at.is_(None)
    )
    # Cut first: a group may hold thousands, each with messages of their own.
    answer = (InvitedContact.declined_at, InvitedContact.declined_words)
    shown = (
        select(Contact.id.label("contact_id"), redeemed.exists().label("redeemed"), *answer)
        .join(InvitedContact, InvitedContact.contact_id == Contact.id)
        .where(InvitedContact.invitation_id == invitation_id)
        .order_by(Contact.name_key, Contact.id)
        .limit(limit)
        .cte("shown")
    )
    last = _last_messages(invitation_id, shown)
    invited_at = case((last.c.failed < last.c.counted, last.c.invited_at)).label("invited_at")
    message = (Message.id, Message.state, Message.answer, Message.sent_at, Message.due_at)
    found = db.session.execute(
        select(Contact, shown.c.redeemed, shown.c.declined_at, shown.c.declined_words, invited_at, *message)
        .join(shown, shown.c.contact_id == Contact.id)
        .outerjoin(last, last.c.contact_id == Contact.id)
        .outerjoin(Message, Message.id == last.c.id)
        .order_by(Contact.name_key, Contact.id)
    )
    return [_invitee(row) for row in found]


def _invitee(row: Row[Any]) -> Invitee:
    message = row if row.id is not None else None
    return Invitee(row.Contact, row.redeemed, message, row.declined_at, row.declined_words, row.invited_at)


def _last_messages(invitation_id: int, shown: CTE) -> Subquery:
    """Per contact: the last mail, the last that failed, the last that was not cancelled, and when they were invited."""
    standing = Message.state != "cancelled"
    created: Any = case((standing & (Message.kind == KIND), Message.created_at))
    about = (Message.about_kind == KIND, Message.about_id == invitation_id)
    return (
        select(
            Message.contact_id,
            func.max(Message.id).label("id"),
            func.max(case((Message.state == "failed", Message.id), else_=0)).label("failed"),
            func.max(case((standing, Message.id), else_=0)).label("counted"),
            func.max(created, type_=Message.created_at.type).label("invited_at"),
        )
        .where(*about, Message.contact_id.in_(select(shown.c.contact_id)))
        .group_by(Message.contact_id)
        .subquery()
    )


class RedemptionLine(NamedTuple):
    """A redemption with the contact's name."""

    contact_id: int
    contact: str
    redeemed_at: datetime
    signed_in_by: str
    proof: str
    ip: str | None
    new_contact: bool


def redemptions(invitation_id: int, limit: int) -> list[RedemptionLine]:
    """Who redeemed it, latest first."""
    found = db.session.execute(
        select(Redemption, Contact)
        .join(Contact, Contact.id == Redemption.contact_id)
        .where(Redemption.invitation_id == invitation_id, Redemption.undone_at.is_(None))
        .order_by(Redemption.redeemed_at.desc(), Redemption.id.desc())
        .limit(limit)
    )
    return [RedemptionLine(c.id, c.name, r.redeemed_at, r.signed_in_by, r.proof, r.ip, r.new_contact) for r, c in found]


class Related(NamedTuple):
    """The records an invitation points to, as far as it does; `asked`: whether somebody asks for a new one,
    `redeemed`: whether anybody ever redeemed it, even if that was undone since."""

    owner: StaffMember
    inviter: Contact | None
    account: Account | None
    workflow: Workflow | None
    asked: bool = False
    redeemed: bool = False


def related(invitation: Invitation) -> Related:
    """Owner, inviter, account and workflow, whether anybody asks or ever redeemed it, in one statement."""
    asked = exists().where(InvitationRequest.invitation_id == Invitation.id, text("invitation_request.decision = ''"))
    redeemed = exists().where(Redemption.invitation_id == Invitation.id)
    found = db.session.execute(
        select(StaffMember, Contact, Account, Workflow, asked, redeemed)
        .select_from(Invitation)
        .join(StaffMember, StaffMember.id == Invitation.owner_id)
        .outerjoin(Contact, Contact.id == Invitation.inviter_id)
        .outerjoin(Account, Account.id == Invitation.account_id)
        .outerjoin(Workflow, Workflow.id == Invitation.workflow_id)
        .where(Invitation.id == invitation.id)
    ).one()
    return Related(*found)
