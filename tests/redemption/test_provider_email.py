"""What a provider says of an address, and what it is worth: only a real `true` of a provider that is trusted for it."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.kernel.db import db, transaction
from portal.providers.models import Provider
from tests.redemption import through, ways
from tests.support import make
from tests.support.clients import Client, location
from tests.twins.openid import ABSENT, OpenIdTwin, add_provider

pytestmark = pytest.mark.sqlite_only
ANNA = "anna@invited.example"
WORTHLESS = [(False, True), ("true", True), ("True", True), (1, True), ([True], True), (None, True), (ABSENT, True)]
UNTRUSTED = [(True, False), ("true", False)]


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", ANNA)


@pytest.mark.parametrize(("says", "trusted"), [*WORTHLESS, *UNTRUSTED], ids=repr)
def test_an_address_that_is_not_proven_opens_nothing(
    says: object, trusted: bool, client: Client, anna: Contact, openid: OpenIdTwin, dump: Callable[[], object]
) -> None:
    add_provider(openid, trusted_for_email=trusted)
    openid.user = openid.person("attacker", email=ANNA, email_verified=says)
    before = dump()
    response = through.go(client, "/sign-in")
    assert (response.status_code, through.why(response)) == (403, "stranger")
    assert dump() == before
    assert not through.identities()
    assert client.get("/profile").status_code == 303


@pytest.mark.parametrize(("says", "trusted"), [*WORTHLESS, *UNTRUSTED], ids=repr)
def test_nor_does_it_confirm_one(
    says: object, trusted: bool, client: Client, anna: Contact, openid: OpenIdTwin
) -> None:
    add_provider(openid, trusted_for_email=trusted)
    openid.user = openid.person("anna", email=ANNA, email_verified=says)
    ways.type_code(client, make.make_invitation(anna))
    client.get("/redeem/review")
    assert location(through.go(client)) == "/welcome"
    assert db.session.get_one(Contact, anna.id).email1_verified_at is None


def test_a_proven_one_confirms_the_invited_address_after_a_code(
    client: Client, anna: Contact, openid: OpenIdTwin
) -> None:
    add_provider(openid)
    openid.user = openid.person("anna", email="Anna@INVITED.example")
    ways.type_code(client, make.make_invitation(anna))
    client.get("/redeem/review")
    assert location(through.go(client)) == "/welcome"
    assert db.session.get_one(Contact, anna.id).email1_verified_at is not None


def test_a_proven_one_finds_the_contact_who_has_no_sign_in(client: Client, anna: Contact, openid: OpenIdTwin) -> None:
    add_provider(openid)
    openid.user = openid.person("anna", email=ANNA)
    assert location(through.go(client, "/sign-in")) == "/profile"
    assert through.identities() == {"anna": anna.id}
    assert db.session.get_one(Contact, anna.id).email1_verified_at is not None


@pytest.mark.parametrize(
    "found", ["two", "password", "identity", "inactive", "similar", "no registration", "second address"]
)
def test_it_finds_nobody_else(
    found: str, client: Client, anna: Contact, openid: OpenIdTwin, dump: Callable[[], object]
) -> None:
    provider = add_provider(openid)
    openid.user = openid.person("attacker", email="ann\u0131@invited.example" if found == "similar" else ANNA)
    if found == "two":
        make.make_contact("Anna", "Again", ANNA)
    if found == "password":
        make.make_credential(anna, "anna")
    if found == "identity":
        through.link(anna, provider, "anna")
    if found == "no registration":
        make.set_site(registration_enabled=False)
    anna_id = anna.id
    with transaction():
        contact = db.session.get_one(Contact, anna_id)
        contact.active = found != "inactive"
        if found == "second address":
            contact.email1, contact.email1_key, contact.email2 = "x@invited.example", "x@invited.example", ANNA
    before = dump()
    response = through.go(client, "/sign-in")
    assert through.why(response) == "stranger"
    assert dump() == before
    assert client.get("/profile").status_code == 303


def test_two_contacts_and_open_registration_make_a_third(client: Client, anna: Contact, openid: OpenIdTwin) -> None:
    add_provider(openid)
    make.make_contact("Anna", "Again", ANNA)
    make.set_site(open_registration=True)
    openid.user = openid.person("anna", email=ANNA)
    assert location(through.go(client, "/sign-in")) == "/profile"
    assert through.identities()["anna"] not in (anna.id, anna.id + 1)


def test_a_provider_whose_kind_is_never_trusted(client: Client, anna: Contact, openid: OpenIdTwin) -> None:
    provider = add_provider(openid)
    with transaction():
        db.session.get_one(Provider, provider.id).preset = "entra"
    openid.user = openid.person("attacker", email=ANNA)
    assert through.why(through.go(client, "/sign-in")) == "stranger"
