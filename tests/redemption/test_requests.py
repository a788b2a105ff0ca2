"""Asking for a new invitation with a link that is over, and what staff answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity.models import Credential
from portal.invitations import queries, services
from portal.invitations.models import Invitation, InvitationRequest
from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict
from portal.mail import letters
from portal.mail.models import Message
from portal.redemption import pending
from portal.redemption import services as redemption
from portal.redemption.pending import Intent
from portal.staff.models import StaffMember
from portal.workflows.models import Workflow
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page

SignIn = Callable[..., Client]
HERE, REVIEW = "/redeem/request", "/redeem/review"
VIEW = "/staff/invitations/?view=requests"


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@invited.example")


@pytest.fixture
def over(anna: Contact, frozen_clock: FrozenClock) -> Invitation:
    """An invitation of Anna's that expired yesterday."""
    return make.make_invitation(anna, name="Members", sent=True, expires_on=date(2026, 11, 19))


def asked() -> list[InvitationRequest]:
    db.session.rollback()
    return list(db.session.scalars(db.select(InvitationRequest).order_by(InvitationRequest.id)))


def ask(browser: Client, words: str = "") -> Any:
    page = browser.get(REVIEW)
    assert page.status_code == 410
    form = Page(page).form(HERE)
    seen = form.values["seen"][0]
    return browser.post(HERE, data={"csrf_token": form.token, "seen": seen, "words": words})


def mark(invitation: Invitation, contact: Contact) -> str:
    """What the buttons of the page carry."""
    fingerprint = pending.of_link(invitation.link_version, contact.email1_key)
    return Intent(pending.LINK, invitation.id, contact.id, fingerprint).mark


def decide(browser: Client, number: int, what: str) -> Any:
    url = f"/staff/invitations/requests/{number}/{what}"
    return browser.post(url, data={"csrf_token": browser.token("/staff/profile")})


def change(record: Any, **values: Any) -> None:
    kind, key = type(record), record.id
    with transaction():
        found = db.session.get_one(kind, key)
        for name, value in values.items():
            setattr(found, name, value)


def messages(invitation_id: int) -> list[Message]:
    found = db.select(Message).filter_by(kind="invitation", about_id=invitation_id).order_by(Message.id)
    return list(db.session.scalars(found))


# Who may not ask


@pytest.mark.sqlite_only
def test_nobody_asks_without_a_dead_link(
    client: Client, anna: Contact, over: Invitation, dump: Callable[[], Any]
) -> None:
    alive = make.make_invitation(anna, sent=True, redeemable_by="anyone")
    before = dump()
    token = client.token("/redeem")
    assert location(client.post(HERE, data={"csrf_token": token})) == "/redeem"
    assert ways.type_code(client, over).status_code == 404
    ways.arrive(client, "code", alive)
    assert location(client.post(HERE, data={"csrf_token": client.token(REVIEW)})) == REVIEW
    ways.open_link(client, alive, anna)
    assert location(client.post(HERE, data={"csrf_token": client.token(REVIEW)})) == REVIEW
    ways.open_link(client, over, anna)
    assert client.post(HERE, data={"words": "Please"}).status_code == 400
    assert dump() == before


@pytest.mark.sqlite_only
def test_a_code_that_ran_out_meanwhile_offers_no_asking(client: Client, frozen_clock: FrozenClock) -> None:
    invitation = make.make_invitation(make.make_contact(), sent=True, expires_on=date(2026, 11, 20))
    frozen_clock.set(make.at("2026-11-20 23:50"))
    ways.arrive(client, "code", invitation)
    frozen_clock.move(minutes=20)
    page = client.page(REVIEW, status=410)
    assert not [form for form in page.posts if form.action == HERE]
    assert location(client.post(HERE, data={"csrf_token": client.token("/redeem")})) == REVIEW
    assert asked() == []


@pytest.mark.sqlite_only
def test_who_accepted_has_nothing_to_ask_for(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    make.make_redemption(invitation, anna)
    client.get(ways.link_of(invitation, anna))
    page = client.page(REVIEW, status=410)
    assert not [form for form in page.posts if form.action == HERE]
    assert location(client.post(HERE, data={"csrf_token": client.token("/redeem")})) == REVIEW
    assert asked() == []


@pytest.mark.sqlite_only
def test_words_that_are_too_long_come_back(client: Client, anna: Contact, over: Invitation) -> None:
    client.get(ways.link_of(over, anna))
    refused = ask(client, "x" * 501)
    assert refused.status_code == 422
    assert "x" * 501 in refused.text
    assert asked() == []


@pytest.mark.sqlite_only
def test_a_contact_asks_three_times_a_day_at_most(
    client: Client, anna: Contact, over: Invitation, frozen_clock: FrozenClock
) -> None:
    for _ in range(3):
        make.make_request(make.make_invitation(anna, sent=True, deactivated=True), anna)
    client.get(ways.link_of(over, anna))
    refused = ask(client)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "86400")
    assert len(asked()) == 3
    frozen_clock.move(days=1)
    client.get(ways.link_of(over, anna))
    assert ask(client).status_code == 303
    assert len(asked()) == 4


# Asking


@pytest.mark.parametrize("why", ["expired", "inactive", "completed", "contact_inactive"])
def test_a_genuine_dead_link_asks_once(client: Client, anna: Contact, frozen_clock: FrozenClock, why: str) -> None:
    values: dict[str, dict[str, Any]] = {
        "expired": {"expires_on": date(2026, 11, 19)},
        "inactive": {"deactivated": True},
        "completed": {"completed": True, "used": 1},
        "contact_inactive": {},
    }
    invitation = make.make_invitation(anna, sent=True, redeemable_by="anyone", **values[why])
    if why == "contact_inactive":
        change(anna, active=False)
    client.get(ways.link_of(invitation, anna))
    assert location(ask(client, "I was ill.\nPlease!")) == REVIEW
    page = client.page(REVIEW, status=410)
    assert "You have asked for a new invitation" in page.text
    assert not [form for form in page.posts if form.action == HERE]
    assert (
        client.post(HERE, data={"csrf_token": client.token("/redeem"), "seen": mark(invitation, anna)}).status_code
        == 303
    )
    [request] = asked()
    assert (request.reason, request.decision, request.asked_at) == (why, "", frozen_clock.now)
    assert request.words.splitlines() == ["I was ill.", "Please!"]
    assert timeline("invitation", invitation.id)[0].action == "invitation.requested"


@pytest.mark.sqlite_only
def test_the_view_shows_who_asks_and_its_tab_counts_them(
    sign_in_as: SignIn, anna: Contact, over: Invitation, statements: Callable[[], Any]
) -> None:
    owner, viewer = sign_in_as("owner"), sign_in_as("viewer")
    assert "Nobody asks for anything" in owner.page(VIEW).text
    make.make_request(over, anna, words="<b>Please</b>")
    for _ in range(9):
        other = make.make_contact()
        make.make_request(make.make_invitation(other, sent=True, deactivated=True), other, decision="")
    make.make_request(over, make.make_contact(), decision="refused")
    with statements() as sent:
        page = owner.page(VIEW)
    assert len(sent) <= 12
    assert "Requests 10" in page.text
    assert "Anna Weber anna@invited.example" in page.text
    assert "<b>Please</b>" in page.text
    assert "works again through Dec 20, 2026" in page.text
    assert len([form for form in page.posts if form.action.endswith("/reissue")]) == 10
    assert "Anna Weber" in owner.page(f"{VIEW}&q=anna").text
    assert "No request matches" in owner.page(f"{VIEW}&q=nobody").text
    assert "10 requests for a new invitation wait" in owner.page("/staff/").text
    seen = viewer.page(VIEW)
    assert "Anna Weber" in seen.text
    assert not [form for form in seen.posts if "/requests/" in form.action]


@pytest.mark.sqlite_only
def test_the_view_goes_on_after_fifty(sign_in_as: SignIn, anna: Contact) -> None:
    owner = sign_in_as("owner")
    for number in range(51):
        make.make_request(make.make_invitation(anna, name=f"Number {number:02}", deactivated=True), anna)
    page = owner.page(VIEW)
    assert "Number 49" in page.text
    assert "Number 50" not in page.text
    assert "Number 50" in owner.page(page.link("Next")).text
    assert "Number 00" in owner.page(f"{VIEW}&after=garbage").text


# What staff answer


@pytest.mark.sqlite_only
@pytest.mark.parametrize("what", ["reissue", "refuse"])
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_without_the_right(sign_in_as: SignIn, anna: Contact, over: Invitation, who: str, what: str) -> None:
    number = make.make_request(over, anna).id
    assert decide(sign_in_as(who), number, what).status_code == 403
    assert asked()[0].decision == ""


@pytest.mark.sqlite_only
def test_nobody_reissues_what_they_may_not_give(sign_in_as: SignIn, anna: Contact, dump: Callable[[], Any]) -> None:
    manager = sign_in_as("manager")
    board = make.make_role("Board", managers_may_grant=False)
    for more in ({}, {"type": "group"}):
        invitation = make.make_invitation(anna, sent=True, deactivated=True, roles=[board], **more)
        number = make.make_request(invitation, anna).id
        token = manager.token("/staff/profile")
        before = dump()
        url = f"/staff/invitations/requests/{number}/reissue"
        assert manager.post(url, data={"csrf_token": token}).status_code == 403
        assert dump() == before


@pytest.mark.parametrize("which", ["owner", "owner_role", "contact", "address", "workflow", "sending", "decided"])
def test_what_cannot_be_sent_is_refused_with_the_reason_and_nothing_changes(
    sign_in_as: SignIn, persona: Callable[[str], Any], anna: Contact, dump: Callable[[], Any], which: str
) -> None:
    boss = sign_in_as("owner")
    owner = make.make_staff("manager", name="Otto Owner")
    extra: dict[str, Any] = {}
    if which == "owner_role":
        extra["roles"] = [make.make_role("Board", managers_may_grant=False)]
    if which == "workflow":
        extra = {"workflow": make.shipped_workflow(), "completed": True, "used": 1}
    else:
        extra["deactivated"] = True
    invitation = make.make_invitation(anna, sent=True, owner=owner, **extra)
    number = make.make_request(invitation, anna, decision="refused" if which == "decided" else "").id
    if which == "owner":
        change(owner, active=False)
    if which == "contact":
        change(anna, active=False)
    if which == "address":
        change(anna, email1=None, email1_key=None)
    if which == "workflow":
        change(make.shipped_workflow(), activated=False)
    if which == "sending":
        change(db.session.scalars(db.select(Workflow).filter_by(key="send-invitation")).one(), activated=False)
    token = boss.token("/staff/profile")
    before = dump()
    answer = boss.post(f"/staff/invitations/requests/{number}/reissue", data={"csrf_token": token})
    assert answer.status_code == 409
    said = {
        "owner": "Its owner, Otto Owner, may no longer send",
        "owner_role": "may not give the web role Board",
        "contact": "Anna Weber is inactive",
        "address": "Anna Weber has no e-mail address",
        "workflow": "cannot be repeated as it was",
        "sending": "is deactivated. Activate it first",
        "decided": "decided this request already",
    }
    assert said[which] in answer.text
    assert dump() == before


def test_an_expired_single_works_again_with_a_new_code_and_link(
    sign_in_as: SignIn, client: Client, anna: Contact, over: Invitation
) -> None:
    owner = sign_in_as("owner")
    old_link, old_code, over_id, anna_id = ways.link_of(over, anna), make.code_of(over), over.id, anna.id
    client.get(old_link)
    ask(client)
    [request] = asked()
    assert location(decide(owner, request.id, "reissue")) == VIEW
    [request] = asked()
    assert (request.decision, request.decided_at) == ("reissued", clock.now())
    assert len(db.session.scalars(db.select(Invitation)).all()) == 1
    invitation, contact = db.session.get_one(Invitation, over_id), db.session.get_one(Contact, anna_id)
    assert (invitation.expires_on, len(messages(over_id))) == (date(2026, 12, 20), 1)
    assert client.get(old_link).status_code == 404
    assert ways.type_code(client, old_code).status_code == 404
    written = letters.write(messages(over_id)[0].id, clock.now())
    assert written.to == "anna@invited.example"
    client.get(ways.link_of(invitation, contact))
    assert ways.sign_up(client).status_code == 303
    actions = [line.action for line in timeline("contact", anna_id)]
    assert "invitation.reissued" in actions


def test_a_withdrawn_one_that_was_declined_is_taken_up_again(
    sign_in_as: SignIn, anna: Contact, frozen_clock: FrozenClock
) -> None:
    invitation = make.make_invitation(anna, sent=True, deactivated=True, expires_on=date(2027, 3, 1))
    with transaction():
        invited = queries.invitee(invitation.id, anna.id)
        assert invited is not None
        invited.declined_at = clock.now()
    number = make.make_request(invitation, anna, reason="inactive").id
    assert decide(sign_in_as("manager"), number, "reissue").status_code == 303
    found = db.session.get_one(Invitation, invitation.id, populate_existing=True)
    assert (found.deactivated_at, found.expires_on) == (None, date(2027, 3, 1))
    assert len(messages(found.id)) == 1


def test_who_declined_and_thought_better_of_it_is_sent_one_that_works_again_already(
    sign_in_as: SignIn, anna: Contact, over: Invitation
) -> None:
    invitation_id, contact_id = over.id, anna.id
    number = make.make_request(over, anna).id
    with transaction():
        invited = queries.invitee(invitation_id, contact_id)
        assert invited is not None
        invited.declined_at, invited.declined_words = clock.now(), "No, thank you."
        services.extend(invitation_id, date(2027, 3, 1), make.any_owner().actor(None), clock.now())
    assert decide(sign_in_as("manager"), number, "reissue").status_code == 303
    assert len(messages(invitation_id)) == 1
    db.session.rollback()
    invited = queries.invitee(invitation_id, contact_id)
    assert invited is not None
    assert (invited.declined_at, invited.declined_words) == (None, "")


def test_from_a_group_they_get_one_of_their_own(sign_in_as: SignIn, anna: Contact, frozen_clock: FrozenClock) -> None:
    role, account, other = make.make_role("Readers"), make.make_account("Acme"), make.make_contact()
    group = make.make_invitation(
        anna, other, name="Everybody", sent=True, expires_on=date(2026, 11, 1), roles=[role], account=account
    )
    ids = group.id, anna.id, role.id, account.id
    number = make.make_request(group, anna).id
    answer = decide(sign_in_as("owner"), number, "reissue")
    made = db.session.scalars(db.select(Invitation).order_by(Invitation.id.desc()).limit(1)).one()
    assert location(answer) == f"/staff/invitations/{made.id}"
    assert (made.name, made.type, made.redeemable_by) == ("Everybody – Anna Weber", "single", "invited")
    assert queries.invited_ids(made.id) == [ids[1]]
    assert [r.id for r in queries.roles(made.id)] == [ids[2]]
    assert (made.account_id, made.expires_on) == (ids[3], date(2026, 12, 20))
    assert [len(messages(i)) for i in (ids[0], made.id)] == [0, 1]
    assert db.session.get_one(Invitation, ids[0]).expires_on == date(2026, 11, 1)


def test_a_used_up_single_is_repeated_not_reopened(sign_in_as: SignIn, client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True, redeemable_by="anyone")
    make.make_redemption(invitation, make.make_contact(), proof="code")
    link = ways.link_of(invitation, anna)
    client.get(link)
    ask(client)
    number = asked()[0].id
    assert decide(sign_in_as("owner"), number, "reissue").status_code == 303
    assert len(db.session.scalars(db.select(Invitation)).all()) == 2
    assert db.session.get_one(Invitation, invitation.id).completed_at is not None
    assert "A new invitation was sent to you" in client.page(REVIEW, status=410).text


@pytest.mark.sqlite_only
def test_a_former_recipient_gets_one_of_their_own(sign_in_as: SignIn, anna: Contact, over: Invitation) -> None:
    number = make.make_request(over, anna).id
    with transaction():
        db.session.delete(queries.invitee(over.id, anna.id))
    assert decide(sign_in_as("owner"), number, "reissue").status_code == 303
    assert len(db.session.scalars(db.select(Invitation)).all()) == 2


def test_pressed_twice_sends_once(sign_in_as: SignIn, anna: Contact, over: Invitation) -> None:
    owner, number = sign_in_as("owner"), make.make_request(over, anna).id
    assert [decide(owner, number, "reissue").status_code for _ in range(2)] == [303, 409]
    assert len(messages(over.id)) == 1


def test_refusing_says_so_behind_the_link_and_mails_nobody(
    sign_in_as: SignIn, client: Client, anna: Contact, over: Invitation
) -> None:
    client.get(ways.link_of(over, anna))
    token = client.token("/redeem")
    ask(client)
    [request] = asked()
    assert location(decide(sign_in_as("owner"), request.id, "refuse")) == VIEW
    page = client.page(REVIEW, status=410)
    assert "the answer was no" in page.text
    assert client.post(HERE, data={"csrf_token": token, "seen": mark(over, anna)}).status_code == 409
    assert [one.decision for one in asked()] == ["refused"]
    assert db.session.scalars(db.select(Message)).all() == []
    assert timeline("invitation", over.id)[0].action == "invitation.request-refused"


def test_redeeming_settles_an_open_request(client: Client, anna: Contact, over: Invitation) -> None:
    client.get(ways.link_of(over, anna))
    ask(client)
    change(over, expires_at=clock.now() + timedelta(days=1))
    assert ways.sign_up(client).status_code == 303
    assert [one.decision for one in asked()] == ["redeemed"]
    assert db.session.scalars(db.select(Credential)).one().contact_id == anna.id


@pytest.mark.sqlite_only
def test_the_invitations_own_page_offers_the_answers_and_deleting_it_takes_its_requests(
    sign_in_as: SignIn, anna: Contact, over: Invitation
) -> None:
    owner = sign_in_as("owner")
    make.make_request(over, anna, words="Please")
    here = f"/staff/invitations/{over.id}"
    page = owner.page(here)
    assert "Anna Weber asks for a new invitation" in page.text
    assert len([form for form in page.posts if "/requests/" in form.action]) == 2
    assert owner.post_form(f"{here}/delete").status_code == 303
    assert asked() == []


@pytest.mark.sqlite_only
def test_a_request_whose_owner_left_still_waits_for_somebody(
    sign_in_as: SignIn, client: Client, anna: Contact, over: Invitation
) -> None:
    owner = db.session.get_one(StaffMember, over.owner_id)
    change(owner, active=False)
    client.get(ways.link_of(over, anna))
    assert ask(client).status_code == 303
    assert "Anna Weber" in sign_in_as("owner").page(VIEW).text


def test_pressed_by_many_at_once_asks_once_and_sends_once(
    app: Flask, persona: Callable[[str], Any], anna: Contact, over: Invitation
) -> None:
    by = persona("owner").actor(None)
    intent = Intent(pending.LINK, over.id, anna.id, pending.of_link(over.link_version, anna.email1_key))
    db.session.rollback()

    def asks(_number: int) -> bool:
        with app.app_context(), transaction():
            return redemption.ask(intent, "", ip=None, now=clock.now())

    def reissues(number: int) -> bool:
        try:
            with app.app_context(), transaction():
                return bool(services.reissue(number, by, clock.now()))
        except Conflict:
            return False

    with ThreadPoolExecutor(6) as crowd:
        assert sorted(crowd.map(asks, range(6))) == [False] * 5 + [True]
        [request] = asked()
        number = request.id
        db.session.rollback()
        assert sorted(crowd.map(reissues, [number] * 6)) == [False] * 5 + [True]
    assert len(messages(over.id)) == 1
