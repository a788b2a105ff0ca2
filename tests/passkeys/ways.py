"""Passkeys as browsers without a real authenticator use them; shared by the tests of passkeys."""

from typing import Any

from werkzeug.test import TestResponse

from portal.contacts.models import Contact
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.passkeys.models import Passkey
from portal.staff.models import StaffMember
from tests.support.clients import Client
from tests.twins.authenticator import Authenticator, Key

PERSONAL = ("first_name", "last_name", "email")


def ask(browser: Client, url: str, page: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """The options that the script on `page` gets from `url`, with the token for what comes next."""
    answer = browser.post(url, data=data or {}, headers={"X-CSRFToken": browser.token(page)})
    assert answer.status_code == 200, f"{url}: {answer.status} {answer.get_data(as_text=True)[:200]}"
    told: dict[str, Any] = answer.get_json()
    return told


def send(browser: Client, url: str, told: dict[str, Any], credential: str, **more: Any) -> TestResponse:
    """Post an answer, with the token that came with the options."""
    return browser.post(url, data={"csrf_token": told["csrf_token"], "credential": credential, **more})


def sign_in(browser: Client, device: Authenticator, *, page: str = "/sign-in", **more: Any) -> TestResponse:
    """Sign in with the device's last key; `more` are twists of the authenticator, or `seen` and `next`."""
    sent = {name: more.pop(name) for name in ("seen", "next") if name in more}
    base = "/staff" if page.startswith("/staff") else ""
    told = ask(browser, f"{base}/sign-in/passkey/options", page)
    return send(browser, f"{base}/sign-in/passkey", told, device.use(told["publicKey"], **more), **sent)


def sign_up(browser: Client, device: Authenticator, typed: dict[str, str], page: str) -> TestResponse:
    """Press the passkey button of the sign-up form on this page."""
    form = browser.page(page).form("/sign-up")
    sends = {name: values[0] for name, values in form.values.items() if name in ("seen", *PERSONAL)}
    sends |= {name: value for name, value in typed.items() if name in form.names}
    told = ask(browser, "/sign-up/passkey/options", page, sends)
    return send(browser, "/sign-up/passkey", told, device.make(told["publicKey"]), **sends)


def give(person: Contact | StaffMember, device: Authenticator | None = None, name: str = "Key") -> Authenticator:
    """A passkey for somebody, on this device or on a new one."""
    device = device or Authenticator()
    key = Key("localhost", b"handle of %d" % person.id)
    device.keys.append(key)
    column = "contact_id" if isinstance(person, Contact) else "staff_id"
    values = {column: person.id, "credential_id": key.id, "public_key": key.public, "handle": key.handle}
    with transaction():
        db.session.add(Passkey(**values, name=name, transports=["internal"], created_at=clock.now()))
    return device


def stored() -> list[Passkey]:
    """All passkeys there are."""
    return list(db.session.scalars(db.select(Passkey).order_by(Passkey.id)))
