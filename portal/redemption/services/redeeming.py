"""One contact redeems one invitation: the one function for every way of signing in."""

from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from sqlalchemy import case, or_, update

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.identity import services as identity
from portal.invitations import queries as invitations
from portal.invitations import services as invitation_services
from portal.invitations.models import ANYONE, SINGLE, Invitation, Redemption
from portal.journal.services import Record, record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml
from portal.redemption import pending, queries
from portal.redemption.services.refusing import refused
from portal.redemption.status import Reason
from portal.roles.models import WebRole
from portal.workflows import services as workflows


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
        raise refused(Reason.CONTACT_INACTIVE, invitation_id)
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
    detail = _detail(redemption, added)
    record("redemption.completed", *about, by=by, now=now, text=_in_words(detail), detail=detail)
    if withheld:
        names = [role.name for role in withheld]
        record("role.withheld", *about, by=by, now=now, text=", ".join(names), detail={"web_roles": names})
    invitation_services.answered(redemption, invitation, now)
    if invitation.workflow_id is not None:
        cause = ("redemption", redemption.id)
        workflows.start(invitation.workflow_id, contact_id, cause=cause, invitation_id=invitation_id, now=now)
    return redemption


def _check_invited(invitation: Invitation, contact: Contact, proof: str, new_contact: bool) -> None:
    """A link is for the contact it was mailed to; a code is for the invited ones, or for anyone, as was chosen."""
    if proof == pending.CODE and invitation.redeemable_by == ANYONE:
        return
    if new_contact or not invitations.is_invited(invitation.id, contact.id):
        reason = Reason.WRONG_PERSON if invitation.type == SINGLE else Reason.NOT_INVITED
        raise refused(reason, invitation.id)


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
        raise refused(queries.over(invitation, None, now) or Reason.COMPLETED, invitation.id)
    db.session.expire(invitation, ["used", "completed_at"])


def _assign_account(redemption: Redemption, invitation: Invitation, now: datetime) -> None:
    if invitation.account_id is None:
        return
    before = contact_services.assign_account(redemption.contact_id, invitation.account_id, now)
    redemption.account_id, redemption.account_before_id = invitation.account_id, before
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


def _detail(redemption: Redemption, added: list[WebRole]) -> dict[str, Any]:
    names = accounts.names([redemption.account_id, redemption.account_before_id]) if redemption.account_assigned else {}
    return {
        "redemption_id": redemption.id,
        "proof": redemption.proof,
        "signed_in_by": redemption.signed_in_by,
        "new_contact": redemption.new_contact,
        "account": names.get(redemption.account_id or 0, ""),
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
