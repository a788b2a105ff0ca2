"""The owner hears of redemptions, declines and requests: at once, once a day, or not at all."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.invitations import services
from portal.invitations.models import Invitation
from portal.invitations.services.telling import digest_due
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import letters, outbox
from portal.mail.models import Message
from portal.mail.outbox import Cancelled, Prepared
from portal.redemption import services as redemption
from portal.staff.models import StaffMember
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock

SignIn = Callable[..., Client]
HERE = "/staff/profile/notices"


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@invited.example")


def owned(anna: Contact, notices: str, **more: Any) -> Invitation:
    owner = make.make_staff("manager", name="Olga Owner", email="olga@staff.example", notices=notices)
    return make.make_invitation(anna, name="Members", sent=True, owner=owner, **more)


def mails(kind: str = "") -> list[Message]:
    db.session.rollback()
    chosen = (
        db.select(Message).filter_by(kind=kind) if kind else db.select(Message).where(Message.staff_id.is_not(None))
    )
    return list(db.session.scalars(chosen.order_by(Message.id)))


def prepared(message: Message) -> Prepared:
    return outbox.prepares[message.kind](message, clock.now())


def redeem(invitation: Invitation, contact: Contact, now: datetime | None = None) -> None:
    ids = invitation.id, contact.id
    with transaction():
        redemption.redeem(*ids, proof="link", signed_in_by="password", ip=None, now=now or clock.now())


def decline(invitation: Invitation, contact: Contact, words: str = "") -> None:
    with transaction():
        found, who = db.session.get_one(Invitation, invitation.id), db.session.get_one(Contact, contact.id)
        services.decline(found, who, words, make_actor(who), clock.now())


def ask(invitation: Invitation, contact: Contact, words: str = "") -> None:
    with transaction():
        found, who = db.session.get_one(Invitation, invitation.id), db.session.get_one(Contact, contact.id)
        services.ask(found, who, "expired", words, make_actor(who), clock.now())


def undo(invitation: Invitation, contact: Contact) -> None:
    ids, by = (invitation.id, contact.id), make.any_owner().actor(None)
    with transaction():
        services.undo(*ids, by, clock.now())


def make_actor(contact: Contact) -> Any:
    from portal.kernel.actor import Actor

    return Actor("contact", contact.id, contact.name)


def choose(who: StaffMember, choice: str) -> None:
    who_id = who.id
    with transaction():
        services.choose_notices(choice, db.session.get_one(StaffMember, who_id).actor(None), clock.now())


def owner_of(invitation: Invitation) -> StaffMember:
    return db.session.get_one(StaffMember, invitation.owner_id)


# Choosing


@pytest.mark.sqlite_only
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_who_can_own_nothing_is_not_asked(sign_in_as: SignIn, who: str) -> None:
    browser = sign_in_as(who)
    page = browser.page("/staff/profile")
    assert not [form for form in page.posts if form.action == HERE]
    assert browser.post(HERE, data={"csrf_token": browser.token("/staff/profile")}).status_code == 403


@pytest.mark.sqlite_only
def test_another_choice_than_those_offered_is_refused(sign_in_as: SignIn, persona: Callable[[str], Any]) -> None:
    browser = sign_in_as("manager")
    for typed in ({"notices": "hourly"}, {"notices": None}):
        assert browser.post_form(HERE, typed, page="/staff/profile").status_code == 422
    assert browser.post(HERE, data={"notices": "none"}).status_code == 400
    assert persona("manager").notices == "none"


def test_everybody_chooses_for_themselves(sign_in_as: SignIn, persona: Callable[[str], Any]) -> None:
    browser, other = sign_in_as("manager"), persona("owner")
    for choice in ("daily", "at_once", "none"):
        form = browser.page("/staff/profile").form(HERE)
        assert form.values["notices"] == [persona("manager").notices]
        assert location(browser.post_form(HERE, {"notices": choice}, page="/staff/profile")) == "/staff/profile"
        assert persona("manager").notices == choice
    assert other.notices == "none"


# At once


@pytest.mark.sqlite_only
def test_nobody_is_told_who_wants_nothing_or_left(anna: Contact) -> None:
    silent = owned(anna, "none")
    gone = make.make_invitation(anna, sent=True, owner=make.make_staff(active=False, notices="at_once"))
    for invitation in (silent, gone):
        ask(invitation, anna)
        decline(invitation, anna)
        redeem(invitation, anna)
    assert mails() == []


def test_the_owner_is_told_at_once_of_a_redemption(anna: Contact, frozen_clock: FrozenClock) -> None:
    role, account = make.make_role("Readers"), make.make_account("Acme")
    make.set_site(timezone="Europe/Berlin", name="Harbour Club")
    invitation = owned(anna, "at_once", roles=[role], account=account)
    redeem(invitation, anna)
    [message] = mails("redeemed")
    assert (message.contact_id, message.about_kind, message.about_id) == (None, "invitation", invitation.id)
    found = prepared(message)
    assert found.to == "olga@staff.example"
    assert found.values["role_names"] == ["Readers"]
    assert found.values["account_name"] == "Acme"
    assert found.values["when"].hour == 13
    assert found.values["link"] == f"http://localhost/staff/invitations/{invitation.id}"
    letters.write(message.id, clock.now())
    redeem(invitation, anna)
    assert len(mails("redeemed")) == 1


def test_what_was_undone_meanwhile_is_not_told(anna: Contact) -> None:
    invitation = owned(anna, "at_once", type="group", expires_on=date(2099, 1, 1))
    ask(invitation, anna)
    decline(invitation, anna)
    redeem(invitation, anna)
    declined, asked = mails("declined")[0].id, mails("request")[0].id
    for number in (declined, asked):
        with pytest.raises(Cancelled):
            letters.write(number, clock.now())
    undo(invitation, anna)
    with pytest.raises(Cancelled, match="undone"):
        letters.write(mails("redeemed")[0].id, clock.now())


@pytest.mark.parametrize("kind", ["declined", "request"])
def test_declines_and_requests_carry_the_words_and_answer_to_the_contact(anna: Contact, kind: str) -> None:
    invitation = owned(anna, "at_once")
    words = "Not now.\nPlease see https://evil.example/x and <b>call</b>"
    (decline if kind == "declined" else ask)(invitation, anna, words)
    [message] = mails(kind)
    found = prepared(message)
    assert (found.to, found.reply_to) == ("olga@staff.example", "anna@invited.example")
    assert found.values["words"] == words
    letters.write(message.id, clock.now())
    data = letters.write(message.id, clock.now()).data.decode()
    assert "https://evil.example" not in data
    choose(owner_of(invitation), "none")
    with pytest.raises(Cancelled, match="wants no notices"):
        letters.write(message.id, clock.now())


@pytest.mark.sqlite_only
def test_a_notice_does_not_pass_for_the_contacts_mail(sign_in_as: SignIn, anna: Contact) -> None:
    invitation = owned(anna, "at_once")
    decline(invitation, anna)
    page = sign_in_as("owner").page(f"/staff/invitations/{invitation.id}")
    assert "None yet" in page.text


# Once a day


@pytest.mark.parametrize(
    ("zone", "now", "due"),
    [
        ("UTC", "2026-11-20 07:00", "2026-11-20 08:00"),
        ("UTC", "2026-11-20 07:59:30", "2026-11-21 08:00"),
        ("UTC", "2026-11-20 08:00", "2026-11-21 08:00"),
        ("UTC", "2026-12-31 23:59:59", "2027-01-01 08:00"),
        ("Europe/Berlin", "2026-11-20 06:30", "2026-11-20 07:00"),
        ("Europe/Berlin", "2026-10-24 12:00", "2026-10-25 07:00"),
        ("Europe/Berlin", "2026-03-28 12:00", "2026-03-29 06:00"),
        ("America/Los_Angeles", "2026-11-20 20:00", "2026-11-21 16:00"),
        ("Pacific/Kiritimati", "2026-11-20 19:00", "2026-11-21 18:00"),
    ],
)
def test_the_digest_is_due_at_eight_by_the_sites_clock(zone: str, now: str, due: str) -> None:
    assert digest_due(make.at(now), ZoneInfo(zone)) == make.at(due)


def test_a_day_with_something_to_tell_makes_one_digest(anna: Contact, frozen_clock: FrozenClock) -> None:
    invitation = owned(anna, "daily", type="group")
    bruno, carla, dora = (make.make_contact(name, "Costa") for name in ("Bruno", "Carla", "Dora"))
    for number, (act, person) in enumerate([(redeem, anna), (decline, anna), (ask, carla)]):
        frozen_clock.set(make.at("2026-11-20 12:00") + timedelta(hours=number))
        if act is decline:
            with transaction():
                services_invite(invitation.id, bruno.id)
            decline(invitation, bruno)
        elif act is redeem:
            redeem(invitation, person)
        else:
            ask(invitation, carla)
    [message] = mails()
    assert (message.kind, message.due_at) == ("digest", make.at("2026-11-21 08:00"))
    frozen_clock.set(make.at("2026-11-21 08:00"))
    with transaction():
        services_invite(invitation.id, dora.id)
    decline(invitation, dora)
    first, second = mails()
    assert second.due_at == make.at("2026-11-22 08:00")
    items = prepared(first).values["items"]
    assert [item.split(" – ")[1] for item in items] == [
        "Anna Weber accepted “Members”",
        "Bruno Costa declined “Members”",
        "Carla Costa asks for a new invitation to “Members”",
    ]
    assert [len(prepared(second).values["items"]), second.staff_id] == [1, invitation.owner_id]
    letters.write(first.id, clock.now())


def services_invite(invitation_id: int, contact_id: int) -> None:
    from portal.invitations.models import InvitedContact
    from portal.kernel.secrets_ import new_public_id

    db.session.add(InvitedContact(invitation_id=invitation_id, contact_id=contact_id, public_id=new_public_id()))


def test_an_empty_day_has_no_digest_and_one_that_came_to_nothing_is_cancelled(
    anna: Contact, frozen_clock: FrozenClock
) -> None:
    invitation = owned(anna, "daily")
    assert mails() == []
    redeem(invitation, anna)
    undo(invitation, anna)
    frozen_clock.set(make.at("2026-11-21 08:00"))
    [message] = mails()
    with pytest.raises(Cancelled, match="nothing left"):
        letters.write(message.id, clock.now())


def test_what_took_longer_than_what_began_after_it_is_told_too(anna: Contact, frozen_clock: FrozenClock) -> None:
    """Both redeem at once; the one that began later is the first to be done, and makes the digest."""
    bert = make.make_contact("Bert", "Maier")
    slow = owned(anna, "daily")
    quick = make.make_invitation(bert, name="Readers", sent=True, owner=owner_of(slow))
    began = clock.now()
    redeem(quick, bert, began + timedelta(milliseconds=50))
    redeem(slow, anna, began)
    [digest] = mails("digest")
    frozen_clock.move(days=1)
    assert [line.split(" – ")[1] for line in prepared(digest).values["items"]] == [
        "Anna Weber accepted “Members”",
        "Bert Maier accepted “Readers”",
    ]


def test_others_invitations_are_not_told(anna: Contact, frozen_clock: FrozenClock) -> None:
    mine = owned(anna, "daily")
    other = make.make_contact()
    theirs = make.make_invitation(other, name="Theirs", owner=make.make_staff(notices="daily"))
    redeem(mine, anna)
    redeem(theirs, other)
    frozen_clock.set(make.at("2026-11-21 08:00"))
    assert [len(prepared(message).values["items"]) for message in mails("digest")] == [1, 1]
    assert len({message.staff_id for message in mails("digest")}) == 2


def test_what_was_told_at_once_is_not_told_again_and_nothing_is_lost_by_changing(
    anna: Contact, frozen_clock: FrozenClock
) -> None:
    owner = make.make_staff("manager", notices="at_once")
    people = [make.make_contact("Person", name) for name in ("One", "Two", "Three", "Four")]
    each = [make.make_invitation(person, name="Members", owner=owner) for person in people]
    redeem(each[0], people[0])
    frozen_clock.move(minutes=30)
    choose(owner, "daily")
    redeem(each[1], people[1])
    frozen_clock.move(minutes=30)
    choose(db.session.get_one(StaffMember, owner.id), "at_once")
    [digest] = mails("digest")
    assert digest.due_at == clock.now()
    redeem(each[2], people[2])
    frozen_clock.move(minutes=30)
    choose(db.session.get_one(StaffMember, owner.id), "daily")
    redeem(each[3], people[3])
    frozen_clock.set(make.at("2026-11-21 08:00"))
    told = [[item.split(" – ")[1] for item in prepared(m).values["items"]] for m in mails("digest")]
    assert told == [["Person Two accepted “Members”"], ["Person Four accepted “Members”"]]
    assert len(mails("redeemed")) == 2


@pytest.mark.sqlite_only
def test_a_digest_of_many_is_cut_and_each_line_stays_short(anna: Contact, frozen_clock: FrozenClock) -> None:
    owner = make.make_staff("manager", notices="daily")
    group = make.make_invitation(name="N" * 200, type="group", owner=owner)
    for number in range(52):
        person = make.make_contact("P" * 100, f"{number}")
        make.make_redemption(group, person)
    with transaction():
        outbox.enqueue("digest", now=clock.now(), staff_id=owner.id, detail={"until": "2026-11-21T07:59:00+00:00"})
    [message] = mails("digest")
    items = prepared(message).values["items"]
    assert len(items) == 51
    assert all(len(item) <= 200 for item in items)


@pytest.mark.sqlite_only
def test_a_redemption_through_the_pages_tells_the_owner(client: Client, anna: Contact) -> None:
    invitation = owned(anna, "at_once")
    ways.open_link(client, invitation, anna)
    assert ways.sign_up(client).status_code == 303
    assert isinstance(datetime.fromisoformat(mails("redeemed")[0].created_at.isoformat()), datetime)


def test_many_redemptions_at_once_make_one_digest(app: Flask, frozen_clock: FrozenClock) -> None:
    owner = make.make_staff("manager", notices="daily")
    people = [make.make_contact() for _ in range(8)]
    pairs = [(make.make_invitation(person, owner=owner).id, person.id) for person in people]
    db.session.rollback()

    def accept(pair: tuple[int, int]) -> None:
        with app.app_context(), transaction():
            redemption.redeem(*pair, proof="link", signed_in_by="password", ip=None, now=clock.now())

    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(accept, pairs))
    [message] = mails()
    frozen_clock.set(make.at("2026-11-21 08:00"))
    assert len(prepared(message).values["items"]) == 8
