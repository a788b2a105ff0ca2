"""Every cell of type × proof × who stands there × redeemable by: what it shows, and what it changes."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from portal.contacts.models import Contact
from portal.invitations.models import ANYONE, GROUP, INVITED, SINGLE
from portal.kernel.db import db
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, location

SignInAs = Callable[[Contact], Client]
LINK, CODE = "link", "code"


class Cell(NamedTuple):
    type: str
    by: str
    redeemable_by: str
    who: str
    """nobody: not signed in, the invited contact has no sign-in; verified, unverified: not signed in, it has one;
    right, invited, wrong: signed in as the contact, as another invited one, as somebody else."""
    expected: str
    """accept, new contact, own record, replaced; or what the page says where it is refused."""


NOT_YOURS = "This invitation is for somebody else"
ASKED = "You have a sign-in on this site already"
PEOPLE = "This code is for invited people only"
REFUSED = [
    Cell(SINGLE, LINK, INVITED, "verified", ASKED),
    Cell(SINGLE, LINK, INVITED, "wrong", NOT_YOURS),
    Cell(SINGLE, LINK, ANYONE, "verified", ASKED),
    Cell(SINGLE, LINK, ANYONE, "wrong", NOT_YOURS),
    Cell(SINGLE, CODE, INVITED, "verified", ASKED),
    Cell(SINGLE, CODE, INVITED, "unverified", ASKED),
    Cell(SINGLE, CODE, INVITED, "wrong", NOT_YOURS),
    Cell(GROUP, LINK, INVITED, "verified", ASKED),
    Cell(GROUP, LINK, INVITED, "wrong", NOT_YOURS),
    Cell(GROUP, LINK, ANYONE, "verified", ASKED),
    Cell(GROUP, CODE, INVITED, "nobody", PEOPLE),
    Cell(GROUP, CODE, INVITED, "verified", PEOPLE),
    Cell(GROUP, CODE, INVITED, "unverified", PEOPLE),
    Cell(GROUP, CODE, INVITED, "wrong", NOT_YOURS),
]
ALLOWED = [
    Cell(SINGLE, LINK, INVITED, "nobody", "own record"),
    Cell(SINGLE, LINK, INVITED, "unverified", "replaced"),
    Cell(SINGLE, LINK, INVITED, "right", "accept"),
    Cell(SINGLE, LINK, ANYONE, "nobody", "own record"),
    Cell(SINGLE, LINK, ANYONE, "unverified", "replaced"),
    Cell(SINGLE, LINK, ANYONE, "right", "accept"),
    Cell(SINGLE, CODE, INVITED, "nobody", "own record"),
    Cell(SINGLE, CODE, INVITED, "right", "accept"),
    Cell(SINGLE, CODE, ANYONE, "nobody", "new contact"),
    Cell(SINGLE, CODE, ANYONE, "verified", "new contact"),
    Cell(SINGLE, CODE, ANYONE, "right", "accept"),
    Cell(SINGLE, CODE, ANYONE, "wrong", "accept"),
    Cell(GROUP, LINK, INVITED, "nobody", "own record"),
    Cell(GROUP, LINK, INVITED, "unverified", "replaced"),
    Cell(GROUP, LINK, INVITED, "right", "accept"),
    Cell(GROUP, LINK, INVITED, "invited", "accept"),
    Cell(GROUP, LINK, ANYONE, "nobody", "own record"),
    Cell(GROUP, LINK, ANYONE, "unverified", "replaced"),
    Cell(GROUP, LINK, ANYONE, "right", "accept"),
    Cell(GROUP, LINK, ANYONE, "wrong", "accept"),
    Cell(GROUP, CODE, INVITED, "right", "accept"),
    Cell(GROUP, CODE, INVITED, "invited", "accept"),
    Cell(GROUP, CODE, ANYONE, "nobody", "new contact"),
    Cell(GROUP, CODE, ANYONE, "verified", "new contact"),
    Cell(GROUP, CODE, ANYONE, "right", "accept"),
    Cell(GROUP, CODE, ANYONE, "wrong", "accept"),
]


class Scene(NamedTuple):
    browser: Client
    meant: Contact
    person: Contact | None
    invitation: object
    role_id: int


def scene(cell: Cell, client: Client, sign_in_as: SignInAs) -> Scene:
    """The invitation with its contact, and the browser that has come to the review page."""
    username = None if cell.who == "nobody" else "anna"
    meant = make.make_contact(
        "Anna", "Weber", "anna@invited.example", username=username, verified=cell.who not in ("nobody", "unverified")
    )
    others = [make.make_contact("Ines", "Invited", username="ines")] if cell.type == GROUP else []
    role = make.make_role("Supplier")
    invitation = make.make_invitation(
        meant, *others, type=cell.type, redeemable_by=cell.redeemable_by, sent=True, roles=[role]
    )
    people = {"right": meant, "wrong": None, "invited": others[0] if others else None}
    person = people.get(cell.who)
    if cell.who == "wrong":
        person = make.make_contact("Ben", "Other", "ben@other.example", username="ben")
    browser = sign_in_as(person) if person else client
    ways.arrive(browser, cell.by, invitation, meant)
    return Scene(browser, meant, person, invitation, role.id)


@pytest.mark.parametrize("cell", REFUSED, ids=lambda c: f"{c.type}-{c.by}-{c.redeemable_by}-{c.who}")
def test_a_refusing_cell_says_why_and_changes_nothing(
    cell: Cell, client: Client, sign_in_as: SignInAs, dump: Callable[[], object]
) -> None:
    there = scene(cell, client, sign_in_as)
    before = dump()
    page = there.browser.page("/redeem/review")
    assert cell.expected in page.text
    assert not [form for form in page.posts if form.action in ("/sign-up", "/redeem/accept")]
    token = there.browser.token("/redeem/review")
    accepted = there.browser.post("/redeem/accept", data={"csrf_token": token})
    assert accepted.status_code == (409 if there.person else 303)
    if there.person:
        assert cell.expected in accepted.text
        assert there.person.name in accepted.text
        assert page.form("/sign-in/switch")
        if cell.by == LINK or cell.type == SINGLE:
            assert there.meant.name in page.text
    else:
        signed_up = there.browser.post("/sign-up", data={"csrf_token": token, **ways.STRANGER})
        assert signed_up.status_code == 409
    assert dump() == before


@pytest.mark.parametrize("cell", ALLOWED, ids=lambda c: f"{c.type}-{c.by}-{c.redeemable_by}-{c.who}")
def test_an_allowing_cell_redeems_as_the_right_contact(cell: Cell, client: Client, sign_in_as: SignInAs) -> None:
    there = scene(cell, client, sign_in_as)
    people_before = ways.contacts()
    if cell.expected == "accept":
        page = there.browser.page("/redeem/review")
        assert there.person is not None
        assert there.person.name in page.testid("signed-in-as").text
        response = there.browser.post_form("/redeem/accept", page="/redeem/review")
        redeemer = there.person.id
    else:
        response = ways.sign_up(there.browser, page="/sign-up" if cell.expected == "replaced" else "/redeem/review")
        redeemer = there.meant.id
    assert (response.status_code, location(response)) == (303, "/welcome")
    if cell.expected == "new contact":
        redeemer = max(db.session.scalars(db.select(Contact.id)))
        assert redeemer != there.meant.id
    assert ways.contacts() == people_before + (cell.expected == "new contact")
    assert ways.redemptions() == [(there.invitation.id, redeemer)]  # type: ignore[attr-defined]
    assert ways.holders(there.role_id) == {redeemer}
    if cell.expected in ("own record", "replaced", "new contact"):
        assert ways.sign_ins()[redeemer] == "newcomer"
    contact = db.session.get_one(Contact, redeemer)
    proven = cell.by == LINK and redeemer == there.meant.id
    already = redeemer == there.meant.id and cell.who == "right"
    assert (contact.email1_verified_at is not None) == (proven or already)
    assert there.browser.page("/welcome").heading.startswith("Welcome")
