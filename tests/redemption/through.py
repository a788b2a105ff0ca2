"""Signing in through a provider, as a person walks it; shared by the tests of redeeming."""

from typing import Any

from werkzeug.test import TestResponse

from portal.contacts.models import Contact
from portal.identity.models import ExternalIdentity
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.providers.models import Provider
from tests.support.clients import Client
from tests.twins.openid import sign_in_at


def start(browser: Client, page: str = "/redeem/review", slug: str = "openid", **typed: Any) -> TestResponse:
    """Press the provider's button on a page."""
    return browser.post_form(f"/sign-in/{slug}", typed, page=page)


def go(browser: Client, page: str = "/redeem/review", slug: str = "openid", **typed: Any) -> TestResponse:
    """Press it, sign in there at once, and come back: what the callback answers."""
    return browser.get(sign_in_at(browser, start(browser, page, slug, **typed)))


def link(contact: Contact, provider: Provider, subject: str) -> None:
    """Give a contact this identity, as if they had linked it before."""
    values = {"contact_id": contact.id, "provider_id": provider.id, "issuer": provider.issuer, "subject": subject}
    with transaction():
        db.session.add(ExternalIdentity(**values, created_at=clock.now()))


def identities() -> dict[str, int]:
    """Contact by subject."""
    return {i.subject: i.contact_id for i in db.session.scalars(db.select(ExternalIdentity))}


def why(response: TestResponse) -> str:
    """The reason that a refusing page gives."""
    from tests.support.pages import Page

    return Page(response).testid("provider-refused").attrs["data-why"]
