"""Accepting while signed in: what may have changed since the page was shown, who is shown, where it leads."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.kernel.db import db, transaction
from portal.web.sessions import ServerSession
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, filled, location
from tests.support.clock import FrozenClock
from tests.support.targets import HOSTILE

pytestmark = pytest.mark.sqlite_only
SignInAs = Callable[[Contact], Client]


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@invited.example", username="anna", verified=True)


def test_without_an_invitation_there_is_nothing_to_accept(client: Client, sign_in_as: SignInAs, anna: Contact) -> None:
    token = client.token("/")
    assert location(client.post("/redeem/accept", data={"csrf_token": token})) == "/redeem"
    browser = sign_in_as(anna)
    token = browser.token("/profile")
    assert location(browser.post("/redeem/accept", data={"csrf_token": token})) == "/welcome"
    assert location(browser.get("/welcome")) == "/profile"
    assert location(browser.get("/redeem/review")) == "/redeem"


def test_accepting_needs_the_token_of_the_page(sign_in_as: SignInAs, anna: Contact) -> None:
    invitation = make.make_invitation(anna)
    browser = sign_in_as(anna)
    ways.open_link(browser, invitation, anna)
    foreign = sign_in_as(anna).token("/profile")
    for data in ({}, {"csrf_token": foreign}, {"csrf_token": "x"}):
        assert browser.post("/redeem/accept", data=data).status_code == 400
    assert browser.post("/redeem/accept", headers={"HX-Request": "true"}).status_code == 400
    assert ways.redemptions() == []


@pytest.mark.parametrize("change", ["expired", "withdrawn", "used up", "left", "another address"])
@pytest.mark.parametrize("by", ["link", "code"])
def test_what_changed_after_the_page_was_shown_counts(
    sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock, change: str, by: str
) -> None:
    invitation = make.make_invitation(
        anna, type="group", max_redemptions=1, expires_at=frozen_clock.now + make.days(0.01)
    )
    browser = sign_in_as(anna)
    ways.arrive(browser, by, invitation, anna)
    token = browser.token("/redeem/review")
    number = invitation.id
    match change:
        case "expired":
            frozen_clock.move(days=0.01)
        case "withdrawn":
            with transaction():
                db.session.get_one(type(invitation), number).deactivated_at = frozen_clock.now
        case "used up":
            make.make_redemption(invitation, make.make_contact(), proof="code")
        case "left":
            with transaction():
                db.session.get_one(Contact, anna.id).active = False
        case "another address" if by == "link":
            with transaction():
                db.session.get_one(Contact, anna.id).email1_key = "anna@new.example"
        case _:
            with transaction():
                db.session.get_one(type(invitation), number).code_lookup = "0" * 64
    before = ways.redemptions()
    response = browser.post("/redeem/accept", data={"csrf_token": token})
    assert response.status_code in ((303,) if change == "left" else (410,))
    assert ways.redemptions() == before
    if change in ("expired", "withdrawn"):
        words = {"expired": "It expired on", "withdrawn": "It was withdrawn"}[change]
        assert (words in response.text) == (by == "link")


def test_the_page_names_who_is_signed_in_and_does_nothing_by_itself(sign_in_as: SignInAs, anna: Contact) -> None:
    alice = make.make_contact("Alice", "Before", username="alice")
    invitation = make.make_invitation(anna, sent=True)
    browser = sign_in_as(alice)
    ways.open_link(browser, invitation, anna)
    page = browser.page("/redeem/review")
    assert "It is for Anna Weber. You are signed in as Alice Before." in page.text
    refused = ways.accept(browser)
    assert refused.status_code == 409
    assert "It is for Anna Weber. You are signed in as Alice Before." in refused.text
    assert ways.redemptions() == []


def test_use_another_account_signs_out_and_keeps_the_invitation(sign_in_as: SignInAs, anna: Contact) -> None:
    alice = make.make_contact("Alice", "Before", username="alice")
    invitation = make.make_invitation(anna, sent=True)
    browser = sign_in_as(alice)
    ways.open_link(browser, invitation, anna)
    before = browser.get_cookie("portal")
    switched = browser.post_form("/sign-in/switch", page="/redeem/review")
    assert location(switched) == "/redeem/review"
    assert before is not None
    assert browser.get_cookie("portal").value != before.value  # type: ignore[union-attr]
    assert "Alice" not in browser.page("/redeem/review").text
    assert location(ways.sign_in(browser, "anna")) == "/welcome"
    assert ways.redemptions() == [(invitation.id, anna.id)]


def test_this_is_not_me_drops_the_intent_alone(sign_in_as: SignInAs, anna: Contact, dump: Callable[[], object]) -> None:
    invitation = make.make_invitation(anna, sent=True)
    browser = sign_in_as(anna)
    ways.open_link(browser, invitation, anna)
    before = dump()
    assert location(browser.post_form("/redeem/forget", page="/redeem/review")) == "/"
    assert dump() == before
    assert location(browser.get("/redeem/review")) == "/redeem"
    assert browser.page("/profile").heading == "Anna Weber"


def test_a_redemption_gives_a_new_session_id_and_ends_the_old_one(
    sign_in_as: SignInAs, new_client: Callable[[], Client], anna: Contact
) -> None:
    browser = sign_in_as(anna)
    ways.open_link(browser, make.make_invitation(anna), anna)
    old = browser.get_cookie("portal")
    assert old is not None
    assert ways.accept(browser).status_code == 303
    new = browser.get_cookie("portal")
    assert new is not None
    assert new.value != old.value
    thief = new_client()
    thief.set_cookie("portal", old.value)
    assert thief.get("/profile").status_code == 303
    assert "intent" not in db.session.scalars(db.select(ServerSession)).one().data


def test_again_is_a_friendly_page_and_no_second_seat(sign_in_as: SignInAs, anna: Contact) -> None:
    invitation = make.make_invitation(anna)
    browser = sign_in_as(anna)
    for _ in range(2):
        ways.open_link(browser, invitation, anna)
        page = browser.page("/redeem/review")
        token = page.form("/sign-out").token
        assert location(browser.post("/redeem/accept", data={"csrf_token": token})) == "/welcome"
    ways.open_link(browser, invitation, anna)
    assert "You have accepted this invitation already" in browser.page("/redeem/review").text
    assert ways.used(invitation) == 1


def test_signing_in_from_the_review_page_accepts_at_once(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna)
    ways.open_link(client, invitation, anna)
    assert location(ways.sign_in(client, "anna")) == "/welcome"
    assert ways.redemptions() == [(invitation.id, anna.id)]


def test_signing_in_from_elsewhere_shows_the_review_page_first(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna)
    ways.open_link(client, invitation, anna)
    client.page("/redeem/review")
    assert location(ways.sign_in(client, "anna", page="/")) == "/redeem/review"
    assert ways.redemptions() == []
    assert ways.accept(client).status_code == 303


def test_an_address_that_says_so_is_not_the_review_page(client: Client, anna: Contact) -> None:
    ways.open_link(client, make.make_invitation(anna), anna)
    page = "/sign-in?next=/redeem/review"
    signed_in = client.post_form(page, {"identifier": "anna", "password": make.PASSWORD})
    assert location(signed_in) == "/redeem/review"
    assert ways.redemptions() == []


def test_signing_in_as_the_wrong_person_leads_to_the_page_that_says_so(client: Client, anna: Contact) -> None:
    make.make_contact("Alice", "Before", username="alice")
    ways.open_link(client, make.make_invitation(anna), anna)
    assert location(ways.sign_in(client, "alice")) == "/redeem/review"
    assert "It is for Anna Weber. You are signed in as Alice Before." in client.page("/redeem/review").text
    assert ways.redemptions() == []


def test_the_welcome_page_lists_what_was_granted_and_not_what_was_withheld(sign_in_as: SignInAs, anna: Contact) -> None:
    given = make.make_role("Given", description="Read the price list.")
    withheld = make.make_role("Withheld", managers_may_grant=False)
    owner = make.make_staff("manager")
    invitation = make.make_invitation(anna, roles=[given, withheld], account=make.make_account("Acme"), owner=owner)
    browser = sign_in_as(anna)
    ways.open_link(browser, invitation, anna)
    shown = browser.page("/redeem/review").testid("grants").text
    page = browser.follow(ways.accept(browser))
    for text in (shown, page.testid("granted").text):
        assert "Given" in text
        assert "Acme" in text
        assert "Withheld" not in text
    profile = browser.page("/profile")
    assert owner.name in profile.testid("redemptions").text
    assert "Given" in profile.text
    assert "Authenticated Users" in profile.text


def test_the_review_page_says_which_account_it_replaces(sign_in_as: SignInAs) -> None:
    person = make.make_contact(username="moves", account=make.make_account("Old home"))
    invitation = make.make_invitation(person, account=make.make_account("New home"))
    browser = sign_in_as(person)
    ways.open_link(browser, invitation, person)
    assert "Old home" in browser.page("/redeem/review").testid("grants").text


@pytest.mark.parametrize("inviter", [True, False])
def test_who_invites_is_the_inviter_else_the_owner(client: Client, anna: Contact, inviter: bool) -> None:
    owner = make.make_staff(name="Olivia Owner")
    chosen = make.make_contact("Ines", "Inviter") if inviter else None
    ways.open_link(client, make.make_invitation(anna, owner=owner, inviter=chosen), anna)
    expected = "Ines Inviter" if inviter else "Olivia Owner"
    assert client.page("/redeem/review").heading == f"{expected} invites you to Invitation Portal"


def test_until_when_is_said_in_the_zone_of_the_site(client: Client, anna: Contact) -> None:
    make.set_site(timezone="Europe/Berlin")
    invitation = make.make_invitation(anna, expires_at=make.at("2026-12-20 23:00"))
    ways.open_link(client, invitation, anna)
    text = client.page("/redeem/review").text
    assert "December 20, 2026" in text
    assert "Europe/Berlin" in text


@pytest.mark.parametrize("target", HOSTILE, ids=repr)
def test_no_target_leads_off_the_site(
    client: Client, new_client: Callable[[], Client], anna: Contact, target: str
) -> None:
    signed_in = client.post_form("/sign-in", {"identifier": "anna", "password": make.PASSWORD})
    assert signed_in.status_code == 303
    assert location(client.get("/sign-in", query_string={"next": target})) == "/profile"
    other = new_client()
    form = other.page("/sign-in")
    typed = {"csrf_token": form.form().token, "identifier": "anna", "password": make.PASSWORD}
    response = other.post("/sign-in", query_string={"next": target}, data=typed)
    assert response.headers["Location"] == "/profile"
    invitation = make.make_invitation(anna)
    arrived = other.get("/register", query_string={"invitation": make.code_of(invitation), "returnurl": target})
    assert arrived.headers["Location"] == "/redeem/review"
    assert ways.accept(other).headers["Location"] == "/welcome"


@pytest.mark.parametrize("target", ["/profile", "/profile?tab=1", "/", "/welcome#top"])
def test_a_local_target_is_kept(client: Client, anna: Contact, target: str) -> None:
    invitation = make.make_invitation(anna)
    client.get("/register", query_string={"invitation": make.code_of(invitation), "returnurl": target})
    assert ways.sign_in(client, "anna").headers["Location"] == target
    assert ways.redemptions() == [(invitation.id, anna.id)]


def planted(browser: Client) -> None:
    """Another tab, or another site's link, brings another invitation and has its review page drawn."""
    other = make.make_invitation(type="group", redeemable_by="anyone", account=make.make_account("Elsewhere"))
    browser.get(f"/redeem?code={make.code_of(other)}")
    browser.get("/redeem/review")


def test_nobody_accepts_another_invitation_than_the_one_on_the_page(sign_in_as: SignInAs, anna: Contact) -> None:
    browser = sign_in_as(anna)
    ways.open_link(browser, make.make_invitation(anna), anna)
    shown = filled(browser.page("/redeem/review").form("/redeem/accept"), {})
    planted(browser)
    refused = browser.post("/redeem/accept", data=shown)
    assert location(refused) == "/redeem/review"
    assert "You have opened another invitation since." in browser.follow(refused).text
    assert ways.redemptions() == []
    assert location(browser.post_form("/redeem/accept", page="/redeem/review")) == "/welcome"


@pytest.mark.parametrize("page", ["/sign-in", "/sign-in?next=/redeem/review"])
def test_nobody_accepts_by_signing_in_what_the_page_did_not_speak_of(client: Client, anna: Contact, page: str) -> None:
    ways.open_link(client, make.make_invitation(anna), anna)
    client.page("/redeem/review")
    shown = filled(client.page(page).form("/sign-in"), {"identifier": "anna", "password": make.PASSWORD})
    planted(client)
    assert location(client.post(page, data=shown)) == "/redeem/review"
    assert ways.redemptions() == []
