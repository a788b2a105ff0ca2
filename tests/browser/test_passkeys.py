"""Passkeys in Chromium, with its virtual authenticator: making one, signing in with it, and what happens without."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.invitations.models import Redemption
from portal.kernel.db import db
from portal.passkeys.models import Passkey
from tests.browser.conftest import Window
from tests.redemption.ways import link_of
from tests.support import make

Visit = Callable[..., Window]
CREATE, SIGN_IN, ADD = "Accept with a passkey", "Sign in with a passkey", "Add a passkey"


def authenticator(window: Window, **more: Any) -> tuple[Any, str]:
    """A device with a fingerprint reader that always says yes, in this window; the session that steers it, its id."""
    steering = window.context.new_cdp_session(window.page)
    steering.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True, **more}
    made = steering.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return steering, made["authenticatorId"]


def press(window: Window, label: str) -> None:
    window.page.get_by_role("button", name=label).click()


def note(window: Window) -> str:
    return window.page.locator("[data-passkey-note]:not(:empty)").inner_text()


def sign_out(window: Window) -> None:
    window.open("/profile")
    press(window, "Sign out")
    window.page.wait_for_url(window.url("/"))


@pytest.fixture
def anna(app: Flask) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example")


def test_an_invitation_is_accepted_with_a_new_passkey_and_the_next_one_with_it(visit: Visit, anna: Contact) -> None:
    window = visit()
    authenticator(window)
    first, second = (make.make_invitation(anna, name=name) for name in ("First", "Second"))
    paths = [link_of(one, anna) for one in (first, second)]
    window.open(paths[0])
    assert window.page.get_by_text("or with a password").is_visible()
    press(window, CREATE)
    window.page.wait_for_url("**/welcome")
    sign_out(window)
    window.open(paths[1])
    press(window, "Accept with my passkey")
    window.page.wait_for_url("**/welcome")
    db.session.rollback()
    assert db.session.scalars(db.select(Redemption.signed_in_by)).all() == ["passkey", "passkey"]
    key = db.session.scalars(db.select(Passkey)).one()
    assert (key.contact_id, key.name, key.used_at is not None) == (anna.id, "Chrome on Linux", True)


def test_a_stranger_signs_up_with_a_group_code(visit: Visit, app: Flask) -> None:
    window = visit(width=390)
    authenticator(window)
    code = make.code_of(make.make_invitation(type="group"))
    window.open(f"/redeem?code={code}")
    press(window, CREATE)
    window.page.wait_for_url("**/sign-up/passkey")
    assert "Please fill this in." in window.text()
    window.page.get_by_label("E-mail address").fill("new@x.example")
    window.page.get_by_label("First name").fill("Nora")
    press(window, CREATE)
    window.page.wait_for_url("**/welcome")
    db.session.rollback()
    assert db.session.scalars(db.select(Contact.email1)).all() == ["new@x.example"]


def test_a_passkey_is_added_on_the_profile_used_and_removed(visit: Visit, app: Flask) -> None:
    window = visit()
    steering, device = authenticator(window)
    person = make.make_contact("Bea", "Berg", "bea@x.example", username="bea", verified=True)
    window.sign_in(person)
    press(window, ADD)
    window.page.get_by_text("The passkey is added.").wait_for()
    press(window, ADD)
    assert "a passkey for you already" in note(window)
    window.page.get_by_role("link", name="Chrome on Linux").click()
    window.page.get_by_label("Name of the passkey").fill("Work laptop")
    press(window, "Save")
    window.page.get_by_role("link", name="Work laptop").wait_for()
    sign_out(window)
    window.open("/sign-in?next=/profile")
    press(window, SIGN_IN)
    window.page.wait_for_url("**/profile")
    window.page.get_by_role("link", name="Work laptop").click()
    press(window, "Remove this passkey")
    window.page.get_by_text("“Work laptop” is removed.").wait_for()
    assert len(steering.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]) == 1
    sign_out(window)
    window.open("/sign-in")
    press(window, SIGN_IN)
    window.page.get_by_role("heading", name="That did not work").wait_for()
    window.page.get_by_role("link", name="Sign in another way").click()
    window.page.locator("input[name=password]").wait_for()


def test_who_does_not_show_the_finger_is_told_and_can_type_the_password(visit: Visit, app: Flask) -> None:
    window = visit()
    authenticator(window, isUserVerified=False)
    person = make.make_contact("Bea", "Berg", "bea@x.example", username="bea", verified=True)
    window.open("/sign-in")
    press(window, SIGN_IN)
    assert "cancelled, or took too long" in note(window)
    window.page.fill("input[name=identifier]", "bea")
    window.page.fill("input[name=password]", make.PASSWORD)
    window.page.get_by_role("button", name="Sign in", exact=True).click()
    window.page.wait_for_url("**/profile")
    assert person.name in window.text()


def test_staff_add_one_and_sign_in_with_it(visit: Visit, app: Flask) -> None:
    window = visit()
    authenticator(window)
    window.sign_in(make.make_staff("owner"))
    window.open("/staff/profile")
    press(window, ADD)
    window.page.get_by_text("The passkey is added.").wait_for()
    window.context.clear_cookies()
    window.open("/staff/sign-in?next=/staff/contacts/")
    press(window, SIGN_IN)
    window.page.wait_for_url("**/staff/contacts/")


def test_the_list_of_the_username_field_offers_it(visit: Visit, app: Flask) -> None:
    """Chromium's virtual authenticator chooses from the list by itself as soon as it is asked for."""
    window = visit()
    authenticator(window)
    window.sign_in(make.make_contact("Bea", "Berg", "bea@x.example", username="bea", verified=True))
    press(window, ADD)
    window.page.get_by_text("The passkey is added.").wait_for()
    sign_out(window)
    window.open("/sign-in")
    field = window.page.locator("input[name=identifier]")
    window.page.wait_for_function("document.querySelector('input[name=identifier]').autocomplete.includes('webauthn')")
    field.press("b")
    window.page.wait_for_url("**/profile")


def test_without_scripts_there_is_no_button(visit: Visit, anna: Contact) -> None:
    window = visit(javascript=False)
    window.open("/sign-in")
    assert window.page.locator("[data-passkey]").count() == 1
    assert not window.page.locator("[data-passkey]").is_visible()


def test_a_browser_without_webauthn_shows_no_button(visit: Visit, anna: Contact) -> None:
    window = visit()
    window.context.add_init_script("delete window.PublicKeyCredential")
    window.open("/sign-in")
    assert not window.page.locator("[data-passkey]").is_visible()
