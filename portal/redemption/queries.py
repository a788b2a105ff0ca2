"""Reading what somebody who opened an invitation needs to know."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import queries as identity
from portal.invitations import queries as invitations
from portal.invitations import status as invitation_status
from portal.invitations.messages import expires_text
from portal.invitations.models import ANYONE, SINGLE, Invitation, InvitedContact, Redemption
from portal.kernel.db import db, load
from portal.redemption import pending
from portal.redemption.pending import Intent
from portal.redemption.status import Facts, Reason, Standing, standing
from portal.roles import queries as roles
from portal.roles.models import WebRole
from portal.settings.queries import site
from portal.staff.models import StaffMember
from portal.staff.permissions import may_grant

LISTED = 20


@dataclass(frozen=True)
class Opened:
    """An intent that still holds: the invitation, the contact whom the proof names, and why it is over, if it is."""

    intent: Intent
    invitation: Invitation
    meant: Contact | None
    over: Reason | None
    invited: InvitedContact | None = None
    """The row that invites the contact."""


@dataclass(frozen=True)
class Offer:
    """What the review page says. `takes_from` is the account that accepting would replace; `others_may`: a sign-in
    under another name would do as well."""

    opened: Opened
    standing: Standing
    inviter: str
    account: str | None
    takes_from: str | None
    roles: list[WebRole]
    others_may: bool
    until: str


def opened(intent: Intent | None, now: datetime, *, lock: bool = False) -> Opened | None:
    """What the intent means now; None when the code, the link, the address or the recipient changed since."""
    invitation = invitations.find(intent.invitation_id, lock=lock) if intent else None
    if intent is None or invitation is None:
        return None
    meant = load(Contact, intent.contact_id, lock=lock) if intent.contact_id else None
    invited = invitations.invitee(invitation.id, meant.id) if meant else None
    if intent.contact_id and invited is None:
        return None
    holds = pending.of_code(invitation.code_lookup)
    if intent.proof == pending.LINK:
        holds = pending.of_link(invitation.link_version, meant.email1_key if meant else None)
    if intent.fingerprint != holds:
        return None
    return Opened(intent, invitation, meant, over(invitation, meant, now), invited)


def over(invitation: Invitation, meant: Contact | None, now: datetime) -> Reason | None:
    """Why nobody, or not this contact, can redeem it any more."""
    dead = invitation_status.dead(invitation, now)
    if dead is not None:
        return Reason(dead.value)
    return Reason.CONTACT_INACTIVE if meant is not None and not meant.active else None


def meant_by_code(invitation: Invitation | None) -> Contact | None:
    """The contact whom a typed code names: the one of a Single that nobody else may redeem. One query always."""
    statement = select(Contact).join(InvitedContact, InvitedContact.contact_id == Contact.id)
    statement = statement.where(InvitedContact.invitation_id == (invitation.id if invitation else 0))
    found = db.session.scalars(statement.order_by(Contact.id).limit(1)).first()
    personal = invitation is not None and invitation.type == SINGLE and invitation.redeemable_by != ANYONE
    return found if personal else None


def stands(opened: Opened, person: Contact | None) -> Standing:
    """How the person who is signed in, or nobody, stands to the invitation."""
    invitation, meant = opened.invitation, opened.meant
    return standing(
        Facts(
            single=invitation.type == SINGLE,
            anyone=invitation.redeemable_by == ANYONE,
            by_link=opened.intent.proof == pending.LINK,
            meant=meant.id if meant else None,
            meant_has_sign_in=meant is not None and identity.has_sign_in(meant.id),
            meant_verified=meant is not None and meant.email1_verified_at is not None,
            person=person.id if person else None,
            person_invited=person is not None and (person is meant or invitations.is_invited(invitation.id, person.id)),
            person_redeemed=redeemed(invitation, person),
        )
    )


def redeemed(invitation: Invitation, contact: Contact | None) -> bool:
    """Whether this contact accepted it before."""
    return contact is not None and invitations.redemption(invitation.id, contact.id) is not None


def offer(opened: Opened, person: Contact | None) -> Offer:
    """Everything the review page shows."""
    invitation, taker = opened.invitation, person or opened.meant
    before = taker.account_id if taker and taker.account_id != invitation.account_id else None
    names = accounts.names([invitation.account_id, before])
    owner = load(StaffMember, invitation.owner_id)  # held here, so that what looks it up below asks nobody again
    return Offer(
        opened,
        stands(opened, person),
        inviter=inviter(invitation) if owner else "",
        account=names.get(invitation.account_id or 0),
        takes_from=names.get(before or 0) if invitation.account_id else None,
        roles=grants(invitation)[0],
        others_may=invitation.type != SINGLE and invitation.redeemable_by == ANYONE,
        until=expires_text(invitation, site().zone),
    )


def inviter(invitation: Invitation) -> str:
    """Who invites: the inviter, else the owner."""
    if invitation.inviter_id is not None:
        return contacts.get(invitation.inviter_id).name
    owner = load(StaffMember, invitation.owner_id)
    return owner.name if owner else ""


def grants(invitation: Invitation) -> tuple[list[WebRole], list[WebRole]]:
    """The web roles that redeeming gives now, and those withheld because the owner may no longer grant them."""
    wanted = invitations.roles(invitation.id)
    owner = load(StaffMember, invitation.owner_id) if wanted else None
    given = [
        role
        for role in wanted
        if owner and owner.active and may_grant(owner.role, managers_may_grant=role.managers_may_grant)
    ]
    return given, [role for role in wanted if role not in given]


def latest(contact_id: int) -> Redemption | None:
    """The contact's last redemption."""
    own = select(Redemption).where(Redemption.contact_id == contact_id, Redemption.undone_at.is_(None))
    return db.session.scalars(own.order_by(Redemption.redeemed_at.desc(), Redemption.id.desc()).limit(1)).first()


def given(redemption: Redemption) -> tuple[str | None, list[WebRole]]:
    """What a redemption really changed: the account it assigned, the web roles it added."""
    names = accounts.names([redemption.account_id]) if redemption.account_assigned else {}
    return names.get(redemption.account_id or 0), roles.by_ids(redemption.roles_added)


def of_contact(contact_id: int) -> list[Row[Any]]:
    """The invitations a contact accepted, latest first: when, who invited, how it was proven."""
    columns = (Redemption.redeemed_at, Invitation.inviter_id, Contact.id)
    names = (Contact.first_name, Contact.last_name, Contact.email1, StaffMember.name.label("owner"))
    rows = (
        select(*columns, *names)
        .join(Invitation, Invitation.id == Redemption.invitation_id)
        .join(StaffMember, StaffMember.id == Invitation.owner_id)
        .outerjoin(Contact, Contact.id == Invitation.inviter_id)
        .where(Redemption.contact_id == contact_id, Redemption.undone_at.is_(None))
    )
    return list(db.session.execute(rows.order_by(Redemption.redeemed_at.desc(), Redemption.id.desc()).limit(LISTED)))
