"""Redeeming and signing in through a provider: where it leads, what it asks, whom it turns away."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.invitations.models import ANYONE, GROUP, INVITED
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.providers.models import Provider
from portal.web.sessions import ServerSession
from tests.redemption import through, ways
from tests.support import make
from tests.support.clients import HTMX, Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page
from tests.twins.openid import OpenIdTwin, add_provider, at_provider, sign_in_at

SignInAs = Callable[[Contact], Client]
NewClient = Callable[[], Client]
Dump = Callable[[], object]


@pytest.fixture
def provider(app: object, openid: OpenIdTwin) -> Provider:
    return add_provider(openid)


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@invited.example")


def signed_in_as(browser: Client) -> str:
    return browser.page("/profile").text


def test_the_way_there_is_a_page_that_forwards(client: Client, provider: Provider, openid: OpenIdTwin) -> None:
    response = through.start(client, "/sign-in")
    assert response.status_code == 200
    assert "form-action 'none'" in response.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert at_provider(response).startswith(f"{openid.url}/authorize?")
    assert Page(response).link("Go on to Openid") == at_provider(response)
    assert response.headers["Cache-Control"] == "no-store"
    over_htmx = client.post("/sign-in/openid", data={"csrf_token": client.token("/sign-in")}, headers=HTMX)
    assert at_provider(over_htmx).startswith(openid.url)


def test_an_unknown_provider_is_nothing(client: Client, provider: Provider) -> None:
    token = client.token("/sign-in")
    assert client.post("/sign-in/other", data={"csrf_token": token}).status_code == 404
    assert client.post("/sign-in/openid", data={"csrf_token": token, "purpose": "nonsense"}).status_code == 400
    assert client.post("/sign-in/openid", data={}).status_code == 400
    assert client.get("/sign-in/other/callback?state=x").status_code == 404
    make.set_site(external_sign_in=False)
    assert client.post("/sign-in/openid", data={"csrf_token": token}).status_code == 404


def test_setting_out_makes_no_endless_sessions(client: Client, provider: Provider) -> None:
    token = client.token("/sign-in")
    cookie = client.get_cookie("portal")
    assert cookie is not None
    for _ in range(100):
        client.set_cookie("portal", cookie.value)
        assert client.post("/sign-in/openid", data={"csrf_token": token}).status_code == 200
    client.set_cookie("portal", cookie.value)
    refused = client.post("/sign-in/openid", data={"csrf_token": token})
    assert (refused.status_code, bool(refused.headers["Retry-After"])) == (429, True)
    assert db.session.scalar(db.select(db.func.count()).select_from(ServerSession)) == 100


def test_an_invited_contact_gets_the_identity(
    client: Client, provider: Provider, anna: Contact, openid: OpenIdTwin
) -> None:
    openid.user = openid.person("anna-1", email="anna@invited.example")
    invitation = make.make_invitation(anna, sent=True)
    ways.open_link(client, invitation, anna)
    client.get("/redeem/review")
    before = {s.id for s in db.session.scalars(db.select(ServerSession))}
    response = through.go(client)
    assert (response.status_code, location(response)) == (303, "/welcome")
    assert through.identities() == {"anna-1": anna.id}
    assert ways.redemptions() == [(invitation.id, anna.id)]
    assert db.session.get_one(Contact, anna.id).email1_verified_at is not None
    assert not before & {s.id for s in db.session.scalars(db.select(ServerSession))}, "a new session id"
    entry = db.session.scalars(db.select(JournalEntry).filter_by(action="redemption.completed")).one()
    assert entry.detail["signed_in_by"] == "provider:openid"
    assert "Anna Weber" in signed_in_as(client)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("wrong", ["none", "empty", "forged", "foreign", "replayed", "late", "other provider"])
def test_a_callback_that_this_browser_did_not_ask_for_is_refused(
    wrong: str,
    client: Client,
    new_client: NewClient,
    provider: Provider,
    anna: Contact,
    openid: OpenIdTwin,
    dump: Dump,
    frozen_clock: FrozenClock,
) -> None:
    add_provider(openid, "second")
    ways.open_link(client, make.make_invitation(anna, sent=True), anna)
    client.get("/redeem/review")
    back = sign_in_at(client, through.start(client))
    browser, urls = (
        client,
        {"none": "/sign-in/openid/callback?code=x", "empty": "/sign-in/openid/callback?state=&code=x"},
    )
    urls["forged"] = "/sign-in/openid/callback?state=" + "x" * 43 + "&code=x"
    if wrong == "foreign":
        browser = new_client()
        through.start(browser, "/sign-in")
    if wrong == "replayed":
        openid.user = openid.person("anna-1", email="anna@invited.example")
        assert location(client.get(back)) == "/welcome"
    if wrong == "late":
        frozen_clock.move(minutes=11)
    if wrong == "other provider":
        back = back.replace("/openid/", "/second/")
    before, taken = dump(), len(openid.to("/token"))
    response = browser.get(urls.get(wrong, back))
    assert (response.status_code, through.why(response)) == (400, "faulty")
    assert dump() == before
    assert len(openid.to("/token")) == taken, "nothing of it went to the provider"
    assert browser.get("/profile").status_code == (200 if wrong == "replayed" else 303)


@pytest.mark.sqlite_only
def test_a_journey_ends_once_even_when_the_session_forgot_to_note_it(
    client: Client, provider: Provider, anna: Contact, openid: OpenIdTwin
) -> None:
    ways.open_link(client, make.make_invitation(anna, sent=True), anna)
    client.get("/redeem/review")
    back = sign_in_at(client, through.start(client))
    with db.engine.connect() as connection:
        rows = connection.execute(db.select(ServerSession.__table__)).mappings().all()
    openid.behave(token={"access_token": None})
    assert client.get(back).status_code == 400
    with transaction():  # as if both callbacks had read the session before either wrote it
        for row in rows:
            db.session.get_one(ServerSession, row["id"]).data = row["data"]
    openid.behave()
    sent = len(openid.to("/token"))
    assert client.get(back).status_code == 400
    assert len(openid.to("/token")) == sent
    assert not through.identities()


@pytest.mark.sqlite_only
def test_at_most_five_are_on_their_way(client: Client, provider: Provider, openid: OpenIdTwin) -> None:
    started = [sign_in_at(client, through.start(client, "/sign-in")) for _ in range(6)]
    assert through.why(client.get(started[0])) == "faulty"
    assert through.why(client.get(started[1])) == "stranger"
    assert through.why(client.get(started[5])) == "stranger"


@pytest.mark.sqlite_only
def test_looking_at_the_callback_ends_nothing(client: Client, provider: Provider, anna: Contact) -> None:
    ways.open_link(client, make.make_invitation(anna, sent=True), anna)
    client.get("/redeem/review")
    back = sign_in_at(client, through.start(client))
    assert client.head(back).status_code == 405
    assert location(client.get(back)).endswith("/confirm")


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("behaviour", "status", "reason"),
    [
        ({"error": "access_denied"}, 400, "denied"),
        ({"error": "server_error"}, 503, "away"),
        ({"claims": {"nonce": "other"}}, 400, "faulty"),
        ({"claims": {"iss": "https://evil.example"}}, 400, "faulty"),
        ({"algorithm": "none"}, 400, "faulty"),
        ({"callback": {"iss": "https://evil.example"}}, 400, "faulty"),
    ],
)
def test_what_goes_wrong_there_keeps_the_invitation(
    behaviour: dict[str, object],
    status: int,
    reason: str,
    client: Client,
    provider: Provider,
    anna: Contact,
    openid: OpenIdTwin,
    dump: Dump,
) -> None:
    ways.open_link(client, make.make_invitation(anna, sent=True), anna)
    client.get("/redeem/review")
    openid.behave(**behaviour)
    before = dump()
    response = through.go(client)
    assert (response.status_code, through.why(response)) == (status, reason)
    assert "Your invitation is still waiting" in Page(response).text
    assert dump() == before
    openid.behave()
    assert location(ways.sign_up(client, page=Page(response).link("Back to the invitation"))) == "/welcome"


@pytest.mark.sqlite_only
def test_a_provider_that_is_away_is_said_before_one_goes_there(
    client: Client, provider: Provider, openid: OpenIdTwin
) -> None:
    page = client.page("/sign-in")
    openid.stop()
    response = client.post("/sign-in/openid", data={"csrf_token": page.form("/sign-in/openid").token})
    assert (response.status_code, through.why(response)) == (503, "away")
    assert response.headers["Retry-After"]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("change", ["provider off", "all off", "revoked", "expired", "contact off", "redeeming off"])
def test_what_changed_on_the_way_counts(
    change: str, client: Client, provider: Provider, anna: Contact, openid: OpenIdTwin, dump: Dump
) -> None:
    openid.user = openid.person("anna-1", email="anna@invited.example", email_verified=False)
    invitation = make.make_invitation(anna, sent=True)
    ways.open_link(client, invitation, anna)
    client.get("/redeem/review")
    back = sign_in_at(client, through.start(client))
    number, contact_id, provider_id, now = invitation.id, anna.id, provider.id, clock.now()
    with transaction():
        if change == "provider off":
            db.session.get_one(Provider, provider_id).for_sign_in = False
        if change == "revoked":
            db.session.get_one(type(invitation), number).deactivated_at = now
        if change == "expired":
            db.session.get_one(type(invitation), number).expires_at = now
        if change == "contact off":
            db.session.get_one(Contact, contact_id).active = False
    if change == "all off":
        make.set_site(external_sign_in=False)
    if change == "redeeming off":
        make.set_site(invitation_redemption=False)
    before = dump()
    response = client.get(back)
    assert response.status_code in (403, 410)
    assert dump() == before
    assert client.get("/profile").status_code == 303


def test_another_address_is_asked_about_first(
    client: Client, provider: Provider, anna: Contact, openid: OpenIdTwin, dump: Dump
) -> None:
    openid.user = openid.person("anna-1", email="private@elsewhere.example")
    invitation = make.make_invitation(anna, sent=True)
    ways.open_link(client, invitation, anna)
    client.get("/redeem/review")
    before = dump()
    response = through.go(client)
    assert location(response) == "/sign-in/openid/confirm"
    page = client.follow(response)
    assert "private@elsewhere.example" in page.text
    assert "anna@invited.example" in page.text
    assert "Anna Weber" in page.text
    assert dump() == before
    assert location(client.post_form("/sign-in/openid/confirm")) == "/welcome"
    assert through.identities() == {"anna-1": anna.id}
    assert db.session.get_one(Contact, anna.id).email1 == "anna@invited.example"
    assert location(client.get("/sign-in/openid/confirm")).startswith("/"), "asked once"


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "change", ["late", "another invitation", "forgotten", "revoked", "signed in", "no token", "not seen"]
)
def test_the_answer_counts_for_what_was_asked(
    change: str,
    client: Client,
    provider: Provider,
    anna: Contact,
    openid: OpenIdTwin,
    dump: Dump,
    frozen_clock: FrozenClock,
) -> None:
    invitation = make.make_invitation(anna, sent=True)
    ben = make.make_contact("Ben", "Other", "ben@other.example")
    second = make.make_invitation(ben, sent=True)
    make.make_contact("Carl", "Third", "carl@third.example", username="carl", verified=True)
    ways.open_link(client, invitation, anna)
    client.get("/redeem/review")
    through.go(client)
    page = client.page("/sign-in/openid/confirm")
    typed = {
        "csrf_token": page.form("/sign-in/openid/confirm").token,
        "seen": page.form("/sign-in/openid/confirm").values["seen"][0],
    }
    if change == "late":
        frozen_clock.move(minutes=11)
    if change == "another invitation":
        ways.open_link(client, second, ben)
    if change == "forgotten":
        client.post("/redeem/forget", data=typed)
    if change == "revoked":
        with transaction():
            db.session.get_one(type(invitation), invitation.id).deactivated_at = frozen_clock()
    if change == "signed in":
        client.post_form("/sign-in", {"identifier": "carl", "password": make.PASSWORD})
        typed["csrf_token"] = client.token("/profile")
    if change == "no token":
        typed.pop("csrf_token")
    if change == "not seen":
        typed["seen"] = "another"
    before = dump()
    response = client.post("/sign-in/openid/confirm", data=typed)
    assert response.status_code == (400 if change == "no token" else 303)
    assert dump() == before
    assert not through.identities()


@pytest.mark.sqlite_only
def test_somebody_known_does_not_get_into_somebody_elses_invitation(
    client: Client, provider: Provider, anna: Contact, openid: OpenIdTwin, dump: Dump
) -> None:
    ben = make.make_contact("Ben", "Other", "ben@other.example")
    through.link(ben, provider, "ben-1")
    openid.user = openid.person("ben-1", email="ben@other.example")
    ways.open_link(client, make.make_invitation(anna, sent=True), anna)
    client.get("/redeem/review")
    before = dump()
    response = through.go(client)
    assert (response.status_code, through.why(response)) == (409, "others")
    assert "Anna Weber" in Page(response).text
    assert "Ben Other" in Page(response).text
    assert dump() == before
    assert client.get("/profile").status_code == 303
    assert "Anna Weber" in client.page(Page(response).link("Back to the invitation")).text


@pytest.mark.sqlite_only
def test_a_deactivated_contact_does_not_come_in(client: Client, provider: Provider, openid: OpenIdTwin) -> None:
    through.link(make.make_contact("Dora", "Gone", active=False), provider, "dora")
    openid.user = openid.person("dora")
    response = through.go(client, "/sign-in")
    assert (response.status_code, through.why(response)) == (403, "inactive")
    assert client.get("/profile").status_code == 303


@pytest.mark.sqlite_only
def test_two_tabs_sign_in_as_one(client: Client, provider: Provider, openid: OpenIdTwin) -> None:
    ben, carl = make.make_contact("Ben", "Other", username="ben"), make.make_contact("Carl", "Third")
    through.link(ben, provider, "ben-1")
    through.link(carl, provider, "carl-1")
    first, second, third = (sign_in_at(client, through.start(client, "/sign-in")) for _ in range(3))
    openid.user = openid.person("ben-1")
    assert location(client.get(first)) == "/profile"
    assert location(client.get(second)) == "/profile", "the same person again"
    openid.user = openid.person("carl-1")
    response = client.get(third)
    assert (response.status_code, through.why(response)) == (409, "signed_in")
    assert "Ben Other" in signed_in_as(client)


@pytest.mark.sqlite_only
def test_a_stranger_who_is_signed_in_links_nothing_by_signing_in(
    client: Client, sign_in_as: SignInAs, provider: Provider, openid: OpenIdTwin, dump: Dump
) -> None:
    ben = make.make_contact("Ben", "Other", "ben@other.example", username="ben", verified=True)
    back = sign_in_at(client, through.start(client, "/sign-in"))
    client.post_form("/sign-in", {"identifier": "ben", "password": make.PASSWORD})
    openid.user = openid.person("new", email="ben@other.example")
    before = dump()
    assert through.why(client.get(back)) == "signed_in"
    assert dump() == before
    assert not through.identities()
    token = client.token("/profile")
    assert location(client.post("/sign-in/openid", data={"csrf_token": token})) == "/profile"
    assert ben.id


@pytest.mark.sqlite_only
@pytest.mark.parametrize("email", ["", "group@elsewhere.example"])
def test_a_stranger_with_a_group_code_becomes_a_contact(
    email: str, client: Client, provider: Provider, openid: OpenIdTwin
) -> None:
    openid.user = openid.person("gina", email=email, given_name="Gina", family_name="Group", locale="de-AT")
    invitation = make.make_invitation(type=GROUP, redeemable_by=ANYONE)
    ways.type_code(client, invitation)
    client.get("/redeem/review")
    response = through.go(client)
    if not email:
        form = client.follow(response).form("/sign-in/openid/confirm")
        assert form.values["first_name"] == ["Gina"]
        refused = client.post_form("/sign-in/openid/confirm", {"email": "nonsense", "last_name": "www.evil.example"})
        assert refused.status_code == 422
        assert set(Page(refused).errors) == {"email", "last_name"}
        response = client.post_form("/sign-in/openid/confirm", {"email": "typed@elsewhere.example"})
    assert location(response) == "/welcome"
    contact = db.session.get_one(Contact, through.identities()["gina"])
    assert (contact.first_name, contact.last_name, contact.language) == ("Gina", "Group", "de")
    assert contact.email1 == (email or "typed@elsewhere.example")
    assert (contact.email1_verified_at is not None) == bool(email), "proven by the provider only"
    assert ways.redemptions() == [(invitation.id, contact.id)]


@pytest.mark.sqlite_only
def test_an_address_that_somebody_else_has_confirmed_is_not_confirmed_twice(
    client: Client, provider: Provider, openid: OpenIdTwin
) -> None:
    make.make_contact("Vera", "First", "shared@elsewhere.example", username="vera", verified=True)
    openid.user = openid.person("gina", email="shared@elsewhere.example")
    ways.type_code(client, make.make_invitation(type=GROUP, redeemable_by=ANYONE))
    client.get("/redeem/review")
    response = through.go(client)
    assert (response.status_code, through.why(response)) == (409, "has_sign_in")
    assert not through.identities()
    openid.user = openid.person("gina", email="shared@elsewhere.example", email_verified=False)
    assert location(through.go(client)) == "/welcome"
    contact = db.session.get_one(Contact, through.identities()["gina"])
    assert (contact.email1, contact.email1_verified_at) == ("shared@elsewhere.example", None)


@pytest.mark.sqlite_only
def test_an_invited_person_of_a_group_is_found_by_a_proven_address_alone(
    client: Client, new_client: NewClient, provider: Provider, anna: Contact, openid: OpenIdTwin
) -> None:
    openid.user = openid.person("anna-1", email="anna@invited.example", email_verified=False)
    invitation = make.make_invitation(anna, type=GROUP, redeemable_by=INVITED)
    ways.type_code(client, invitation)
    client.get("/redeem/review")
    assert through.why(through.go(client)) == "use_link"
    assert not through.identities()
    openid.user = openid.person("anna-1", email="anna@invited.example")
    assert location(through.go(client)) == "/welcome"
    assert through.identities() == {"anna-1": anna.id}
    assert ways.redemptions() == [(invitation.id, anna.id)]


@pytest.mark.sqlite_only
def test_an_invitation_that_nobody_looked_at_is_not_accepted(
    client: Client, provider: Provider, anna: Contact, openid: OpenIdTwin, dump: Dump
) -> None:
    openid.user = openid.person("anna-1", email="elsewhere@elsewhere.example")
    make.set_site(open_registration=True)
    ways.open_link(client, make.make_invitation(anna, sent=True), anna)
    before = dump()
    response = through.go(client, "/sign-in")
    assert location(response) == "/redeem/review"
    assert dump() == before
    ben = make.make_contact("Ben", "Known")
    through.link(ben, provider, "ben-1")
    openid.user = openid.person("ben-1")
    assert location(through.go(client, "/sign-in")) == "/redeem/review"
    assert not ways.redemptions()


@pytest.mark.sqlite_only
def test_a_provider_that_makes_no_new_sign_ins(
    client: Client, provider: Provider, anna: Contact, openid: OpenIdTwin
) -> None:
    with transaction():
        db.session.get_one(Provider, provider.id).for_registration = False
    make.set_site(open_registration=True)
    openid.user = openid.person("anna-1", email="anna@invited.example")
    assert through.why(through.go(client, "/sign-in")) == "stranger"
    ways.open_link(client, make.make_invitation(anna, sent=True), anna)
    assert not [f for f in client.page("/redeem/review").posts if f.action == "/sign-in/openid"]
    client.page("/redeem/review")
    assert through.why(through.go(client, "/sign-in?next=/redeem/review")) == "stranger"
    assert not through.identities()


@pytest.mark.sqlite_only
def test_open_registration_through_a_provider(
    client: Client, new_client: NewClient, provider: Provider, openid: OpenIdTwin
) -> None:
    openid.user = openid.person("nina", given_name="Nina", family_name="http://evil.example")
    assert through.why(through.go(client, "/sign-in")) == "stranger"
    make.set_site(open_registration=True)
    assert location(through.go(client, "/sign-up")) == "/profile"
    contact = db.session.get_one(Contact, through.identities()["nina"])
    assert (contact.first_name, contact.last_name, contact.email1) == ("", "", "nina@example.org")
    assert contact.email1_verified_at is not None
    make.set_site(registration_enabled=False)
    openid.user = openid.person("otto")
    assert through.why(through.go(new_client(), "/sign-in")) == "stranger"
    for number in range(10):
        make.set_site(registration_enabled=True)
        openid.user = openid.person(f"more{number}")
        response = through.go(new_client(), "/sign-in")
    assert response.status_code == 429


@pytest.mark.sqlite_only
def test_names_follow_the_provider_where_its_owner_says_so(
    client: Client, new_client: NewClient, provider: Provider, openid: OpenIdTwin
) -> None:
    ben = make.make_contact("Ben", "Other", "ben@other.example")
    through.link(ben, provider, "ben-1")
    openid.user = openid.person(
        "ben-1", given_name="Benjamin", family_name="Married", locale="fr", email="new@other.example"
    )
    through.go(client, "/sign-in")
    assert db.session.get_one(Contact, ben.id).name == "Ben Other"
    with transaction():
        db.session.get_one(Provider, provider.id).refreshes = True
    through.go(new_client(), "/sign-in")
    contact = db.session.get_one(Contact, ben.id)
    assert (contact.name, contact.language, contact.email1) == ("Benjamin Married", "fr", "ben@other.example")
    openid.user = openid.person("ben-1", given_name="www.evil.example", family_name="", locale="xx")
    through.go(new_client(), "/sign-in")
    assert db.session.get_one(Contact, ben.id).name == "Benjamin Married"


@pytest.mark.sqlite_only
def test_signing_out_leads_on_to_the_provider(client: Client, provider: Provider, openid: OpenIdTwin) -> None:
    through.link(make.make_contact("Ben", "Other", username="ben"), provider, "ben-1")
    openid.user = openid.person("ben-1")
    through.go(client, "/sign-in")
    response = client.post_form("/sign-out", page="/profile")
    assert location(response) == "/signed-out"
    assert client.get("/profile").status_code == 303
    page = client.get("/signed-out")
    url = at_provider(page)
    assert url.startswith(f"{openid.url}/end?")
    assert "id_token_hint=" in url
    assert "post_logout_redirect_uri=http%3A%2F%2Flocalhost%2F" in url
    assert "form-action 'none'" in page.headers["Content-Security-Policy"]
    assert "You are signed out" in client.page("/signed-out").heading
    client.post_form("/sign-in", {"identifier": "ben", "password": make.PASSWORD})
    assert location(client.post_form("/sign-out", page="/profile")) == "/"


@pytest.mark.sqlite_only
def test_the_one_provider_behind_sign_in(client: Client, provider: Provider, openid: OpenIdTwin) -> None:
    add_provider(openid, "second")
    make.set_site(only_provider="openid")
    page = client.page("/sign-in")
    assert {form.action for form in page.posts} == {"/sign-in/openid"}
    rest = client.page(page.link("password"))
    assert {"/sign-in/openid", "/sign-in/second"} <= {form.action for form in rest.posts}
    assert client.page("/").form("/sign-in/openid").buttons[0].text == "Sign in"


@pytest.mark.sqlite_only
def test_without_local_sign_in_no_page_asks_for_a_password(client: Client, provider: Provider, anna: Contact) -> None:
    make.set_site(local_sign_in=False, passkeys=False, open_registration=True)
    ways.open_link(client, make.make_invitation(anna, sent=True), anna)
    for url in ("/redeem/review", "/sign-in?next=/redeem/review", "/sign-up", "/"):
        page = client.page(url)
        assert not page.all("input", type="password"), url
    token = client.token("/redeem/review")
    assert client.post("/sign-in", data={"csrf_token": token, "identifier": "a", "password": "b"}).status_code == 404
    assert client.post("/sign-up", data={"csrf_token": token, **ways.STRANGER}).status_code == 404
    make.set_site(passkeys=True)
    assert not client.page("/redeem/review").all("input", type="password")
