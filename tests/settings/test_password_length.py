"""The length that the site asks for: said before it is broken, and held wherever a password is chosen."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.kernel.db import db
from portal.kernel.errors import Invalid
from portal.serving import people
from portal.staff.models import StaffMember
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client
from tests.support.pages import Page
from tests.support.world import set_up_token

pytestmark = pytest.mark.sqlite_only
WORDS = "kite lamp river moss violet"
SignInAs = Callable[[str | StaffMember | Contact], Client]


def typed(length: int) -> dict[str, str]:
    password = WORDS[:length]
    return {"username": "newcomer", "current": make.PASSWORD, "password": password, "confirm": password}


def places(client: Client, sign_in_as: SignInAs) -> dict[str, Client]:
    """Where a password is chosen, with a browser that may."""
    contact = make.make_contact("Nina", "Neu", "nina@x.example")
    ways.open_link(client, make.make_invitation(contact, sent=True), contact)
    client.get("/redeem/review")
    newcomer = make.make_staff("manager", name="Nils Neu", password=None)
    set_up = f"/staff/set-up/{set_up_token(newcomer.id)}"
    return {
        "/sign-up": client,
        "/profile/password": sign_in_as("stranger"),
        set_up: client,
        "/staff/profile": sign_in_as("manager"),
    }


@pytest.mark.parametrize("least", [8, 20])
def test_it_is_said_and_holds_on_every_page(client: Client, sign_in_as: SignInAs, least: int) -> None:
    make.set_site(minimum_password_length=least)
    for url, browser in places(client, sign_in_as).items():
        page = browser.page(url)
        form = next(form for form in page.posts if {"password", "confirm"} <= form.names)
        assert f"At least {least} characters" in page.text, url
        values = {name: values[0] for name, values in form.values.items()}
        target = form.action or url

        def send(length: int, to: str = target, held: dict[str, str] = values, by: Client = browser) -> Page:
            new = {name: value for name, value in typed(length).items() if name in held}
            return Page(by.post(to, data={**held, **new}))

        refused = send(least - 1)
        assert (refused.status, refused.errors.get("password", "")[:30]) == (
            422,
            f"Please use at least {least} characters."[:30],
        ), url
        assert send(least).status == 303, url


def test_it_holds_on_the_command_line_too(app: object) -> None:
    make.set_site(minimum_password_length=20)
    with pytest.raises(Invalid, match="at least 20"):
        people.add("ida@staff.example", "Ida Ilg", "viewer", WORDS[:19])
    people.add("ida@staff.example", "Ida Ilg", "viewer", WORDS[:20])
    assert db.session.scalars(db.select(StaffMember).filter_by(email="ida@staff.example")).one()


def test_passwords_that_were_chosen_before_keep_working(sign_in_as: SignInAs) -> None:
    for who in ("stranger", "manager"):
        sign_in_as(who)
    make.set_site(minimum_password_length=64)
    for who in ("stranger", "manager"):
        sign_in_as(who)
