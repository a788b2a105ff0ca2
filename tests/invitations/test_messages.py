"""The invitation mail: when it is no longer due (F12), to whom it goes, what it says, whose name it bears."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.invitations import links, queries
from portal.invitations.messages import prepare_invitation
from portal.invitations.models import Invitation
from portal.kernel import addresses, clock
from portal.kernel.db import db, transaction
from portal.mail import dates
from portal.mail.outbox import Cancelled, prepares
from portal.mail.templates import render
from tests.support import make

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def anna(app: Flask):
    return make.make_contact("Anna", "Weber", "anna@example.org", email2="second@example.org")


def prepared(invitation: Invitation, contact: Contact, now: datetime = NOW):
    message = make.make_message(contact=contact, about_kind="invitation", about_id=invitation.id)
    return prepare_invitation(message, now)


def why_not(invitation: Invitation, contact: Contact, now: datetime = NOW) -> str:
    with pytest.raises(Cancelled) as cancelled:
        prepared(invitation, contact, now)
    return cancelled.value.reason


@pytest.mark.parametrize(
    ("facts", "word"),
    [({"deactivated": True}, "deactivated"), ({"completed": True, "used": 1}, "completed")],
)
def test_a_dead_invitation_is_not_mailed(anna: Contact, facts: dict, word: str):
    assert word in why_not(make.make_invitation(anna, **facts), anna)


def test_an_expired_one_is_not_mailed_from_its_instant_on(anna: Contact):
    made = make.make_invitation(anna, expires_on=date(2026, 11, 20))
    prepared(made, anna, make.at("2026-11-20 23:59:59"))
    assert "expired" in why_not(made, anna, make.at("2026-11-21 00:00:00"))


def test_a_contact_who_cannot_or_need_not_redeem_gets_none(anna: Contact):
    gone, silent = make.make_contact(active=False), make.make_contact(email1=None)
    done, stranger = make.make_contact(), make.make_contact()
    group = make.make_invitation(anna, gone, silent, done)
    make.make_redemption(group, done)
    assert "deactivated" in why_not(group, gone)
    assert "no e-mail address" in why_not(group, silent)
    assert "redeemed" in why_not(group, done)
    assert "no longer invited" in why_not(group, stranger)


def test_a_deleted_invitation_is_not_mailed(anna: Contact):
    message = make.make_message(contact=anna, about_kind="invitation", about_id=4711)
    with pytest.raises(Cancelled):
        prepare_invitation(message, NOW)


def test_it_goes_to_the_present_first_address(anna: Contact):
    made = make.make_invitation(anna)
    with transaction():
        anna.email1, anna.email1_key = "new@example.org", addresses.canonical("new@example.org")
    assert prepared(made, anna).to == "new@example.org"


def test_it_holds_a_link_that_works_and_the_code(anna: Contact):
    made = make.make_invitation(anna, code="Summer-Party_2026")
    values = prepared(made, anna).values
    assert values["link"].startswith("http://localhost/i/")
    found = links.resolve(values["link"].rpartition("/")[2])
    assert (found.invitation.id, found.contact.id) == (made.id, anna.id)
    assert values["code"] == "Summer-Party_2026"
    assert values["redeem_url"] == "http://localhost/redeem"


def test_each_contact_of_a_group_gets_a_link_of_their_own(anna: Contact):
    ben = make.make_contact("Ben")
    group = make.make_invitation(anna, ben)
    assert prepared(group, anna).values["link"] != prepared(group, ben).values["link"]


def test_it_bears_the_owners_name_and_replies_go_to_them(anna: Contact):
    owner = make.make_staff("manager", name="Ingrid Sommer", email="ingrid@staff.example")
    mail = prepared(make.make_invitation(anna, owner=owner), anna)
    assert (mail.sender_name, mail.reply_to) == ("Ingrid Sommer", "ingrid@staff.example")
    assert mail.values["inviter_name"] == mail.values["owner_name"] == "Ingrid Sommer"


def test_an_inviter_takes_their_place(anna: Contact):
    inviter = make.make_contact("Ines", "Ott", "ines@example.org")
    owner = make.make_staff("manager", name="Ingrid Sommer")
    mail = prepared(make.make_invitation(anna, owner=owner, inviter=inviter), anna)
    assert (mail.sender_name, mail.reply_to) == ("Ines Ott", "ines@example.org")
    assert (mail.values["inviter_name"], mail.values["owner_name"]) == ("Ines Ott", "Ingrid Sommer")


def test_an_inviter_without_address_leaves_replies_to_the_owner(anna: Contact):
    inviter = make.make_contact("Ines", "Ott", email1=None)
    owner = make.make_staff("manager", email="ingrid@staff.example")
    mail = prepared(make.make_invitation(anna, owner=owner, inviter=inviter), anna)
    assert (mail.sender_name, mail.reply_to) == ("Ines Ott", "ingrid@staff.example")


@pytest.mark.parametrize(
    ("zone", "day", "text"),
    [
        ("UTC", date(2026, 12, 20), "December 20, 2026, end of day (UTC)"),
        ("Europe/Berlin", date(2027, 3, 28), "March 28, 2027, end of day (Europe/Berlin)"),
        ("Africa/Cairo", date(2027, 4, 29), "April 29, 2027, end of day (Africa/Cairo)"),
        ("America/New_York", date(2027, 11, 7), "November 7, 2027, end of day (America/New York)"),
        ("Asia/Kathmandu", date(2027, 6, 1), "June 1, 2027, end of day (Asia/Kathmandu)"),
    ],
)
def test_it_says_until_when_with_the_zone(anna: Contact, zone: str, day: date, text: str):
    make.set_site(timezone=zone)
    made = make.make_invitation(anna, expires_on=day, zone=zone)
    assert dates.told(prepared(made, anna).values["expires_text"], "en") == text


def test_the_day_it_names_is_the_one_that_is_left_after_the_zone_changed(anna: Contact):
    made = make.make_invitation(anna, expires_on=date(2027, 1, 31), zone="Pacific/Kiritimati")
    make.set_site(timezone="America/New_York")
    assert prepared(made, anna).values["expires_text"].day == date(2027, 1, 31)
    assert made.expires_at == clock.end_of_day(date(2027, 1, 31), __import__("zoneinfo").ZoneInfo("Pacific/Kiritimati"))


def test_it_can_be_rendered_with_everything_and_with_nothing(anna: Contact):
    role, account = make.make_role("Order approver"), make.make_account("Fabrikam")
    rich = prepared(make.make_invitation(anna, roles=[role], account=account, expires_on=date(2027, 1, 1)), anna)
    poor = prepared(make.make_invitation(make.make_contact("", "", "only@example.org")), make_last())
    for mail in (rich, poor):
        made = render(mail.template, mail.values)
        assert mail.values["link"] in made.text
        assert mail.values["code"] in made.text
    assert "Fabrikam" in render(rich.template, rich.values).text
    assert "Order approver" in render(rich.template, rich.values).text


def make_last():
    from portal.contacts.models import Contact

    return db.session.scalars(db.select(Contact).order_by(Contact.id.desc())).first()


def test_preparing_only_reads(anna: Contact, dump: Callable[[], Any]):
    made = make.make_invitation(anna)
    message = make.make_message(contact=anna, about_kind="invitation", about_id=made.id)
    before = dump()
    prepare_invitation(message, NOW)
    assert dump() == before


def test_it_is_what_the_worker_calls(app: Flask):
    assert prepares["invitation"] is prepare_invitation
    assert queries.KIND == "invitation"
