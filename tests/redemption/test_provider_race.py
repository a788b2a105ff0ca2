"""Several come back from a provider at the same moment: one identity is one person's, one journey ends once."""

import threading
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from werkzeug.test import TestResponse

from portal.contacts.models import Contact
from portal.identity import queries as identity
from portal.providers.models import Provider
from tests.redemption import through, ways
from tests.support import make
from tests.support.clients import Client
from tests.twins.openid import ABSENT, OpenIdTwin, add_provider, ec_key, rsa_key, sign_in_at

NewClient = Callable[[], Client]
MANY = 8


@pytest.fixture
def provider(app: object, openid: OpenIdTwin) -> Provider:
    openid.user = openid.person("one", email=ABSENT)
    rsa_key(openid.kid), rsa_key(f"{openid.kid}-ps"), ec_key(f"{openid.kid}-ec")  # not by several threads at once
    return add_provider(openid)


def at_once(doings: Sequence[Callable[[], TestResponse]]) -> Counter[int]:
    """The statuses of what is done at the same moment, each in a thread of its own."""
    gate, answers = threading.Barrier(len(doings)), []

    def do(doing: Callable[[], TestResponse]) -> None:
        gate.wait()
        answers.append(doing().status_code)

    threads = [threading.Thread(target=do, args=(doing,)) for doing in doings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(answers)


def same_browser(browser: Client, new_client: NewClient) -> Client:
    """One more tab: a client with the same cookie."""
    cookie, tab = browser.get_cookie("portal"), new_client()
    assert cookie is not None
    tab.set_cookie("portal", cookie.value)
    return tab


def test_one_identity_becomes_one_contacts(new_client: NewClient, provider: Provider) -> None:
    backs = []
    for _number in range(MANY):
        browser, contact = new_client(), make.make_contact()
        ways.open_link(browser, make.make_invitation(contact, sent=True), contact)
        browser.get("/redeem/review")
        backs.append((browser, sign_in_at(browser, through.start(browser))))
    answers = at_once([lambda b=browser, u=url: b.get(u) for browser, url in backs])  # type: ignore[misc]
    assert answers == {303: 1, 409: MANY - 1}
    assert len(ways.redemptions()) == 1
    assert through.identities() == {"one": ways.redemptions()[0][1]}


def test_one_journey_ends_once(client: Client, new_client: NewClient, provider: Provider, openid: OpenIdTwin) -> None:
    contact = make.make_contact()
    ways.open_link(client, make.make_invitation(contact, sent=True), contact)
    client.get("/redeem/review")
    back = sign_in_at(client, through.start(client))
    tabs = [same_browser(client, new_client) for _number in range(MANY)]
    answers = at_once([lambda t=tab: t.get(back) for tab in tabs])  # type: ignore[misc]
    assert answers == {303: 1, 400: MANY - 1}
    assert len(openid.to("/token")) == 1
    assert len(ways.redemptions()) == 1


def test_one_answer_counts_once(client: Client, new_client: NewClient, provider: Provider, openid: OpenIdTwin) -> None:
    contact = make.make_contact("Anna", "Weber", "anna@invited.example")
    openid.user = openid.person("one", email="other@elsewhere.example")
    ways.open_link(client, make.make_invitation(contact, sent=True), contact)
    client.get("/redeem/review")
    through.go(client)
    form = client.page("/sign-in/openid/confirm").form("/sign-in/openid/confirm")
    typed = {"csrf_token": form.token, "seen": form.values["seen"][0]}
    tabs = [same_browser(client, new_client) for _number in range(MANY)]
    posts = [lambda t=tab: t.post("/sign-in/openid/confirm", data=typed) for tab in tabs]
    answers = at_once(posts)
    assert set(answers) <= {303, 400, 409, 422}
    assert ways.redemptions() == [(1, contact.id)]
    assert through.identities() == {"one": contact.id}


def test_a_contact_is_found_by_address_once(new_client: NewClient, provider: Provider, openid: OpenIdTwin) -> None:
    contact = make.make_contact("Anna", "Weber", "anna@invited.example")
    backs = []
    for number in range(4):
        openid.user = openid.person(f"anna{number}", email="anna@invited.example")
        browser = new_client()
        backs.append((browser, sign_in_at(browser, through.start(browser, "/sign-in"))))
    answers = at_once([lambda b=browser, u=url: b.get(u) for browser, url in backs])  # type: ignore[misc]
    assert set(answers) <= {303, 403, 409}
    assert set(through.identities().values()) == {contact.id}
    assert len(identity.identities(contact.id)) == 1, "whoever comes second finds a sign-in there"


def test_the_contact_is_the_invited_one_whoever_else_signs_up(
    client: Client, new_client: NewClient, provider: Provider
) -> None:
    """By password and by a provider at once: one sign-in on the invited record, never two people's."""
    contact: Contact = make.make_contact("Anna", "Weber", "anna@invited.example")
    invitation, other = make.make_invitation(contact), new_client()
    for browser in (client, other):
        ways.type_code(browser, invitation)
        browser.get("/redeem/review")
    back = sign_in_at(client, through.start(client))
    form = other.page("/redeem/review").form("/sign-up")
    typed = {"csrf_token": form.token, "seen": form.values["seen"][0], **ways.NEW}
    answers = at_once([lambda: client.get(back), lambda: other.post("/sign-up", data=typed)])
    assert answers[303] == 1
    assert set(answers) <= {303, 409, 410}
    assert (len(through.identities()), len(ways.sign_ins())) in ((1, 0), (0, 1))
    assert ways.redemptions() == [(invitation.id, contact.id)]
