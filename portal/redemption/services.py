"""Redeeming an invitation: one transaction for every way of signing in."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from flask_babel import gettext as _
from sqlalchemy import case, or_, update

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.identity import services as identity
from portal.invitations import queries as invitations
from portal.invitations.models import ANYONE, SINGLE, Invitation, Redemption
from portal.journal.services import Record, record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Conflict
from portal.redemption import pending, queries
from portal.redemption.pending import Intent
from portal.redemption.status import OVER, Reason, Standing
from portal.roles.models import WebRole
from portal.workflows import services as workflows

log = structlog.get_logger("redemption")
BY_PASSWORD = "password"  # noqa: S105  (how somebody signed in, not a secret)
REFUSES = {
    Standing.WRONG_PERSON: Reason.WRONG_PERSON,
    Standing.NOT_INVITED: Reason.NOT_INVITED,
    Standing.USE_LINK: Reason.NOT_INVITED,
    Standing.SIGN_IN: Reason.HAS_SIGN_IN,
}


class Refused(Conflict):
    """The redemption cannot be; nothing of it happened. `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(_("This invitation cannot be accepted."))
        self.reason = reason
        self.status = 410 if reason in OVER else 409


@dataclass(frozen=True)
class NewSignIn:
    """What somebody typed to create a sign-in, the password hashed already. The names and the address count for a
    new contact only: an invited one keeps its own."""

    username: str
    password_hash: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""


def accept(intent: Intent, contact_id: int, *, ip: str | None, now: datetime) -> Redemption:
    """Redeem as the contact who is signed in. The same contact again gets the redemption there is. Raises Refused."""
    opened = _opened(intent, now)
    standing = queries.stands(opened, contacts.get(contact_id))
    if standing in REFUSES:
        raise _refused(REFUSES[standing], opened.invitation.id)
    by_link = intent.proof == pending.LINK and contact_id == intent.contact_id
    proof = pending.LINK if by_link else pending.CODE
    return redeem(opened.invitation.id, contact_id, proof=proof, signed_in_by=BY_PASSWORD, ip=ip, now=now)


def sign_up(intent: Intent, new: NewSignIn, *, ip: str | None, now: datetime) -> Contact:
    """Create a sign-in and redeem with it: onto the invited contact's own record where the proof names one, else
    for a new contact. Raises Invalid or Refused, and then there is neither contact nor sign-in."""
    opened = _opened(intent, now)
    standing = queries.stands(opened, None)
    if _redeemed_before(opened, standing):
        raise _refused(Reason.ALREADY, opened.invitation.id)
    if standing in REFUSES:
        raise _refused(REFUSES[standing], opened.invitation.id)
    if standing is Standing.REPLACE and opened.meant is not None:
        identity.replace_sign_in(opened.meant, ip, now)
    contact = opened.meant or _register(new, ip, now)
    if intent.proof == pending.CODE and contact.email1_verified_at is not None:
        # Whoever claims a record by the code alone has not shown that its address is theirs.
        contact.email1_verified_at = None
        db.session.flush()
    identity.create_sign_in(contact, new.username, new.password_hash, ip, now)
    redeem(
        opened.invitation.id,
        contact.id,
        proof=intent.proof,
        signed_in_by=BY_PASSWORD,
        ip=ip,
        now=now,
        new_contact=opened.meant is None,
    )
    return contact


def register(new: NewSignIn, *, ip: str | None, now: datetime) -> Contact:
    """A new contact without any invitation (open registration); a mail asks to confirm the address. Raises Invalid."""
    contact = _register(new, ip, now)
    identity.create_sign_in(contact, new.username, new.password_hash, ip, now)
    identity.ask_confirmation(contact, now)
    return contact


def redeem(
    invitation_id: int,
    contact_id: int,
    *,
    proof: str,
    signed_in_by: str,
    ip: str | None,
    now: datetime,
    new_contact: bool = False,
) -> Redemption:
    """Let a contact redeem an invitation, inside the caller's transaction.

    Takes a seat, writes the redemption, assigns the account, adds the web roles that the owner may still grant, starts
    the workflow, keeps the journal. `proof` is `link` only where the link was mailed to this very contact. Who has
    redeemed it before gets that redemption, and no second seat. Raises Refused.
    """
    invitation = invitations.get(invitation_id, lock=True)
    contact = contacts.get(contact_id, lock=True)
    if not contact.active:
        raise _refused(Reason.CONTACT_INACTIVE, invitation_id)
    before = invitations.redemption(invitation_id, contact_id)
    if before is not None:
        if proof == pending.LINK:
            _verify(contact, now)
        return before
    _check_invited(invitation, contact, proof, new_contact)
    _take_seat(invitation, now)
    redemption = Redemption(
        invitation_id=invitation_id,
        contact_id=contact_id,
        redeemed_at=now,
        proof=proof,
        signed_in_by=signed_in_by,
        ip=ip,
        new_contact=new_contact,
        account_assigned=False,
    )
    db.session.add(redemption)
    by = Actor("contact", contact_id, contact.name, ip)
    about = (Record("invitation", invitation_id, invitation.name), identity.named(contact))
    _assign_account(redemption, invitation, now)
    added, withheld = _add_roles(redemption, invitation, now)
    if proof == pending.LINK:
        _verify(contact, now)
    else:
        identity.ask_confirmation(contact, now)
    detail = _detail(redemption, invitation, added)
    record("redemption.completed", *about, by=by, now=now, text=_in_words(detail), detail=detail)
    if withheld:
        names = [role.name for role in withheld]
        record("role.withheld", *about, by=by, now=now, text=", ".join(names), detail={"web_roles": names})
    if invitation.workflow_id is not None:
        cause = ("redemption", redemption.id)
        workflows.start(invitation.workflow_id, contact_id, cause=cause, invitation_id=invitation_id, now=now)
    return redemption


def _opened(intent: Intent, now: datetime) -> queries.Opened:
    # Locked first: whoever else wants this invitation waits here, and nobody holds its contact meanwhile.
    opened = queries.opened(intent, now, lock=True)
    if opened is None:
        raise _refused(Reason.CHANGED, intent.invitation_id)
    return opened


def _redeemed_before(opened: queries.Opened, standing: Standing) -> bool:
    """Whether the contact accepted it already. What somebody without the mailbox accepted in their name, by a code,
    does not keep them from taking over the sign-in while the invitation lives (DECISIONS 3)."""
    meant = opened.meant
    before = invitations.redemption(opened.invitation.id, meant.id) if meant else None
    theirs = before is None or before.proof == pending.LINK or opened.over is not None
    return before is not None and (theirs or standing is not Standing.REPLACE)


def _refused(reason: Reason, invitation_id: int) -> Refused:
    log.info("redemption.refused", reason=reason.value, invitation=invitation_id)
    return Refused(reason)


def _register(new: NewSignIn, ip: str | None, now: datetime) -> Contact:
    name = f"{new.first_name} {new.last_name}".strip() or new.username
    by = Actor("contact", None, name, ip)
    return contact_services.register(new.first_name, new.last_name, new.email, "en", by, now)


def _check_invited(invitation: Invitation, contact: Contact, proof: str, new_contact: bool) -> None:
    """A link is for the contact it was mailed to; a code is for the invited ones, or for anyone, as was chosen."""
    if proof == pending.CODE and invitation.redeemable_by == ANYONE:
        return
    if new_contact or not invitations.is_invited(invitation.id, contact.id):
        reason = Reason.WRONG_PERSON if invitation.type == SINGLE else Reason.NOT_INVITED
        raise _refused(reason, invitation.id)


def _take_seat(invitation: Invitation, now: datetime) -> None:
    """One statement checks and takes, so that it holds whatever happens beside it; the last seat completes."""
    most = Invitation.max_redemptions
    free = (
        Invitation.id == invitation.id,
        Invitation.deactivated_at.is_(None),
        Invitation.completed_at.is_(None),
        or_(Invitation.expires_at.is_(None), Invitation.expires_at > now),
        or_(most.is_(None), Invitation.used < most),
    )
    last = case((Invitation.used + 1 >= most, now), else_=Invitation.completed_at)
    taking = update(Invitation).where(*free).values(used=Invitation.used + 1, completed_at=last)
    if execute_dml(taking.execution_options(synchronize_session=False)) != 1:
        raise _refused(queries.over(invitation, None, now) or Reason.COMPLETED, invitation.id)
    db.session.expire(invitation, ["used", "completed_at"])


def _assign_account(redemption: Redemption, invitation: Invitation, now: datetime) -> None:
    if invitation.account_id is None:
        return
    before = contact_services.assign_account(redemption.contact_id, invitation.account_id, now)
    redemption.account_before_id = before
    redemption.account_assigned = before != invitation.account_id


def _add_roles(redemption: Redemption, invitation: Invitation, now: datetime) -> tuple[list[WebRole], list[WebRole]]:
    given, withheld = queries.grants(invitation)
    new = contact_services.add_roles(redemption.contact_id, [role.id for role in given], now)
    redemption.roles_added = new
    redemption.roles_withheld = [role.id for role in withheld]
    db.session.flush()
    return [role for role in given if role.id in new], withheld


def _verify(contact: Contact, now: datetime) -> None:
    """The link proves the mailbox, unless somebody else has proven the same address before: nobody is merged."""
    if contact.email1_key is None or contact.email1_verified_at is not None:
        return
    if contacts.verified(contact.email1_key) is None:
        contact_services.verify_email(contact.id, now)


def _detail(redemption: Redemption, invitation: Invitation, added: list[WebRole]) -> dict[str, Any]:
    names = accounts.names([invitation.account_id, redemption.account_before_id]) if redemption.account_assigned else {}
    return {
        "redemption_id": redemption.id,
        "proof": redemption.proof,
        "signed_in_by": redemption.signed_in_by,
        "new_contact": redemption.new_contact,
        "account": names.get(invitation.account_id or 0, ""),
        "account_before": names.get(redemption.account_before_id or 0, ""),
        "web_roles": [role.name for role in added],
    }


def _in_words(detail: dict[str, Any]) -> str:
    words = [_("By the mailed link.") if detail["proof"] == pending.LINK else _("By the typed code.")]
    if detail["new_contact"]:
        words.append(_("As a new contact."))
    if detail["account"]:
        words.append(_("Account: %(name)s.", name=detail["account"]))
    if detail["web_roles"]:
        words.append(_("Web roles: %(names)s.", names=", ".join(detail["web_roles"])))
    return " ".join(words)
