"""The link token: bound to invitation, contact, address and version; everything else is nobody's."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.invitations import links, queries
from portal.invitations.models import Invitation
from portal.kernel import addresses, secrets_
from portal.kernel.db import db, transaction
from tests.support import make
from tests.support.clients import Client

SignIn = Callable[..., Client]

URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.fixture
def anna(app: Flask):
    return make.make_contact("Anna", "Weber", "anna@example.org")


@pytest.fixture
def invitation(anna: Contact):
    return make.make_invitation(anna, sent=True)


def token_of(invitation: Invitation, contact: Contact) -> str:
    return links.token(invitation, queries.invitee(invitation.id, contact.id), contact)


@pytest.mark.sqlite_only
def test_every_single_character_change_is_nobodys(invitation: Invitation, anna: Contact):
    token = token_of(invitation, anna)
    changed = [
        token[:place] + other + token[place + 1 :] for place in range(43) for other in URL_SAFE if other != token[place]
    ]
    assert len(changed) == 2_709
    assert [one for one in changed if links.resolve(one) is not None] == []


@pytest.mark.parametrize(
    "text", ["", "x", "A" * 43, "A" * 44, "\x00" * 43, "😀" * 43, "../../etc/passwd", "%00", "A" * 100_000]
)
def test_what_is_no_token_is_nobodys(invitation: Invitation, text: str, statements: Callable[[], Any]):
    with statements() as sent:
        assert links.resolve(text) is None
    assert len(sent) <= 1


def test_ones_token_with_the_others_id_is_nobodys(invitation: Invitation, anna: Contact):
    ben = make.make_contact("Ben")
    other = make.make_invitation(ben)
    first, second = token_of(invitation, anna), token_of(other, ben)
    assert links.resolve(first[:21] + second[21:]) is None
    assert links.resolve(second[:22] + first[22:]) is None


def test_a_changed_address_ends_it_and_the_old_address_revives_it_not_for_another(
    invitation: Invitation, anna: Contact
):
    token = token_of(invitation, anna)
    _mail(anna, "anna@other.example")
    assert links.resolve(token) is None
    assert links.resolve(token_of(invitation, anna)) is not None


def test_another_spelling_of_the_same_address_changes_nothing(invitation: Invitation, anna: Contact):
    token = token_of(invitation, anna)
    _mail(anna, "ANNA@EXAMPLE.ORG")
    assert links.resolve(token) is not None


def test_a_new_version_ends_it(invitation: Invitation, anna: Contact):
    token = token_of(invitation, anna)
    with transaction():
        db.session.get(type(invitation), invitation.id).link_version += 1
    assert links.resolve(token) is None


def test_a_contact_taken_off_the_invitation_has_no_link(invitation: Invitation, anna: Contact):
    token = token_of(invitation, anna)
    with transaction():
        db.session.delete(queries.invitee(invitation.id, anna.id))
    assert links.resolve(token) is None


def test_a_token_of_another_key_is_nobodys(invitation: Invitation, anna: Contact):
    invited = queries.invitee(invitation.id, anna.id)
    bound = (links.PURPOSE, invitation.id, anna.id, 1, secrets_.digest(anna.email1_key))
    assert links.resolve(make.ring().token(invited.public_id, *bound)) is not None
    assert links.resolve(secrets_.new_ring().token(invited.public_id, *bound)) is None
    assert links.resolve(make.ring().token(secrets_.new_public_id(), *bound)) is None


def test_a_genuine_link_says_whose_it_is_even_when_the_invitation_is_over(anna: Contact):
    over = make.make_invitation(anna, sent=True, deactivated=True)
    found = links.resolve(token_of(over, anna))
    assert (found.invitation.id, found.contact.id, found.genuine) == (over.id, anna.id, True)


def test_each_contact_of_a_group_has_a_link_of_their_own(anna: Contact):
    ben = make.make_contact("Ben")
    group = make.make_invitation(anna, ben)
    tokens = {contact.id: token_of(group, contact) for contact in (anna, ben)}
    assert len(set(tokens.values())) == 2
    assert {links.resolve(token).contact.id for token in tokens.values()} == set(tokens)


def test_it_survives_deactivating_and_activating(invitation: Invitation, anna: Contact, sign_in_as: SignIn):
    token, owner = token_of(invitation, anna), sign_in_as("owner")
    for act in ("deactivate", "activate"):
        assert owner.post_form(f"/staff/invitations/{invitation.id}/{act}").status_code == 303
    assert links.resolve(token) is not None


def test_resolving_takes_one_statement(invitation: Invitation, anna: Contact, statements: Callable[[], Any]):
    token = token_of(invitation, anna)
    db.session.rollback()
    with statements() as sent:
        links.resolve(token)
    assert len(sent) == 1


def _mail(contact: Contact, address: str) -> None:
    with transaction():
        contact.email1, contact.email1_key = address, addresses.canonical(address)
