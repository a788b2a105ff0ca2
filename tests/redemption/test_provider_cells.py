"""Every cell of type × proof × redeemable by × whose sign-in, through an identity that is new or known."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from werkzeug.test import TestResponse

from portal.contacts.models import Contact
from portal.invitations.models import ANYONE, GROUP, INVITED, SINGLE
from portal.kernel.db import db
from portal.providers.models import Provider
from tests.redemption import through, ways
from tests.support import make
from tests.support.clients import Client, location
from tests.twins.openid import OpenIdTwin, add_provider

pytestmark = pytest.mark.sqlite_only
LINK, CODE = "link", "code"
NEW, OWN, OTHERS, INVITEES = "new", "own", "others", "invitees"
"""Whose the identity is: nobody's yet, the invited contact's, somebody else's, another invited contact's."""


class Cell(NamedTuple):
    type: str
    by: str
    redeemable_by: str
    meant: str
    """The invited contact: without a sign-in (free), with one whose address was never confirmed (unverified), with one
    whose address was (verified)."""
    identity: str
    expected: str
    """Who redeems: meant (asked: after a question), other, invitee, new; or why nobody does, as the page says it."""


CELLS = [
    Cell(SINGLE, LINK, INVITED, "free", NEW, "meant"),
    Cell(SINGLE, LINK, INVITED, "free", OTHERS, "others"),
    Cell(SINGLE, LINK, INVITED, "unverified", NEW, "replaced"),
    Cell(SINGLE, LINK, INVITED, "unverified", OWN, "meant"),
    Cell(SINGLE, LINK, INVITED, "unverified", OTHERS, "others"),
    Cell(SINGLE, LINK, INVITED, "verified", NEW, "has_sign_in"),
    Cell(SINGLE, LINK, INVITED, "verified", OWN, "meant"),
    Cell(SINGLE, LINK, INVITED, "verified", OTHERS, "others"),
    Cell(SINGLE, CODE, INVITED, "free", NEW, "meant"),
    Cell(SINGLE, CODE, INVITED, "free", OTHERS, "others"),
    Cell(SINGLE, CODE, INVITED, "unverified", NEW, "has_sign_in"),
    Cell(SINGLE, CODE, INVITED, "unverified", OWN, "meant"),
    Cell(SINGLE, CODE, INVITED, "unverified", OTHERS, "others"),
    Cell(SINGLE, CODE, INVITED, "verified", NEW, "has_sign_in"),
    Cell(SINGLE, CODE, INVITED, "verified", OWN, "meant"),
    Cell(SINGLE, CODE, INVITED, "verified", OTHERS, "others"),
    Cell(SINGLE, LINK, ANYONE, "free", NEW, "meant"),
    Cell(SINGLE, LINK, ANYONE, "free", OTHERS, "others"),
    Cell(SINGLE, LINK, ANYONE, "verified", NEW, "has_sign_in"),
    Cell(SINGLE, LINK, ANYONE, "unverified", NEW, "replaced"),
    Cell(SINGLE, CODE, ANYONE, "free", NEW, "new"),
    Cell(SINGLE, CODE, ANYONE, "free", OTHERS, "other"),
    Cell(SINGLE, CODE, ANYONE, "verified", NEW, "new"),
    Cell(SINGLE, CODE, ANYONE, "verified", OWN, "meant"),
    Cell(GROUP, LINK, INVITED, "free", NEW, "meant"),
    Cell(GROUP, LINK, INVITED, "free", OTHERS, "others"),
    Cell(GROUP, LINK, INVITED, "free", INVITEES, "invitee"),
    Cell(GROUP, LINK, INVITED, "unverified", NEW, "replaced"),
    Cell(GROUP, LINK, INVITED, "unverified", OWN, "meant"),
    Cell(GROUP, LINK, INVITED, "verified", NEW, "has_sign_in"),
    Cell(GROUP, LINK, INVITED, "verified", OWN, "meant"),
    Cell(GROUP, LINK, INVITED, "verified", OTHERS, "others"),
    Cell(GROUP, LINK, ANYONE, "free", NEW, "meant"),
    Cell(GROUP, LINK, ANYONE, "free", OTHERS, "other"),
    Cell(GROUP, LINK, ANYONE, "unverified", NEW, "replaced"),
    Cell(GROUP, LINK, ANYONE, "verified", NEW, "has_sign_in"),
    Cell(GROUP, LINK, ANYONE, "verified", OWN, "meant"),
    Cell(GROUP, CODE, INVITED, "free", NEW, "use_link"),
    Cell(GROUP, CODE, INVITED, "unverified", NEW, "use_link"),
    Cell(GROUP, CODE, INVITED, "verified", NEW, "use_link"),
    Cell(GROUP, CODE, INVITED, "verified", OWN, "meant"),
    Cell(GROUP, CODE, INVITED, "free", INVITEES, "invitee"),
    Cell(GROUP, CODE, INVITED, "free", OTHERS, "others"),
    Cell(GROUP, CODE, ANYONE, "free", NEW, "new"),
    Cell(GROUP, CODE, ANYONE, "verified", NEW, "new"),
    Cell(GROUP, CODE, ANYONE, "verified", OWN, "meant"),
    Cell(GROUP, CODE, ANYONE, "free", OTHERS, "other"),
    Cell(GROUP, CODE, ANYONE, "free", INVITEES, "invitee"),
]
REFUSALS = {"others": 409, "has_sign_in": 409, "use_link": 409}


class Scene(NamedTuple):
    people: dict[str, int]
    invitation_id: int
    role_id: int


@pytest.fixture
def provider(app: object, openid: OpenIdTwin) -> Provider:
    return add_provider(openid)


def scene(cell: Cell, client: Client, provider: Provider, openid: OpenIdTwin) -> Scene:
    """The invitation with its contacts, and the browser on its review page; at the provider somebody is signed in
    whose address says nothing about whom it could be."""
    verified = cell.meant == "verified"
    meant = make.make_contact("Anna", "Weber", "anna@invited.example", verified=verified)
    if cell.meant != "free":
        make.make_credential(meant, "anna")
        through.link(meant, provider, OWN)
    other = make.make_contact("Ben", "Other", "ben@other.example", verified=True)
    through.link(other, provider, OTHERS)
    invitee = make.make_contact("Ines", "Invited", "ines@invited.example", verified=True)
    through.link(invitee, provider, INVITEES)
    role = make.make_role("Supplier")
    contacts = [meant, invitee] if cell.type == GROUP else [meant]
    more: dict[str, Any] = {"type": cell.type, "redeemable_by": cell.redeemable_by, "sent": True, "roles": [role]}
    invitation = make.make_invitation(*contacts, **more)
    people = {"meant": meant.id, "replaced": meant.id, "other": other.id, "invitee": invitee.id}
    there = Scene(people, invitation.id, role.id)
    email = "anna@invited.example" if cell.by == LINK or cell.expected == "meant" else "somebody@elsewhere.example"
    openid.user = openid.person(cell.identity, email=email, email_verified=False)
    ways.arrive(client, cell.by, invitation, meant)
    client.get("/redeem/review")
    return there


def come_back(client: Client) -> TestResponse:
    """Through the provider, from whichever page offers it."""
    offered = [form for form in client.page("/redeem/review").posts if form.action == "/sign-in/openid"]
    return through.go(client, "/redeem/review" if offered else "/sign-in?next=/redeem/review")


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: "-".join(c[:5]))
def test_a_cell(cell: Cell, client: Client, provider: Provider, openid: OpenIdTwin, dump: Callable[[], object]) -> None:
    there, people_before = scene(cell, client, provider, openid), ways.contacts()
    before = dump()
    response = come_back(client)
    if cell.expected in REFUSALS:
        assert (response.status_code, through.why(response)) == (REFUSALS[cell.expected], cell.expected)
        assert dump() == before, "nothing was written"
        assert client.get("/profile").status_code == 303, "nobody is signed in"
        return
    if cell.expected == "replaced":
        assert location(response) == "/sign-in/openid/confirm"
        assert dump() == before, "asked before anything is taken away"
        response = client.post_form("/sign-in/openid/confirm")
    assert (response.status_code, location(response)) == (303, "/welcome")
    redeemer = there.people.get(cell.expected) or max(db.session.scalars(db.select(Contact.id)))
    assert ways.contacts() == people_before + (cell.expected == "new")
    assert ways.redemptions() == [(there.invitation_id, redeemer)]
    assert ways.holders(there.role_id) == {redeemer}
    assert through.identities()[cell.identity] == redeemer
    assert (OWN in through.identities()) == (cell.meant != "free" and cell.expected != "replaced")
    assert ("anna" in ways.sign_ins().values()) == (cell.meant != "free" and cell.expected != "replaced")
    proven = cell.by == LINK and redeemer == there.people["meant"]
    before_that = cell.meant == "verified" or cell.expected in ("other", "invitee")
    contact = db.session.get_one(Contact, redeemer)
    assert (contact.email1_verified_at is not None) == (proven or (before_that and cell.expected != "new"))
    assert client.page("/welcome").heading.startswith("Welcome")
