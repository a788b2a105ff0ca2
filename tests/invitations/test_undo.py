"""Undoing a redemption takes back just what it changed, frees the seat, and keeps the history."""

from collections.abc import Callable
from itertools import permutations
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
@pytest.mark.parametrize("number", ["0", "-1", "x", "99999999999", "9" * 30])
def test_a_number_that_is_nobodys(sign_in_as: SignIn, number: str) -> None:
    invitation = make.make_invitation(make.make_contact(), sent=True)
    url = f"/staff/invitations/{invitation.id}/undo-redemption?contact={number}"
    assert sign_in_as("owner").get(url).status_code == 404


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


def account_of(contact_id: int) -> int | None:
    return db.session.get_one(Contact, contact_id, populate_existing=True).account_id


def test_what_two_redemptions_give_goes_with_the_second_one(app: Flask) -> None:
    role, acme, old = make.make_role(), make.make_account(), make.make_account()
    contact, by = make.make_contact(verified=True, account=old), acting()
    first, second = (make.make_invitation(contact, sent=True, roles=[role], account=acme) for _ in range(2))
    contact_id = contact.id
    for invitation in (first, second):
        redeemed(invitation, contact)
    undo(first, contact, by)
    assert (held(contact), account_of(contact_id)) == ({role.id}, acme.id)
    undo(second, contact, by)
    assert (held(contact), account_of(contact_id)) == (set(), old.id)


def test_a_role_that_the_other_one_withheld_does_not_stay_for_its_sake(app: Flask) -> None:
    board, contact, by = make.make_role("Board", managers_may_grant=False), make.make_contact(verified=True), acting()
    given = make.make_invitation(contact, sent=True, roles=[board])
    withheld = make.make_invitation(contact, sent=True, roles=[board], owner=make.make_staff("manager"))
    for invitation in (given, withheld):
        redeemed(invitation, contact)
    assert undo(given, contact, by).kept == []
    assert held(contact) == set()


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_of_three_accounts_one_after_the_other_the_last_that_stands_counts(app: Flask, order: tuple[int, ...]) -> None:
    contact, by = make.make_contact(verified=True), acting()
    accounts = [make.make_account() for _ in range(3)]
    invitations = [make.make_invitation(contact, sent=True, account=account) for account in accounts]
    ids, contact_id, stand = [account.id for account in accounts], contact.id, {0, 1, 2}
    for invitation in invitations:
        redeemed(invitation, contact)
    for which in order:
        undo(invitations[which], contact, by)
        stand.discard(which)
        assert account_of(contact_id) == (ids[max(stand)] if stand else None)


def test_the_account_it_gave_is_taken_back_not_the_one_it_gives_since(app: Flask) -> None:
    acme, other, by = make.make_account(), make.make_account(), acting()
    contact = make.make_contact(verified=True)
    group = make.make_invitation(contact, make.make_contact(), sent=True, account=acme)
    redeemed(group, contact)
    contact_id, group_id, other_id = contact.id, group.id, other.id
    with transaction():
        db.session.get_one(Invitation, group_id).account_id = other_id
    undo(group, contact, by)
    assert account_of(contact_id) is None


def test_an_account_that_was_deleted_meanwhile_is_not_gone_back_to(sign_in_as: SignIn) -> None:
    old, acme = make.make_account("Old"), make.make_account("Acme")
    contact = make.make_contact(verified=True, account=old)
    invitation = make.make_invitation(contact, sent=True, account=acme)
    redeemed(invitation, contact)
    owner, contact_id, url = sign_in_as("owner"), contact.id, f"/staff/invitations/{invitation.id}/undo-redemption"
    assert owner.post_form(f"/staff/accounts/{old.id}/delete").status_code == 303
    assert "they belong to none afterwards" in owner.page(f"{url}?contact={contact_id}").text
    assert owner.post_form(url, {}, page=f"{url}?contact={contact_id}").status_code == 303
    assert account_of(contact_id) is None


@pytest.mark.sqlite_only
def test_what_was_ever_redeemed_offers_neither_deleting_nor_another_recipient(sign_in_as: SignIn) -> None:
    contact, by = make.make_contact(verified=True), acting()
    invitation = make.make_invitation(contact, sent=True)
    redeemed(invitation, contact)
    undo(invitation, contact, by)
    page = sign_in_as("owner").get(f"/staff/invitations/{invitation.id}").get_data(as_text=True)
    assert f"/{invitation.id}/extend" in page
    assert f"/{invitation.id}/delete" not in page
    assert f"/{invitation.id}/change-recipient" not in page
