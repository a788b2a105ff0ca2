"""Where somebody wants to go on to is always a page of the site: every way of signing in, plain and with htmx."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from werkzeug.test import TestResponse

from portal.contacts.models import Contact
from portal.identity import links
from portal.identity.models import OneTimeLink
from portal.kernel.db import db
from portal.staff.models import StaffMember
from tests.redemption import ways
from tests.support import make
from tests.support.clients import HTMX, Client
from tests.support.clock import FrozenClock
from tests.support.targets import HOSTILE
from tests.twins.openid import OpenIdTwin, add_provider, sign_in_at

pytestmark = pytest.mark.sqlite_only
SignInAs = Callable[[str | StaffMember | Contact], Client]
hostile = pytest.mark.parametrize("target", HOSTILE, ids=repr)
shapes = pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])


@pytest.fixture
def anna() -> Contact:
    """Somebody who can sign in."""
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


def assert_stays(response: TestResponse) -> None:
    """Whatever the answer sends the browser to is a page of ours, in either header."""
    assert response.status_code < 500
    for header in ("Location", "HX-Redirect", "HX-Location", "Refresh"):
        led = response.headers.get(header, "/")
        parts = urlsplit(led)
        assert (parts.scheme, parts.netloc) == ("", ""), (header, led)
        assert led.startswith("/"), (header, led)
        assert not led.startswith(("//", "/\\")), (header, led)
        assert not any(ord(c) <= 0x20 for c in led), (header, led)


def page_and_query(path: str, target: str) -> dict[str, object]:
    return {"path": path, "query_string": {"next": target}}


@shapes
@hostile
def test_signing_in_with_a_password(client: Client, anna: Contact, target: str, headers: dict[str, str]) -> None:
    typed = {"csrf_token": client.token("/sign-in"), "identifier": "anna", "password": make.PASSWORD}
    arrived = client.post(**page_and_query("/sign-in", target), data=typed, headers=headers)
    assert arrived.status_code == 303
    assert_stays(arrived)
    assert_stays(client.get(**page_and_query("/sign-in", target), headers=headers))


@shapes
@hostile
def test_signing_in_with_a_second_factor(client: Client, anna: Contact, target: str, headers: dict[str, str]) -> None:
    make.set_site(two_factor=True)
    typed = {"csrf_token": client.token("/sign-in"), "identifier": "anna", "password": make.PASSWORD}
    asked = client.post(**page_and_query("/sign-in", target), data=typed, headers=headers)
    assert asked.status_code == 303
    assert_stays(asked)
    verify = asked.headers["Location"]
    [link] = db.session.scalars(db.select(OneTimeLink))
    code = links.code(make.ring(), link.public_id, link.id, link.email_key)
    typed = {"csrf_token": client.token(verify), "code": code}
    arrived = client.post(verify, data=typed, headers=headers)
    assert arrived.status_code == 303
    assert_stays(arrived)


@shapes
@hostile
def test_signing_in_through_a_provider(
    client: Client, anna: Contact, openid: OpenIdTwin, target: str, headers: dict[str, str]
) -> None:
    provider = add_provider(openid)
    make.make_identity(anna, provider, subject="anna")
    sent = {"csrf_token": client.token("/sign-in"), "next": target}
    back = sign_in_at(client, client.post(f"/sign-in/{provider.slug}", data=sent))
    arrived = client.get(back, headers=headers)
    assert arrived.status_code == 303
    assert_stays(arrived)


@shapes
@hostile
def test_proving_once_more_who_one_is(
    sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock, target: str, headers: dict[str, str]
) -> None:
    browser = sign_in_as(anna)
    frozen_clock.move(minutes=11)
    token = browser.token("/sign-in/again")
    typed = {"csrf_token": token, "password": make.PASSWORD}
    assert_stays(browser.post(**page_and_query("/sign-in/again", target), data=typed, headers=headers))


@shapes
@hostile
def test_after_an_invitation(client: Client, anna: Contact, target: str, headers: dict[str, str]) -> None:
    code = make.code_of(make.make_invitation(anna))
    asked = {"invitation": code, "returnurl": target}
    assert_stays(client.get("/register", query_string=asked, headers=headers))
    arrived = ways.sign_in(client, "anna")
    assert arrived.status_code == 303
    assert_stays(arrived)


@shapes
@hostile
def test_signing_in_to_the_staff_side(
    client: Client, sign_in_as: SignInAs, frozen_clock: FrozenClock, target: str, headers: dict[str, str]
) -> None:
    owner = make.make_staff("owner")
    typed = {"csrf_token": client.token("/staff/sign-in"), "email": owner.email, "password": make.PASSWORD}
    arrived = client.post(**page_and_query("/staff/sign-in", target), data=typed, headers=headers)
    assert arrived.status_code == 303
    assert_stays(arrived)
    frozen_clock.move(minutes=11)
    token = client.token("/staff/confirm")
    proof = {"csrf_token": token, "password": make.PASSWORD}
    assert_stays(client.post(**page_and_query("/staff/confirm", target), data=proof, headers=headers))
