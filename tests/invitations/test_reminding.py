"""Reminding by hand: the dialog, its refusals, the ticked rows; and what the mail says."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask

from portal.invitations import services
from portal.invitations.models import InvitedContact
from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict, Forbidden
from portal.mail import letters
from portal.mail.models import Message
from portal.staff.permissions import StaffActor
from tests.invitations.reminding import (
    acting,
    arrive,
    at,
    bounce,
    change,
    invited,
    redeem,
    reminded,
    send,
    template,
    work,
)
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.pages import Page

SignIn = Callable[..., Client]


@pytest.fixture
def by(app: Flask, frozen_clock: FrozenClock) -> StaffActor:
    return acting(make.make_staff("owner", name="Olga Owner"))


@pytest.fixture
def owner(sign_in_as: SignIn, frozen_clock: FrozenClock) -> Client:
    return sign_in_as("owner")


# By hand


def here(invitation_id: int) -> str:
    return f"/staff/invitations/{invitation_id}/remind"


def pressed(browser: Client, invitation_id: int, key: str = "remind") -> Any:
    token = browser.token("/staff/invitations/new")
    return browser.post(here(invitation_id), data={"csrf_token": token, "send_key": key})


@pytest.mark.sqlite_only
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_without_the_right(sign_in_as: SignIn, by: StaffActor, who: str) -> None:
    made = invited()
    send(made, by)
    browser = sign_in_as(who)
    assert browser.get(here(made)).status_code == 403
    assert "Send a reminder" not in browser.page(f"/staff/invitations/{made}").text
    response = browser.post("/staff/invitations/bulk", data={"csrf_token": token_of(browser), "action": "remind"})
    assert response.status_code == 403


def token_of(browser: Client) -> str:
    return browser.token("/staff/profile")


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({}, "has not been sent yet"),
        ({"sent": True, "deactivated": True}, "inactive"),
        ({"sent": True, "completed": True}, "completed"),
        ({"sent": True, "expires_on": date(2026, 11, 19)}, "expired"),
    ],
)
def test_what_cannot_be_reminded_of_is_refused_with_its_reason(owner: Client, facts: dict[str, Any], word: str) -> None:
    made = invited(**facts)
    page = owner.page(here(made))
    assert word in page.text
    assert not page.has_button("OK")
    response = pressed(owner, made)
    assert response.status_code == 409
    assert word in Page(response).text
    assert reminded() == []


def test_a_web_role_beyond_ones_rights_is_refused(app: Flask, frozen_clock: FrozenClock) -> None:
    role = make.make_role("Board", managers_may_grant=False)
    made = invited(roles=[role], owner=make.make_staff("owner"), sent=True)
    manager = acting(make.make_staff("manager"))
    with pytest.raises(Forbidden), transaction():
        services.remind(made, key="r", by=manager, now=clock.now())


def test_a_deactivated_template_is_named(by: StaffActor) -> None:
    made = invited()
    send(made, by)
    template(active=False)
    with pytest.raises(Conflict, match="Reminder"), transaction():
        services.remind(made, key="r", by=by, now=clock.now())


def test_looking_at_the_dialog_does_nothing(owner: Client, by: StaffActor, dump: Callable[[], Any]) -> None:
    made = invited()
    send(made, by)
    owner.page("/staff/")
    before = dump()
    assert "1 reminder will be sent" in owner.page(here(made)).text
    assert dump() == before


def test_the_dialog_names_who_gets_one_and_who_does_not_and_why(owner: Client, by: StaffActor) -> None:
    names = ("Anna", "Ben", "Cleo", "Dora", "Emil")
    people = [make.make_contact(name, "Test") for name in names]
    made, ids = invited(*people), make.ids(people)
    send(made, by)
    redeem(made, ids[1])
    change(InvitedContact, (made, ids[2]), declined_at=clock.now())
    bounce(ids[3])
    with transaction():
        last = db.update(Message).where(Message.contact_id == ids[4])
        db.session.execute(last.values(state="deferred"))
    text = owner.page(here(made)).text
    assert "1 reminder will be sent" in text
    assert "4 contacts are skipped" in text
    reasons = ("has redeemed it already", "has declined", "could not be reached by the last mail")
    for name, why in zip(names[1:], (*reasons, "still has a mail on its way"), strict=True):
        assert f"{name} Test {why}" in text
    assert pressed(owner, made).status_code == 303
    assert [m.contact_id for m in reminded()] == [ids[0]]


def test_pressed_twice_it_reminds_once(owner: Client, by: StaffActor) -> None:
    made = invited(reminders={})
    send(made, by)
    assert [pressed(owner, made).status_code for _time in range(2)] == [303, 303]
    assert len(reminded()) == 1
    assert timeline("invitation", made)[0].action == "invitation.reminded"


def test_everybody_had_three(owner: Client, by: StaffActor) -> None:
    made = invited(reminders={})
    send(made, by)
    for number in range(2):
        pressed(owner, made, key=f"k{number}")
        arrive()
    response = pressed(owner, made, key="once-more")
    assert (response.status_code, response.headers["Retry-After"]) == (429, str(6 * 3600))
    assert len(reminded()) == 2


def test_at_night_it_waits_for_the_morning_and_says_so(owner: Client, by: StaffActor) -> None:
    made = invited(reminders={})
    send(made, by)
    make.set_site(quiet_from=11, quiet_until=14)
    assert "go out when the quiet hours end" in owner.page(here(made)).text
    pressed(owner, made)
    assert [m.due_at for m in reminded()] == [at("2026-11-20 14:00")]


def test_ticked_ones_are_reminded_together(owner: Client, by: StaffActor) -> None:
    one, two = (invited(make.make_contact(name)) for name in ("Anna", "Ben"))
    unsent = invited(make.make_contact("Cleo"))
    send(one, by)
    send(two, by)
    asked = {"csrf_token": token_of(owner), "action": "remind", "ids": [one, two, unsent], "view": "open"}
    dialog = owner.post("/staff/invitations/bulk", data=asked)
    assert dialog.status_code == 200
    assert reminded() == []
    page = Page(dialog)
    assert "2 e-mails will be sent" in page.text
    assert "has not been sent yet" in page.text
    values = page.form("/staff/invitations/bulk").values
    for _time in range(2):
        assert owner.post("/staff/invitations/bulk", data=values).status_code == 303
    assert sorted(m.about_id or 0 for m in reminded()) == [one, two]


def test_the_page_shows_what_is_planned(owner: Client, by: StaffActor, statements: Callable[[], Any]) -> None:
    made = invited(make.make_contact(), make.make_contact(), reminders={"after": [3, 7]})
    send(made, by)
    owner.page(f"/staff/invitations/{made}")
    with statements() as sent:
        page = owner.page(f"/staff/invitations/{made}")
    for words in ("Nov 23", "Nov 27", "to 2 contacts, as things stand"):
        assert words in page.text
    assert len(sent) <= 12


# The mail itself


@pytest.mark.parametrize("words", ["", "See you on Monday"])
def test_the_reminder_carries_link_code_and_personal_words(
    by: StaffActor, frozen_clock: FrozenClock, words: str
) -> None:
    contact = make.make_contact("Anna", "Weber", "anna@example.org")
    made = invited(contact, message=words)
    send(made, by)
    frozen_clock.move(days=3)
    work()
    [message] = reminded()
    written = letters.write(message.id, clock.now())
    text = written.data.decode("utf-8", "replace")
    assert written.to == "anna@example.org"
    assert "/i/" in text
    assert (words in text) is True
