"""Undoing a redemption: just what it changed is taken back, and its seat is free again."""

from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _
from sqlalchemy import case, null, select
from sqlalchemy import update as sql_update

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.invitations import queries
from portal.invitations.models import Invitation, InvitationWebRole, Redemption
from portal.invitations.services.checking import beyond
from portal.journal.services import Record, record
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Forbidden, NotFound
from portal.roles.models import WebRole
from portal.staff.permissions import StaffActor


@dataclass(frozen=True)
class Undoing:
    """What undoing would take back. `kept` are roles that stay because another redemption gives them too. Where the
    contact `moves` back, `account_from` and `account_to` name the accounts, `account_to` blank for none."""

    redemption: Redemption
    contact: Contact
    taken: list[WebRole]
    kept: list[WebRole]
    account_from: str
    account_to: str
    back_to: int | None
    moves: bool

    @property
    def nothing(self) -> bool:
        """Whether only the seat is freed."""
        return not self.taken and not self.moves


def undoing(invitation_id: int, contact_id: int) -> Undoing:
    """What undoing this contact's redemption would take back now. Raises NotFound where there is none."""
    contact = contacts.find(contact_id)
    redemption = queries.redemption(invitation_id, contact.id) if contact else None
    if redemption is None or contact is None:
        raise NotFound
    held = [role for role in contacts.web_roles(contact.id) if role.id in redemption.roles_added]
    elsewhere = _given_elsewhere(redemption)
    moves = _goes_back(redemption, contact)
    names = accounts.names([contact.account_id, redemption.account_before_id]) if moves else {}
    back_to = redemption.account_before_id
    return Undoing(
        redemption,
        contact,
        taken=[role for role in held if role.id not in elsewhere],
        kept=[role for role in held if role.id in elsewhere],
        account_from=names.get(contact.account_id or 0, ""),
        account_to=names.get(back_to or 0, ""),
        back_to=back_to if back_to in names else None,  # an account may be deleted meanwhile
        moves=moves,
    )


def undo(invitation_id: int, contact_id: int, by: StaffActor, now: datetime) -> Undoing:
    """Take a redemption back and free its seat; it stays in the history, and they may redeem again.

    Raises NotFound where there is none (any more), Forbidden for a web role that this person could not give.
    """
    queries.get(invitation_id, lock=True)
    contacts.get(contact_id, lock=True)
    intended = undoing(invitation_id, contact_id)
    which = beyond(by.role, intended.taken)
    if which is not None:
        raise Forbidden(_("You may not take away the web role %(name)s, for you may not give it either.", name=which))
    redemption, contact = intended.redemption, intended.contact
    _pass_on(redemption, intended.kept)
    redemption.undone_at, redemption.undone_by = now, by.id
    db.session.flush()
    _free_the_seat(invitation_id, now)
    contact_services.remove_roles(contact.id, [role.id for role in intended.taken], now)
    if intended.moves:
        contact_services.assign_account(contact.id, intended.back_to, now)
    invitation = queries.get(invitation_id)
    names = [role.name for role in intended.taken]
    text = _("Web roles taken back: %(names)s.", names=", ".join(names)) if names else ""
    detail = {"redemption_id": redemption.id, "web_roles": names}
    if intended.moves:
        detail["account"] = intended.account_to
    people = (Record("invitation", invitation.id, invitation.name), Record("contact", contact.id, contact.name))
    record("redemption.undone", *people, by=by, now=now, text=text, detail=detail)
    return intended


def _free_the_seat(invitation_id: int, now: datetime) -> None:
    """The conclusion "completed" falls in the statement that frees the seat."""
    most = Invitation.max_redemptions
    full = most.is_not(None) & (Invitation.used - 1 >= most)
    freeing = sql_update(Invitation).where(Invitation.id == invitation_id, Invitation.used > 0)
    values = {
        "used": Invitation.used - 1,
        "completed_at": case((full, Invitation.completed_at), else_=null()),
        "updated_at": now,
        "version": Invitation.version + 1,
    }
    execute_dml(freeing.values(**values).execution_options(synchronize_session=False))
    db.session.expire_all()


def _pass_on(redemption: Redemption, kept: list[WebRole]) -> None:
    """What stays for another redemption's sake counts as that one's from now on, so that undoing it later takes it
    back, to where the contact was before both."""
    elsewhere = _given_elsewhere(redemption)
    for role in kept:
        heir = elsewhere[role.id]
        heir.roles_added = [*heir.roles_added, role.id]
    later = _next_account(redemption)
    if later is not None and later.account_before_id == redemption.account_id:
        later.account_before_id = redemption.account_before_id
        later.account_assigned = later.account_before_id != later.account_id


def _given_elsewhere(redemption: Redemption) -> dict[int, Redemption]:
    """The web roles that other redemptions of this contact, which stand, give as well, each with the latest of them."""
    others = (
        select(InvitationWebRole.web_role_id, Redemption)
        .join(Redemption, Redemption.invitation_id == InvitationWebRole.invitation_id)
        .where(
            Redemption.contact_id == redemption.contact_id,
            Redemption.id != redemption.id,
            Redemption.undone_at.is_(None),
        )
        .order_by(Redemption.id)
    )
    found = db.session.execute(others)
    return {role_id: other for role_id, other in found if role_id not in other.roles_withheld}


def _goes_back(redemption: Redemption, contact: Contact) -> bool:
    """Whether the contact still is where this redemption, and no later one, put them."""
    stays = contact.account_id != redemption.account_id or not redemption.account_assigned
    return not stays and _next_account(redemption) is None


def _next_account(redemption: Redemption) -> Redemption | None:
    """The first later redemption of this contact, which stands, that gives an account."""
    later = select(Redemption).where(
        Redemption.contact_id == redemption.contact_id,
        Redemption.id > redemption.id,
        Redemption.account_id.is_not(None),
        Redemption.undone_at.is_(None),
    )
    return db.session.scalars(later.order_by(Redemption.id).limit(1)).first()
