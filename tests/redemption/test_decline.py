"""Declining: by the link alone, a badge that redeeming takes off again."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.contacts.models import Contact
from portal.invitations import queries
from portal.invitations.models import Invitation, InvitedContact
from portal.invitations.services import plan
from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db
from portal.mail import letters
from portal.mail.models import Message
from portal.mail.outbox import Cancelled
from portal.redemption import pending
from portal.redemption.pending import Intent
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, location

SignIn = Callable[..., Client]
HERE = "/redeem/decline"
REVIEW = "/redeem/review"


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@invited.example")


def answer(invitation: Invitation | int, contact: Contact | int) -> InvitedContact:
    numbers = [n if isinstance(n, int) else n.id for n in (invitation, contact)]
    found = queries.invitee(*numbers)
    assert found is not None
    return found


def mark(invitation: Invitation, contact: Contact) -> str:
    """What the buttons of the review page carry."""
    fingerprint = pending.of_link(invitation.link_version, contact.email1_key)
    return Intent(pending.LINK, invitation.id, contact.id, fingerprint).mark


def decline(browser: Client, words: str = "") -> Any:
    return browser.post_form(HERE, {"words": words}, page=REVIEW)


@pytest.mark.sqlite_only
def test_without_an_intent_or_a_token_nothing_happens(client: Client, anna: Contact, dump: Callable[[], Any]) -> None:
    invitation = make.make_invitation(anna, sent=True)
    before = dump()
    token = client.token("/redeem")
    assert location(client.post(HERE, data={"csrf_token": token})) == "/redeem"
    ways.open_link(client, invitation, anna)
    refused = client.post(HERE, data={"words": "No thanks"})
    assert refused.status_code == 400
    assert "No thanks" in refused.text
    assert client.get(HERE).status_code == 405
    assert dump() == before


@pytest.mark.sqlite_only
def test_looking_at_the_review_declines_nothing(client: Client, anna: Contact, dump: Callable[[], Any]) -> None:
    invitation = make.make_invitation(anna, sent=True)
    before = dump()
    ways.open_link(client, invitation, anna)
    assert client.page(REVIEW).form(HERE)
    assert dump() == before


@pytest.mark.sqlite_only
def test_a_scanner_that_presses_what_it_finds_neither_declines_nor_asks(
    client: Client, anna: Contact, dump: Callable[[], Any]
) -> None:
    for more in ({}, {"deactivated": True}):
        invitation = make.make_invitation(anna, sent=True, **more)
        before = dump()
        client.get(ways.link_of(invitation, anna))
        page = client.page(REVIEW, status=410 if more else 200)
        pressed = [form for form in page.posts if form.action in (HERE, "/redeem/request")]
        assert pressed
        for form in pressed:
            assert location(client.post(form.action, data={"csrf_token": form.token})) == REVIEW
        assert dump() == before


@pytest.mark.sqlite_only
def test_words_that_are_too_long_come_back(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    ways.open_link(client, invitation, anna)
    for words in ("x" * 501, "bad\x00sign"):
        refused = decline(client, words)
        assert refused.status_code == 422
    assert answer(invitation, anna).declined_at is None


@pytest.mark.sqlite_only
def test_a_typed_code_only_drops_the_intent(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True, redeemable_by="anyone")
    ways.arrive(client, "code", invitation)
    page = client.page(REVIEW)
    assert not [form for form in page.posts if form.action == HERE]
    token = client.token(REVIEW)
    assert location(client.post(HERE, data={"csrf_token": token})) == "/"
    assert answer(invitation, anna).declined_at is None
    assert location(client.get(REVIEW)) == "/redeem"


@pytest.mark.sqlite_only
def test_somebody_else_who_is_signed_in_cannot(sign_in_as: SignIn, anna: Contact) -> None:
    browser = sign_in_as("stranger")
    invitation = make.make_invitation(anna, sent=True)
    ways.open_link(browser, invitation, anna)
    assert not [form for form in browser.page(REVIEW).posts if form.action == HERE]
    token = browser.token(REVIEW)
    assert browser.post(HERE, data={"csrf_token": token, "seen": mark(invitation, anna)}).status_code == 409
    assert answer(invitation, anna).declined_at is None


@pytest.mark.parametrize(("state", "status"), [("deactivated", 410), ("completed", 410), ("expired", 410)])
def test_what_is_over_cannot_be_declined(client: Client, anna: Contact, state: str, status: int) -> None:
    more: dict[str, Any] = {"expires_at": make.at("2020-01-01")} if state == "expired" else {state: True}
    invitation = make.make_invitation(anna, sent=True, **more)
    ways.open_link(client, invitation, anna)
    token = client.token("/sign-in")
    assert client.post(HERE, data={"csrf_token": token, "seen": mark(invitation, anna)}).status_code == status
    assert answer(invitation, anna).declined_at is None


@pytest.mark.sqlite_only
def test_who_accepted_cannot_decline(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, type="group", sent=True)
    make.make_redemption(invitation, anna)
    ways.open_link(client, invitation, anna)
    token = client.token("/sign-in")
    assert client.post(HERE, data={"csrf_token": token, "seen": mark(invitation, anna)}).status_code == 409
    assert answer(invitation, anna).declined_at is None


@pytest.mark.sqlite_only
def test_a_page_of_another_invitation_declines_nothing(client: Client, anna: Contact) -> None:
    first, second = (make.make_invitation(anna, sent=True) for _ in range(2))
    ways.open_link(client, first, anna)
    shown = client.page(REVIEW).form(HERE).values["seen"][0]
    ways.open_link(client, second, anna)
    token = client.token(REVIEW)
    assert location(client.post(HERE, data={"csrf_token": token, "seen": shown})) == REVIEW
    assert [answer(one, anna).declined_at for one in (first, second)] == [None, None]


@pytest.mark.sqlite_only
def test_switched_off_it_is_not_found(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    ways.open_link(client, invitation, anna)
    token = client.token(REVIEW)
    make.set_site(invitation_redemption=False)
    assert client.post(HERE, data={"csrf_token": token}).status_code == 404


def test_declining_shows_for_staff_and_redeeming_takes_it_back(
    client: Client, new_client: Callable[[], Client], sign_in_as: SignIn, anna: Contact
) -> None:
    owner = sign_in_as("owner")
    invitation = make.make_invitation(anna, sent=True)
    invitation_id, anna_id = invitation.id, anna.id
    link = ways.link_of(invitation, anna)
    client.get(link)
    page = client.follow(decline(client, "No time, sorry.\nNext year!"))
    assert "You have declined" in page.text
    assert answer(invitation_id, anna_id).declined_words.splitlines() == ["No time, sorry.", "Next year!"]
    line = timeline("invitation", invitation_id)[0]
    assert (line.action, line.actor) == ("invitation.declined", "Anna Weber")
    assert timeline("contact", anna_id)[0].id == line.id
    for url in ("/staff/invitations/?view=open", f"/staff/invitations/{invitation_id}", f"/staff/contacts/{anna_id}"):
        assert "Declined" in owner.page(url).text
    assert "No time, sorry." in owner.page(f"/staff/invitations/{invitation_id}").text

    again = new_client()
    again.get(link)
    review = again.page(REVIEW)
    assert "You declined this invitation" in review.text
    assert not [form for form in review.posts if form.action == HERE]
    assert ways.sign_up(again).status_code == 303
    assert ways.used(db.session.get_one(Invitation, invitation_id)) == 1
    assert answer(invitation_id, anna_id).declined_at is None
    assert "Declined" not in owner.page(f"/staff/contacts/{anna_id}").text


@pytest.mark.sqlite_only
def test_declining_twice_is_one_deed_and_newer_words_count(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    ways.open_link(client, invitation, anna)
    form = client.page(REVIEW).form(HERE)
    typed = {"csrf_token": form.token, "seen": form.values["seen"][0]}
    assert client.post(HERE, data={**typed, "words": "First"}).status_code == 303
    when = answer(invitation, anna).declined_at
    ways.open_link(client, invitation, anna)
    assert client.post(HERE, data={**typed, "words": "Second"}).status_code == 303
    assert (answer(invitation, anna).declined_at, answer(invitation, anna).declined_words) == (when, "Second")
    assert [line.action for line in timeline("invitation", invitation.id)] == ["invitation.declined"]


@pytest.mark.sqlite_only
def test_who_declined_gets_no_further_mail(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    message = make.make_message(contact=anna, about_kind="invitation", about_id=invitation.id).id
    ways.open_link(client, invitation, anna)
    assert decline(client).status_code == 303
    with pytest.raises(Cancelled, match="declined"):
        letters.write(message, clock.now())
    intended = plan(db.session.get_one(Invitation, invitation.id), None, clock.now())
    assert intended.recipients == []
    assert [one.why for one in intended.skipped] == ["has declined it"]
    assert db.session.scalar(db.select(db.func.count()).select_from(Message)) == 1


@pytest.mark.sqlite_only
def test_of_a_group_each_declines_alone(client: Client, sign_in_as: SignIn, anna: Contact) -> None:
    owner = sign_in_as("owner")
    group = make.make_invitation(anna, make.make_contact(), sent=True)
    ways.open_link(client, group, anna)
    assert decline(client).status_code == 303
    assert "1 declined" in owner.page("/staff/invitations/?view=open").text


@pytest.mark.sqlite_only
def test_words_are_text_and_nothing_else(client: Client, sign_in_as: SignIn, anna: Contact) -> None:
    owner = sign_in_as("owner")
    invitation = make.make_invitation(anna, sent=True)
    ways.open_link(client, invitation, anna)
    assert decline(client, "<script>alert(1)</script>").status_code == 303
    page = owner.page(f"/staff/invitations/{invitation.id}")
    assert "<script>alert" not in page.html
    assert "<script>alert(1)</script>" in page.text
