"""The ways in, as an invitee walks them; shared by the tests of redeeming."""

from typing import Any

from werkzeug.test import TestResponse

from portal.contacts.models import Contact, ContactWebRole
from portal.identity.models import Credential
from portal.invitations import links, queries
from portal.invitations.models import Invitation, Redemption
from portal.kernel.db import db
from tests.support import make
from tests.support.clients import Client

NEW = {"username": "newcomer", "password": make.PASSWORD, "confirm": make.PASSWORD}
STRANGER = {**NEW, "email": "newcomer@elsewhere.example", "first_name": "New", "last_name": "Comer"}


def link_of(invitation: Invitation, contact: Contact) -> str:
    """The path of the link mailed to this contact."""
    invited = queries.invitee(invitation.id, contact.id)
    assert invited is not None
    return f"/i/{links.token(invitation, invited, contact)}"


def open_link(browser: Client, invitation: Invitation, contact: Contact) -> None:
    """Open the mailed link."""
    response = browser.get(link_of(invitation, contact))
    assert (response.status_code, response.headers["Location"]) == (303, "/redeem/review")


def type_code(browser: Client, code: str | Invitation, **more: Any) -> TestResponse:
    """Type a code and press the button."""
    text = make.code_of(code) if isinstance(code, Invitation) else code
    return browser.post_form("/redeem", {"code": text}, **more)


def arrive(browser: Client, by: str, invitation: Invitation, contact: Contact | None = None) -> None:
    """Come by `link` or by `code`, up to the review page."""
    if by == "link":
        assert contact is not None
        open_link(browser, invitation, contact)
    else:
        assert type_code(browser, invitation).status_code == 303


def sign_up(browser: Client, page: str = "/redeem/review", **typed: str) -> TestResponse:
    """See the review page, and fill in the form for a new sign-in there or where it leads."""
    browser.get("/redeem/review")
    offered = browser.page(page).form("/sign-up").names
    return browser.post_form("/sign-up", {k: v for k, v in {**STRANGER, **typed}.items() if k in offered}, page=page)


def sign_in(
    browser: Client, username: str, password: str = make.PASSWORD, *, page: str = "/redeem/review"
) -> TestResponse:
    """Take a page's way to signing in."""
    where = browser.page(page).link("ign in" if page == "/redeem/review" else "Sign in")
    return browser.post_form(where, {"identifier": username, "password": password})


def accept(browser: Client) -> TestResponse:
    """Press *Accept*, or post the same by hand where the button is not shown."""
    token = browser.token("/redeem/review")
    return browser.post("/redeem/accept", data={"csrf_token": token})


def redemptions() -> list[tuple[int, int]]:
    """(invitation, contact) of all redemptions."""
    return sorted((r.invitation_id, r.contact_id) for r in db.session.scalars(db.select(Redemption)))


def used(invitation: Invitation) -> int:
    """The seats taken, as stored."""
    return db.session.get_one(Invitation, invitation.id, populate_existing=True).used


def sign_ins() -> dict[int, str]:
    """Username by contact."""
    return {c.contact_id: c.username for c in db.session.scalars(db.select(Credential))}


def contacts() -> int:
    """How many contacts there are."""
    return db.session.scalar(db.select(db.func.count()).select_from(Contact)) or 0


def holders(role_id: int) -> set[int]:
    """Who has a web role."""
    return set(db.session.scalars(db.select(ContactWebRole.contact_id).where(ContactWebRole.web_role_id == role_id)))
