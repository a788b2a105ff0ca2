"""Undoing a redemption takes back just what it changed, frees the seat, and keeps the history."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact, ContactWebRole
from portal.invitations import services
from portal.invitations.models import Invitation, Redemption
from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import Forbidden, NotFound
from portal.redemption import services as redemption
from portal.staff.permissions import StaffActor
from tests.support import make
from tests.support.clients import Client, location

SignIn = Callable[..., Client]


def redeemed(invitation: Invitation, contact: Contact, proof: str = "link") -> None:
    numbers = invitation.id, contact.id
    with transaction():
        redemption.redeem(*numbers, proof=proof, signed_in_by="password", ip=None, now=clock.now())


def undo(invitation: Invitation, contact: Contact, by: StaffActor) -> services.Undoing:
    numbers = invitation.id, contact.id
    with transaction():
        return services.undo(*numbers, by, clock.now())


def held(contact: Contact) -> set[int]:
    return set(db.session.scalars(db.select(ContactWebRole.web_role_id).where(ContactWebRole.contact_id == contact.id)))


def acting(role: str = "owner") -> StaffActor:
    return make.make_staff(role).actor(None)


def test_what_is_not_there_cannot_be_undone(app: Flask) -> None:
    contact, other = make.make_contact(), make.make_contact()
    invitation, by = make.make_invitation(contact, sent=True), acting()
    for person in (contact, other):
        with pytest.raises(NotFound):
            undo(invitation, person, by)


def test_nobody_takes_away_a_role_that_they_could_not_give(app: Flask, sign_in_as: SignIn) -> None:
    board = make.make_role("Board", managers_may_grant=False)
    contact = make.make_contact(verified=True)
    invitation = make.make_invitation(contact, sent=True, roles=[board])
    redeemed(invitation, contact)
    with pytest.raises(Forbidden):
        undo(invitation, contact, acting("manager"))
    page = sign_in_as("manager").page(f"/staff/invitations/{invitation.id}/undo-redemption?contact={contact.id}")
    assert "You cannot undo this" in page.text
    assert not page.has_button("Undo the redemption")
    assert held(contact) == {board.id}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_without_the_right(sign_in_as: SignIn, who: str) -> None:
    contact = make.make_contact()
    invitation = make.make_invitation(contact, sent=True)
    make.make_redemption(invitation, contact)
    url = f"/staff/invitations/{invitation.id}/undo-redemption?contact={contact.id}"
    assert sign_in_as(who).get(url).status_code == 403


def test_only_what_it_added_goes_and_the_seat_is_free(app: Flask, sign_in_as: SignIn) -> None:
    before, new = make.make_role("Guest"), make.make_role("Supplier")
    old, acme = make.make_account("Old"), make.make_account("Acme")
    contact = make.make_contact("Anna", "Weber", verified=True, roles=[before], account=old)
    invitation = make.make_invitation(contact, sent=True, roles=[before, new], account=acme)
    redeemed(invitation, contact)
    assert held(contact) == {before.id, new.id}
    owner = sign_in_as("owner")
    url = f"/staff/invitations/{invitation.id}/undo-redemption"
    dialog = owner.page(f"{url}?contact={contact.id}")
    assert "Supplier" in dialog.testid("taken").text
    assert "Guest" not in dialog.testid("taken").text
    assert "from Acme back to Old" in dialog.text
    assert (
        location(owner.post_form(url, {}, page=f"{url}?contact={contact.id}")) == f"/staff/invitations/{invitation.id}"
    )
    db.session.rollback()
    kept = db.session.get_one(Invitation, invitation.id, populate_existing=True)
    assert (kept.used, kept.completed_at) == (0, None)
    assert held(contact) == {before.id}
    assert db.session.get_one(Contact, contact.id, populate_existing=True).account_id == old.id
    [row] = db.session.query(Redemption)
    assert row.undone_at is not None
    for kind, number in (("invitation", invitation.id), ("contact", contact.id)):
        assert [line.action for line in timeline(kind, number)][:2] == ["redemption.undone", "redemption.completed"]
    redeemed(invitation, contact)
    assert held(contact) == {before.id, new.id}
    assert db.session.query(Redemption).count() == 2


def test_undoing_twice_frees_one_seat(app: Flask) -> None:
    contact, by = make.make_contact(verified=True), acting()
    invitation = make.make_invitation(contact, make.make_contact(), sent=True, max_redemptions=2)
    other = make.make_contact(verified=True)
    for person in (contact, other):
        redeemed(invitation, person, proof="code")
    assert db.session.get_one(Invitation, invitation.id, populate_existing=True).completed_at is not None
    undo(invitation, contact, by)
    with pytest.raises(NotFound):
        undo(invitation, contact, by)
    kept = db.session.get_one(Invitation, invitation.id, populate_existing=True)
    assert (kept.used, kept.completed_at) == (1, None)


def test_what_another_redemption_gives_as_well_stays(app: Flask) -> None:
    role, contact, by = make.make_role(), make.make_contact(verified=True), acting()
    first = make.make_invitation(contact, sent=True, roles=[role])
    second = make.make_invitation(contact, sent=True, roles=[role])
    redeemed(first, contact)
    redeemed(second, contact)
    intended = undo(first, contact, by)
    assert [one.id for one in intended.kept] == [role.id]
    assert held(contact) == {role.id}


@pytest.mark.parametrize("moved", [False, True])
def test_an_account_chosen_since_stays(app: Flask, moved: bool) -> None:
    acme, other, by = make.make_account(), make.make_account(), acting()
    contact = make.make_contact(verified=True)
    invitation = make.make_invitation(contact, sent=True, account=acme)
    redeemed(invitation, contact)
    if moved:
        with transaction():
            db.session.get_one(Contact, contact.id).account_id = other.id
    contact_id: Any = contact.id
    undo(invitation, contact, by)
    after = db.session.get_one(Contact, contact_id, populate_existing=True).account_id
    assert after == (other.id if moved else None)
