"""Staff who sign in through a provider: who is let in, what is linked, what is refused."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from portal.jobs.models import Job
from portal.journal.models import JournalEntry
from portal.kernel.db import db, transaction
from portal.providers.models import Provider
from portal.staff.models import StaffIdentity, StaffMember
from portal.web.sessions import ServerSession
from tests.support.clients import HTMX, Client, location
from tests.support.clock import FrozenClock
from tests.support.make import make_staff, make_staff_identity, set_site
from tests.support.pages import Page
from tests.twins.openid import OpenIdTwin, add_provider, sign_in_at

SIGN_IN, PROFILE, START = "/staff/sign-in", "/staff/profile", "/staff/sign-in/openid"
CALLBACK = START + "/callback"


@pytest.fixture
def provider(app: Any, openid: OpenIdTwin) -> Provider:
    return add_provider(openid, "openid", for_staff=True)


def start(client: Client, page: str = SIGN_IN) -> Any:
    form = next(form for form in client.page(page).posts if form.action == START)
    return client.post(START, data={name: values[0] for name, values in form.values.items()})


def through(client: Client, page: str = SIGN_IN) -> Any:
    """There and back."""
    return client.get(sign_in_at(client, start(client, page)))


def signed_in(client: Client) -> bool:
    return client.get("/staff/").status_code == 200


def identities() -> list[tuple[int, str]]:
    rows = db.session.scalars(db.select(StaffIdentity).order_by(StaffIdentity.id))
    return [(row.staff_id, row.subject) for row in rows]


def be(openid: OpenIdTwin, sub: str, email: str, **claims: Any) -> None:
    openid.user = openid.person(sub, email=email, **{"email_verified": True, **claims})


@pytest.fixture
def known(provider: Provider, openid: OpenIdTwin, persona: Any) -> StaffMember:
    """The manager, linked."""
    be(openid, "m-1", "elsewhere@private.example")
    make_staff_identity(persona("manager"), provider, "m-1")
    member: StaffMember = persona("manager")
    return member


def test_a_known_identity_is_let_in(client: Client, known: StaffMember, openid: OpenIdTwin) -> None:
    answer = start(client)
    assert answer.status_code == 200
    assert "form-action 'none'" in answer.headers["Content-Security-Policy"]
    answer = client.get(sign_in_at(client, answer))
    assert (answer.status_code, location(answer)) == (303, "/staff/")
    assert signed_in(client)
    entry = db.session.scalars(db.select(JournalEntry)).one()
    assert (entry.action, entry.detail) == ("sign-in.ok", {"by": "provider:openid"})
    assert client.get("/staff/profile/two-factor").status_code == 200, "it is a proof"


def test_it_leads_to_the_page_that_was_asked_for(client: Client, known: StaffMember) -> None:
    asked = location(client.get("/staff/contacts/"))
    assert location(through(client, asked)) == "/staff/contacts/"


def test_htmx_is_led_there_by_a_header(client: Client, known: StaffMember) -> None:
    token = client.token(SIGN_IN)
    answer = client.post(START, data={"csrf_token": token}, headers=HTMX)
    assert answer.headers["HX-Redirect"].startswith("http://127.0.0.1")


def test_somebody_with_a_second_factor_owes_it(client: Client, known: StaffMember, frozen_clock: FrozenClock) -> None:
    number = known.id
    with transaction():
        db.session.get_one(StaffMember, number).totp_confirmed_at = frozen_clock.now
    assert location(through(client)) == "/staff/sign-in/verify"
    assert not signed_in(client)


def test_a_proven_address_that_an_owner_entered_is_linked_once(
    new_client: Any, provider: Provider, openid: OpenIdTwin, persona: Any
) -> None:
    number = persona("editor").id
    be(openid, "e-1", "Editor@Staff.example")
    first = new_client()
    assert location(through(first)) == "/staff/"
    assert signed_in(first)
    assert identities() == [(number, "e-1")]
    be(openid, "e-1", "another@staff.example")
    assert location(through(new_client())) == "/staff/"
    be(openid, "e-2", "editor@staff.example")
    assert through(new_client()).status_code == 403
    assert identities() == [(number, "e-1")]
    jobs = [job.detail["what"] for job in db.session.scalars(db.select(Job))]
    assert jobs == ["identity-linked"]


@pytest.mark.parametrize("proven", [False, "true", 1, None])
def test_an_address_that_is_not_proven_links_nothing(
    client: Client, provider: Provider, openid: OpenIdTwin, persona: Any, proven: Any
) -> None:
    be(openid, "x-1", persona("owner").email, email_verified=proven)
    assert through(client).status_code == 403
    assert identities() == []
    assert not signed_in(client)


def test_nor_does_one_of_a_provider_that_is_not_trusted_for_it(
    client: Client, app: Any, openid: OpenIdTwin, persona: Any
) -> None:
    add_provider(openid, "openid", for_staff=True, trusted_for_email=False)
    be(openid, "x-1", persona("owner").email)
    assert through(client).status_code == 403
    assert identities() == []


def test_whoever_is_unknown_or_inactive_gets_one_answer(
    new_client: Any, provider: Provider, openid: OpenIdTwin
) -> None:
    gone = make_staff(email="gone@staff.example", active=False)
    linked = make_staff(email="linked@staff.example", active=False)
    make_staff_identity(linked, provider, "linked")
    before = identities()
    bodies = set()
    for sub, email in (("new", "nobody@x.example"), ("gone", gone.email), ("linked", "linked@staff.example")):
        be(openid, sub, email)
        browser = new_client()
        answer = through(browser)
        assert answer.status_code == 403
        bodies.add(Page(answer).first("main").text)
        assert not signed_in(browser)
    assert len(bodies) == 1
    assert identities() == before
    assert db.session.scalars(db.select(JournalEntry.action)).all() == ["sign-in.failed"] * 3


@pytest.mark.parametrize("query", ["", "?state=", "?state=x&code=y", "?error=access_denied&state=x", "?code=abc"])
def test_a_return_that_nobody_asked_for_is_believed_nothing_of(
    client: Client, provider: Provider, dump: Any, query: str
) -> None:
    before = dump()
    assert client.get(CALLBACK + query).status_code == 400
    assert dump() == before
    assert not signed_in(client)


def test_a_return_works_once_and_in_one_browser(new_client: Any, known: StaffMember) -> None:
    mine, other = new_client(), new_client()
    back = sign_in_at(mine, start(mine))
    start(other)
    assert other.get(back).status_code == 400
    assert not signed_in(other)
    assert mine.get(back).status_code == 303
    mine.post_form("/staff/sign-out", page="/staff/")
    assert mine.get(back).status_code == 400
    assert not signed_in(mine)


def test_a_return_after_ten_minutes_is_too_late(client: Client, known: StaffMember, frozen_clock: FrozenClock) -> None:
    back = sign_in_at(client, start(client))
    frozen_clock.move(minutes=10, seconds=1)
    assert client.get(back).status_code == 400


def test_head_ends_nothing(client: Client, known: StaffMember) -> None:
    back = sign_in_at(client, start(client))
    assert client.head(back).status_code == 405
    assert client.get(back).status_code == 303


@pytest.mark.parametrize("changes", [{"for_staff": False}, {"enabled": False}])
def test_a_provider_that_staff_may_not_use_is_not_there(
    client: Client, known: StaffMember, provider: Provider, changes: dict[str, bool]
) -> None:
    number = provider.id
    back, token = sign_in_at(client, start(client)), client.token(SIGN_IN)
    with transaction():
        for name, value in changes.items():
            setattr(db.session.get_one(Provider, number), name, value)
    assert client.get(back).status_code == 404
    assert client.post(START, data={"csrf_token": token}).status_code == 404
    assert START not in client.get(SIGN_IN).text
    assert not signed_in(client)


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        ({"error": "access_denied"}, 400),
        ({"error": "server_error"}, 503),
        ({"claims": {"aud": "somebody else"}}, 400),
        ({"claims": {"nonce": "another"}}, 400),
        ({"algorithm": "none"}, 400),
    ],
)
def test_a_provider_that_errs_lets_nobody_in(
    client: Client, known: StaffMember, openid: OpenIdTwin, behaviour: dict[str, Any], status: int
) -> None:
    openid.behave(**behaviour)
    answer = through(client)
    assert answer.status_code == status
    assert SIGN_IN in answer.text
    assert not signed_in(client)


def test_a_provider_that_is_away(client: Client, app: Any, openid: OpenIdTwin) -> None:
    add_provider(openid, "openid", for_staff=True, issuer="http://127.0.0.1:9")
    answer = start(client)
    assert answer.status_code == 503
    assert "does not answer" in answer.text


def test_linking_on_the_profile(sign_in_as: Any, provider: Provider, openid: OpenIdTwin, persona: Any) -> None:
    browser = sign_in_as("viewer")
    be(openid, "v-1", "private@x.example", email_verified=False)
    assert location(through(browser, PROFILE)) == PROFILE
    assert identities() == [(persona("viewer").id, "v-1")]
    page = browser.page(PROFILE)
    assert "private@x.example" in page.text
    assert START not in [form.action for form in page.posts], "linked already"


def test_what_belongs_to_somebody_else_is_not_linked(sign_in_as: Any, known: StaffMember, dump: Any) -> None:
    browser = sign_in_as("viewer")
    back = sign_in_at(browser, start(browser, PROFILE))
    before = dump()
    answer = browser.get(back)
    assert answer.status_code == 409
    assert dump() == before


def test_linking_needs_a_recent_proof(
    frozen_clock: FrozenClock, sign_in_as: Any, provider: Provider, openid: OpenIdTwin
) -> None:
    browser = sign_in_as("viewer")
    frozen_clock.move(minutes=11)
    answer = start(browser, PROFILE)
    assert urlsplit(location(answer)).path == "/staff/confirm"


def test_a_link_begun_by_somebody_else_in_this_browser_is_not_finished(
    client: Client, sign_in_as: Any, provider: Provider, openid: OpenIdTwin, persona: Any
) -> None:
    browser = sign_in_as("viewer")
    be(openid, "v-1", "private@x.example")
    back = sign_in_at(browser, start(browser, PROFILE))
    number = persona("viewer").id
    with transaction():
        db.session.get_one(StaffMember, number).epoch += 1
    assert browser.get(back).status_code == 400
    assert identities() == []


def test_removing_a_link(sign_in_as: Any, provider: Provider, persona: Any, frozen_clock: FrozenClock) -> None:
    made = make_staff_identity(persona("viewer"), provider)
    others = make_staff_identity(persona("owner"), provider)
    browser = sign_in_as("viewer")
    assert browser.post_form(f"/staff/profile/identities/{made.id}/remove", page=PROFILE).status_code == 303
    assert identities() == [(persona("owner").id, others.subject)]
    token = browser.token(PROFILE)
    url = f"/staff/profile/identities/{others.id}/remove"
    assert browser.post(url, data={"csrf_token": token}).status_code == 404
    frozen_clock.move(minutes=11)
    assert location(browser.post(url, data={"csrf_token": token})).startswith("/staff/confirm")


def test_the_last_way_to_sign_in_is_not_removed_by_oneself_but_by_an_owner(
    client: Client, known: StaffMember, sign_in_as: Any
) -> None:
    number = known.id
    with transaction():
        db.session.get_one(StaffMember, number).password_hash = None
    through(client)
    link = db.session.scalars(db.select(StaffIdentity.id)).one()
    assert client.post_form(f"/staff/profile/identities/{link}/remove", page=PROFILE).status_code == 409
    assert len(identities()) == 1
    owner, page = sign_in_as("owner"), f"/staff/people/{number}"
    answer = owner.post_form(f"{page}/identities/{link}/remove", page=page)
    assert "last way to sign in" in owner.follow(answer).text
    assert identities() == []
    assert not signed_in(client)


def test_the_linked_provider_proves_who_one_is(
    frozen_clock: FrozenClock, client: Client, known: StaffMember, openid: OpenIdTwin
) -> None:
    through(client)
    frozen_clock.move(minutes=11)
    asked = location(client.get("/staff/profile/two-factor"))
    assert location(through(client, asked)) == "/staff/profile/two-factor"
    assert client.get("/staff/profile/two-factor").status_code == 200
    frozen_clock.move(minutes=11)
    be(openid, "m-2", "somebody@else.example")
    assert through(client, asked).status_code == 403
    assert client.get("/staff/profile/two-factor").status_code == 303


def test_five_at_once_are_kept_and_no_more(client: Client, known: StaffMember) -> None:
    backs = [sign_in_at(client, start(client)) for _ in range(6)]
    kept = db.session.scalars(db.select(ServerSession)).one().data["at_provider"]
    assert len(kept) == 5
    assert client.get(backs[0]).status_code == 400
    assert client.get(backs[5]).status_code == 303


def test_the_sign_in_of_contacts_is_no_door_to_the_staff_side(
    client: Client, known: StaffMember, openid: OpenIdTwin
) -> None:
    """A provider for staff alone is not offered to contacts, nor does a contact's switch matter to staff."""
    set_site(external_sign_in=False)
    assert location(through(client)) == "/staff/"
