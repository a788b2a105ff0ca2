"""Sending: who is skipped and why, what is refused, what is written, and that a button pressed twice sends once."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.invitations.models import Invitation
from portal.journal.queries import timeline
from portal.kernel.db import db
from portal.mail.models import Message
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.pages import Page

SignIn = Callable[..., Client]


@pytest.fixture
def owner(sign_in_as: SignIn, frozen_clock: FrozenClock) -> Client:
    return sign_in_as("owner")


@pytest.fixture
def anna(app: Flask, frozen_clock: FrozenClock):
    return make.make_contact(
        "Anna", "Weber", "anna@example.org", email2="second@example.org", email3="third@example.org"
    )


def url(invitation_id: int) -> str:
    return f"/staff/invitations/{invitation_id}/send"


def messages() -> list[Message]:
    db.session.rollback()
    return list(db.session.scalars(db.select(Message).order_by(Message.id)))


def fresh(invitation_id: int) -> Invitation:
    db.session.rollback()
    return db.session.get_one(Invitation, invitation_id)


def pressed(browser: Client, invitation_id: int, key: str = "k"):
    """Press OK in a dialog with this key, wherever its token came from."""
    token = browser.token("/staff/invitations/new")
    return browser.post(url(invitation_id), data={"csrf_token": token, "send_key": key})


@pytest.mark.sqlite_only
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_without_the_right(sign_in_as: SignIn, anna: Contact, who: str):
    made = make.make_invitation(anna).id
    browser = sign_in_as(who)
    assert browser.get(url(made)).status_code == 403
    assert not browser.page(f"/staff/invitations/{made}").has_button("Send Invitation")
    assert messages() == []


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"deactivated": True}, "inactive"),
        ({"completed": True, "used": 1}, "completed"),
        ({"expires_on": date(2026, 11, 19)}, "expired"),
    ],
)
def test_a_dead_one_is_refused_with_its_reason(owner: Client, anna: Contact, facts: dict, word: str):
    made = make.make_invitation(anna, **facts).id
    page = owner.page(url(made))
    assert word in page.text
    assert not page.has_button("OK")
    response = pressed(owner, made)
    assert response.status_code == 409
    assert word in Page(response).text
    assert messages() == []


def test_one_whose_owner_left_or_lost_the_right_is_refused(owner: Client, anna: Contact):
    gone, viewer = make.make_staff("manager", active=False), make.make_staff("viewer")
    for one in (gone, viewer):
        made = make.make_invitation(anna, owner=one).id
        assert one.name in owner.page(url(made)).text
        assert pressed(owner, made).status_code == 409
    assert messages() == []


def test_one_with_a_role_its_owner_may_not_give_any_more_is_refused(owner: Client, anna: Contact):
    admin = make.make_role("Admin", managers_may_grant=False)
    made = make.make_invitation(anna, owner=make.make_staff("manager"), roles=[admin]).id
    assert "Admin" in owner.page(url(made)).text
    assert pressed(owner, made).status_code == 409
    assert messages() == []


def test_one_with_a_role_the_actor_may_not_give_is_forbidden(sign_in_as: SignIn, anna: Contact):
    """T11: on sending too."""
    admin = make.make_role("Admin", managers_may_grant=False)
    made = make.make_invitation(anna, owner=make.make_staff("owner"), roles=[admin]).id
    manager = sign_in_as("manager")
    assert not manager.page(url(made)).has_button("OK")
    assert pressed(manager, made).status_code == 403
    assert messages() == []
    assert fresh(made).sent_at is None


def test_nobody_to_send_to_stays_new_with_the_reasons(owner: Client, frozen_clock: FrozenClock):
    silent, gone = make.make_contact("Silent", email1=None), make.make_contact("Gone", active=False)
    done = make.make_contact("Done")
    made = make.make_invitation(silent, gone, done)
    made_id = made.id
    make.make_redemption(made, done)
    page = owner.page(url(made_id))
    skipped = page.testid("skipped").text
    assert "Silent has no e-mail address" in skipped
    assert "Gone is inactive" in skipped
    assert "Done has redeemed it already" in skipped
    assert not page.has_button("OK")
    toasts = owner.follow(pressed(owner, made_id)).toasts
    assert any("Nothing was sent" in toast and "Silent has no e-mail address" in toast for toast in toasts)
    assert messages() == []
    assert fresh(made_id).sent_at is None


def test_a_group_without_names_has_nobody_to_send_to(owner: Client):
    made = make.make_invitation(type="group").id
    assert "Nobody is invited by name" in owner.page(url(made)).text
    assert pressed(owner, made).status_code == 303
    assert fresh(made).sent_at is None


def test_the_fourth_mail_in_six_hours_is_too_many(owner: Client, anna: Contact, frozen_clock: FrozenClock):
    """T47."""
    made = make.make_invitation(anna).id
    for number in range(3):
        assert pressed(owner, made, f"key{number}").status_code == 303
        frozen_clock.move(minutes=5)
    response = pressed(owner, made, "key3")
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) == 6 * 3600 - 15 * 60
    assert len(messages()) == 3
    assert "has had 3 mails in the last 6 hours" in owner.page(url(made)).text


def test_six_hours_after_the_first_another_may_go(
    owner: Client, sign_in_as: SignIn, anna: Contact, frozen_clock: FrozenClock
):
    made = make.make_invitation(anna).id
    for number in range(3):
        assert pressed(owner, made, f"key{number}").status_code == 303
    frozen_clock.move(hours=6)
    assert pressed(sign_in_as("owner"), made, "later").status_code == 303
    assert len(messages()) == 4


def test_who_had_three_is_skipped_while_others_get_theirs(owner: Client, anna: Contact):
    ben = make.make_contact("Ben")
    made = make.make_invitation(anna, ben).id
    for _ in range(3):
        make.make_message(contact=anna, about_kind="invitation", about_id=made, state="sent")
    toasts = owner.follow(pressed(owner, made)).toasts
    assert [m.contact_id for m in messages()[3:]] == [ben.id]
    assert any("Anna Weber has had 3 mails" in toast for toast in toasts)


def test_looking_at_the_dialog_sends_nothing(owner: Client, anna: Contact, dump: Callable[[], Any]):
    made = make.make_invitation(anna).id
    owner.page("/staff/")
    before = dump()
    for _ in range(3):
        owner.page(url(made))
        owner.head(url(made))
    assert dump() == before


def test_one_message_per_contact_to_the_first_address_only(owner: Client, anna: Contact):
    """T45: the dialog names it."""
    made = make.make_invitation(anna).id
    page = owner.page(url(made))
    assert "1 e-mail will be sent" in page.text
    assert "anna@example.org" in page.testid("recipients").text
    assert "second@example.org" not in page.text
    assert owner.post_form(url(made)).status_code == 303
    (message,) = messages()
    assert (message.kind, message.contact_id, message.about_kind, message.about_id) == (
        "invitation",
        anna.id,
        "invitation",
        made,
    )
    assert message.state == "queued"
    assert message.to_address is None


def test_sending_is_ordered_in_the_transaction_of_the_message(owner: Client, anna: Contact, frozen_clock: FrozenClock):
    made = make.make_invitation(anna).id
    owner.post_form(url(made))
    first = fresh(made).sent_at
    assert first == frozen_clock.now
    frozen_clock.move(minutes=10)
    owner.post_form(url(made))
    assert fresh(made).sent_at == first
    assert len(messages()) == 2
    assert fresh(made).link_version == 1


def test_a_button_pressed_twice_sends_once(owner: Client, anna: Contact):
    made = make.make_invitation(anna, make.make_contact("Ben")).id
    form = owner.page(url(made)).form(url(made)).values
    for press in range(2):
        toasts = owner.follow(owner.post(url(made), data=form)).toasts
        assert any(("on their way" if press == 0 else "queued already") in toast for toast in toasts)
    assert len(messages()) == 2
    assert [line.action for line in timeline("invitation", made)].count("invitation.sent") == 1


@pytest.mark.sqlite_only
@pytest.mark.parametrize("key", ["", "\x00", "x" * 5_000, "'; DROP TABLE message; --", "😀", "%"])
def test_a_key_that_is_none_counts_for_itself(owner: Client, anna: Contact, key: str):
    made = make.make_invitation(anna).id
    assert pressed(owner, made, key).status_code == 303
    assert len(messages()) == 1


def test_sending_is_in_the_journal_of_both(owner: Client, anna: Contact):
    made = make.make_invitation(anna, make.make_contact("Silent", email1=None)).id
    owner.post_form(url(made))
    line = timeline("invitation", made)[0]
    assert line.action == "invitation.sent"
    assert "Silent" in line.text
    assert timeline("contact", anna.id)[0].action == "invitation.sent"


def test_create_and_send_in_one_step(owner: Client, anna: Contact):
    response = owner.post_form(
        "/staff/invitations/new", {"name": "Access", "type": "single", "contacts": [anna.id]}, press="Save and send"
    )
    page = owner.follow(response)
    assert any("1 e-mail is on its way" in toast for toast in page.toasts)
    assert len(messages()) == 1
    assert fresh(messages()[0].about_id).sent_at is not None


def test_create_and_send_with_nobody_to_send_to_creates_and_says_why(owner: Client):
    silent = make.make_contact("Silent", email1=None)
    typed = {"name": "Access", "type": "single", "contacts": [silent.id]}
    page = owner.follow(owner.post_form("/staff/invitations/new", typed, press="Save and send"))
    assert any("Silent has no e-mail address" in toast for toast in page.toasts)
    assert db.session.scalars(db.select(Invitation)).one().sent_at is None


def test_the_record_shows_each_ones_last_message(owner: Client, anna: Contact):
    made = make.make_invitation(anna).id
    assert "None yet" in owner.page(f"/staff/invitations/{made}").text
    owner.post_form(url(made))
    assert "On its way" in owner.page(f"/staff/invitations/{made}").text
    make.make_message(contact=anna, about_kind="invitation", about_id=made, state="failed", answer="550 no such user")
    assert "550 no such user" in owner.page(f"/staff/invitations/{made}").text
