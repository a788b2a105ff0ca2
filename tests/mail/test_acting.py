"""What staff do with messages that have not arrived: try now, cancel, fix the address, try many again, test."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import outbox, queries
from portal.mail.models import Message
from portal.workflows.models import Workflow
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.databases import Rows
from tests.support.post import deliver, mail_to, message, people, queue, states
from tests.twins.smtp import SmtpTwin

SignIn = Callable[[str], Client]
Dump = Callable[[], Rows]
pytestmark = pytest.mark.usefixtures("frozen_clock")


@pytest.fixture(autouse=True)
def sends(app: Flask, smtp: SmtpTwin) -> None:
    mail_to(app, smtp.url)


def post(browser: Client, url: str, **data: object) -> int:
    token = browser.token("/staff/profile")
    return browser.post(url, data={"csrf_token": token, **data}).status_code


@pytest.mark.parametrize("who", ["viewer", "editor", "invitee", "nobody"])
@pytest.mark.parametrize("act", ["try-now", "cancel", "fix-address"])
def test_each_act_needs_its_right(sign_in_as: SignIn, dump: Dump, who: str, act: str) -> None:
    one = make.make_message("welcome", contact=make.make_contact(), state="deferred")
    browser = sign_in_as(who)
    before = dump()
    token = browser.token("/staff/sign-in") if who in ("invitee", "nobody") else browser.token("/staff/profile")
    status = browser.post(f"/staff/outbox/{one.id}/{act}", data={"csrf_token": token}).status_code
    assert status == (403 if who in ("viewer", "editor") else 303)
    page = browser.get(f"/staff/outbox/{one.id}").text
    assert "Try now" not in page
    assert dump() == before


@pytest.mark.parametrize("state", ["sent", "sending", "cancelled"])
def test_what_does_not_wait_is_neither_tried_nor_cancelled(sign_in_as: SignIn, dump: Dump, state: str) -> None:
    one = make.make_message("welcome", contact=make.make_contact(), state=state)
    manager = sign_in_as("manager")
    before = dump()
    assert post(manager, f"/staff/outbox/{one.id}/try-now") == 409
    assert post(manager, f"/staff/outbox/{one.id}/cancel") == 409
    assert dump() == before


def test_a_deferred_one_is_tried_at_once_and_its_answers_are_kept(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    smtp.behave(answers={"RCPT": "451 4.7.1 greylisted"})
    [one] = queue(*people(1))
    deliver()
    manager = sign_in_as("manager")
    answer = manager.post_form(f"/staff/outbox/{one}/try-now", page=f"/staff/outbox/{one}")
    assert location(answer) == f"/staff/outbox/{one}"
    smtp.behave()
    deliver()
    assert message(one).state == "sent"
    told = manager.page(f"/staff/outbox/{one}").first(data_testid="history").text
    assert "451 4.7.1 greylisted" in told
    assert "Tried again at once" in told
    assert "The mail server took it" in told


def test_a_failed_one_begins_anew(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    smtp.behave(answers={"RCPT": "550 5.2.1 switched off"})
    [one] = queue(*people(1))
    deliver()
    assert post(sign_in_as("manager"), f"/staff/outbox/{one}/try-now") == 303
    assert (message(one).state, message(one).attempts) == ("queued", 0)
    smtp.behave()
    deliver()
    assert (message(one).state, message(one).attempts, len(smtp.messages)) == ("sent", 1, 1)
    contact_id = message(one).contact_id
    assert contact_id is not None
    assert [line.action for line in timeline("contact", contact_id)] == ["message.retried", "message.failed"]


def test_a_cancelled_one_is_not_sent(smtp: SmtpTwin, sign_in_as: SignIn, frozen_clock: FrozenClock) -> None:
    [one] = queue(*people(1), due_at=frozen_clock.now + timedelta(hours=1))
    manager = sign_in_as("manager")
    assert "It will not be sent" in manager.page(f"/staff/outbox/{one}/cancel").text
    assert manager.post_form(f"/staff/outbox/{one}/cancel").status_code == 303
    frozen_clock.move(hours=2)
    deliver()
    assert (message(one).state, smtp.messages) == ("cancelled", [])
    assert message(one).answer.startswith("Cancelled by ")


# Fix the address and send again.


def refused(smtp: SmtpTwin, email: str = "ana@exmaple.org") -> tuple[int, int, int]:
    """An invitation whose message was refused: ids of the message, the contact and the invitation."""
    contact = make.make_contact("Anna", "Weber", email)
    invitation = make.make_invitation(contact, name="For Anna", sent=True)
    contact_id, invitation_id = contact.id, invitation.id
    with transaction():
        about = ("invitation", invitation_id)
        number = outbox.enqueue("invitation", now=clock.now(), contact_id=contact_id, about=about).id
    smtp.behave(answers={"RCPT": "550 5.1.1 no such user"})
    deliver()
    smtp.behave()
    assert message(number).state == "failed"
    return number, contact_id, invitation_id


def test_the_corrected_address_gets_the_invitation(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    number, contact_id, invitation_id = refused(smtp)
    manager = sign_in_as("manager")
    page = manager.page(f"/staff/outbox/{number}")
    assert "Nobody has this address." in page.text
    assert "Fix the address and send again" in page.text
    assert "Fix the address and send again" in manager.page(f"/staff/invitations/{invitation_id}").text
    answer = manager.post_form(f"/staff/outbox/{number}/fix-address", {"email1": "anna@example.org"})
    assert "1 message is sent again" in manager.follow(answer).text
    deliver()
    assert smtp.recipients == ["anna@example.org"]
    found = db.session.get_one(make.Contact, contact_id)
    assert (found.email1, found.email1_verified_at) == ("anna@example.org", None)
    actions = {line.action for line in timeline("invitation", invitation_id)}
    assert actions == {"message.failed", "invitation.sent"}
    assert "For Anna" not in manager.page("/staff/invitations/?view=problems").text


def test_roles_and_account_stay_as_they_are(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    from portal.contacts.queries import web_roles

    number, contact_id, _invitation_id = refused(smtp)
    mine, reserved = make.make_role("Reader"), make.make_role("Board", managers_may_grant=False)
    account = make.make_account("Acme")
    ids, account_id = [mine.id, reserved.id], account.id
    with transaction():
        db.session.get_one(make.Contact, contact_id).account_id = account_id
        for role_id in ids:
            db.session.add(make.ContactWebRole(contact_id=contact_id, web_role_id=role_id, granted_at=clock.now()))
    assert (
        post(
            sign_in_as("manager"),
            f"/staff/outbox/{number}/fix-address",
            email1="anna@example.org",
            version=db.session.get_one(make.Contact, contact_id).version,
        )
        == 303
    )
    assert {role.id for role in web_roles(contact_id)} == set(ids)
    assert db.session.get_one(make.Contact, contact_id).account_id == account_id


@pytest.mark.parametrize("typed", ["", "nobody", "a@b@c", "a@example.org,b@example.org", "Anna <a@example.org>"])
def test_what_is_no_address_is_refused(smtp: SmtpTwin, sign_in_as: SignIn, dump: Dump, typed: str) -> None:
    number, _contact_id, _invitation_id = refused(smtp)
    manager = sign_in_as("manager")
    before = dump()
    answer = manager.post_form(f"/staff/outbox/{number}/fix-address", {"email1": typed})
    assert answer.status_code == 422
    assert dump() == before


def test_another_contacts_address_must_be_meant(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    number, contact_id, _invitation_id = refused(smtp)
    make.make_contact("Anna", "Weber-Meier", "anna@example.org")
    manager, url = sign_in_as("manager"), f"/staff/outbox/{number}/fix-address"
    answer = manager.post_form(url, {"email1": "anna@example.org"})
    assert answer.status_code == 422
    assert "Weber-Meier" in answer.text
    version = db.session.get_one(make.Contact, contact_id).version
    assert post(manager, url, email1="anna@example.org", version=version, create_anyway="y") == 303


def test_a_stale_form_shows_both_addresses(smtp: SmtpTwin, sign_in_as: SignIn, dump: Dump) -> None:
    number, contact_id, _invitation_id = refused(smtp)
    with transaction():
        changed = db.session.get_one(make.Contact, contact_id)
        changed.email1 = changed.email1_key = "saved@example.org"
        changed.version += 1
    manager, url = sign_in_as("manager"), f"/staff/outbox/{number}/fix-address"
    token, before = manager.token("/staff/profile"), dump()
    answer = manager.post(url, data={"csrf_token": token, "email1": "mine@example.org", "version": "1"})
    assert answer.status_code == 409
    assert "saved@example.org" in answer.text
    assert "mine@example.org" in answer.text
    assert dump() == before


@pytest.mark.parametrize(
    ("why", "told"),
    [
        ("inactive", "This invitation is inactive"),
        ("expired", "This invitation has expired"),
        ("redeemed", "completed"),
        ("deactivated workflow", "is deactivated. Activate it first."),
        ("three already", "has had 3 mails in the last 6 hours"),
    ],
)
def test_what_is_not_due_any_more_is_not_sent_again_and_says_why(
    smtp: SmtpTwin, sign_in_as: SignIn, frozen_clock: FrozenClock, why: str, told: str
) -> None:
    number, contact_id, invitation_id = refused(smtp)
    about = ("invitation", invitation_id)
    with transaction():
        invitation = db.session.get_one(make.Invitation, invitation_id)
        if why == "inactive":
            invitation.deactivated_at = clock.now()
        if why == "expired":
            invitation.expires_at = clock.now()
        if why == "deactivated workflow":
            db.session.scalars(db.select(Workflow).filter_by(key="send-invitation")).one().activated = False
    if why == "redeemed":
        make.make_redemption(invitation, db.session.get_one(make.Contact, contact_id))
    if why == "three already":
        with transaction():
            for _ in range(3):
                outbox.enqueue("invitation", now=clock.now(), contact_id=contact_id, about=about).state = "failed"
    manager = sign_in_as("manager")
    answer = manager.post_form(f"/staff/outbox/{number}/fix-address", {"email1": "anna@example.org"})
    said = manager.follow(answer).text
    assert "The address is saved." in said
    assert told in said
    before = len(smtp.messages)
    deliver()
    assert len(smtp.messages) == before
    assert db.session.get_one(make.Contact, contact_id).email1 == "anna@example.org"


def test_other_kinds_are_written_anew_as_well_and_once(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    contact = make.make_contact(email1="wrong@example.org")
    contact_id = contact.id
    smtp.behave(answers={"RCPT": "550 5.1.1 no"})
    first, second = (queue(contact)[0] for _ in range(2))
    deliver()
    smtp.behave()
    assert states([first, second]) == ["failed", "failed"]
    manager = sign_in_as("manager")
    assert manager.post_form(f"/staff/outbox/{first}/fix-address", {"email1": "right@example.org"}).status_code == 303
    deliver()
    assert smtp.recipients == ["right@example.org"]
    assert queries.not_arrived(contact_id, clock.now() - timedelta(days=1)) == []


# Many at once, after an outage.


def test_all_that_failed_by_an_outage_are_tried_again_and_no_others(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    lost = [
        make.make_message("welcome", contact=c, state="failed", answer="The server closed the connection.", attempts=16)
        for c in people(60)
    ]
    nobody = make.make_message("welcome", contact=people(1)[0], state="failed", answer="550 5.1.1 no such user")
    back = make.make_message(
        "welcome", contact=people(1)[0], state="failed", answer="late", bounced_at=clock.now(), sent_at=clock.now()
    )
    ids, others = make.ids(lost), make.ids([nobody, back])
    manager = sign_in_as("manager")
    page = manager.page("/staff/outbox/?state=failed")
    assert "Try all that match again" in page.text
    token = manager.token("/staff/profile")
    everything = {"csrf_token": token, "state": "failed", "all": "1"}
    dialog = manager.post("/staff/outbox/retry", data=everything)
    assert dialog.status_code == 200
    assert "60 messages that failed" in dialog.text
    assert set(states(ids)) == {"failed"}, "the dialog changes nothing"
    answer = manager.post("/staff/outbox/retry", data={**everything, "confirm": "1"})
    assert answer.status_code == 303
    assert set(states(ids)) == {"queued"}
    assert set(states(others)) == {"failed"}
    deliver()
    assert set(states(ids)) == {"sent"}
    assert len(smtp.messages) == 60


def test_ticked_rows_are_tried_whatever_was_said(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    one, other = (make.make_message("welcome", contact=c, state="failed", answer="550 no such user") for c in people(2))
    sent = make.make_message("welcome", contact=people(1)[0], state="sent")
    ids = make.ids([one, other, sent])
    data = {"ids": [ids[0], ids[2], 999_999, "x", 2**40], "confirm": "1", "state": "failed"}
    assert post(sign_in_as("manager"), "/staff/outbox/retry", **data) == 303
    assert states(ids) == ["queued", "failed", "sent"]


@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_many_need_the_right_to_send(sign_in_as: SignIn, dump: Dump, who: str) -> None:
    make.make_message("welcome", contact=people(1)[0], state="failed")
    browser = sign_in_as(who)
    before = dump()
    assert post(browser, "/staff/outbox/retry", all="1", confirm="1", state="failed") == 403
    assert dump() == before


# The way to the mail server.


def test_the_test_message_takes_the_usual_way(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    owner = sign_in_as("owner")
    answer = owner.post_form("/staff/outbox/test", page="/staff/outbox/")
    number = int(location(answer).rpartition("/")[2])
    assert smtp.messages == [], "it goes through the outbox, as all do"
    deliver()
    assert message(number).state == "sent"
    [received] = smtp.messages
    assert "Invitation Portal" in received.message["Subject"]
    assert received.message["Auto-Submitted"] == "auto-generated"


def test_a_few_test_messages_are_enough(sign_in_as: SignIn) -> None:
    owner = sign_in_as("owner")
    assert [post(owner, "/staff/outbox/test") for _ in range(6)] == [303] * 5 + [429]


def test_a_paused_queue_can_be_asked_again_at_once(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    smtp.behave(answers={"MAIL": "550 5.7.1 not you"})
    [one] = queue(*people(1))
    deliver()
    smtp.behave()
    deliver()
    assert message(one).state == "queued", "the minute is not over"
    owner, manager = sign_in_as("owner"), sign_in_as("manager")
    assert "Ask the server now" not in manager.page("/staff/outbox/").text
    assert post(manager, "/staff/outbox/ask-again") == 403
    assert owner.post_form("/staff/outbox/ask-again", page="/staff/outbox/").status_code == 303
    deliver()
    assert message(one).state == "sent"


# Filters, caps.


def test_messages_of_one_contact_and_of_one_invitation(smtp: SmtpTwin, sign_in_as: SignIn) -> None:
    number, contact_id, invitation_id = refused(smtp)
    other = make.make_message("welcome", contact=make.make_contact("Bert", "Köhler"), state="sent").id
    viewer = sign_in_as("viewer")
    for query in (f"contact={contact_id}", f"invitation={invitation_id}", f"contact={contact_id}&state=failed"):
        text = viewer.page(f"/staff/outbox/?{query}").all("a")
        links = {link.attrs.get("href") for link in text}
        assert f"/staff/outbox/{number}" in links, query
        assert f"/staff/outbox/{other}" not in links
    with transaction():
        db.session.get_one(Message, number).bounced_at = clock.now()
    page = viewer.page("/staff/outbox/?state=bounced")
    assert "Came back" in page.text
    assert len(page.first("tbody").all("tr")) == 1


def test_the_room_under_the_daily_caps(frozen_clock: FrozenClock) -> None:
    member, colleague = make.make_staff("manager"), make.make_staff("manager")
    contact = make.make_contact()
    for by, kind in ((member, "invitation"), (member, "reminder"), (colleague, "invitation"), (member, "welcome")):
        make.make_message(kind, contact=contact, created_by=by.id)
    make.make_message("invitation", contact=contact, created_by=member.id, created_at=clock.now() - timedelta(hours=25))
    ids = member.id, colleague.id
    assert queries.room_today(ids[0], clock.now()) is None
    make.set_site(staff_mails_per_day=3)
    db.session.rollback()
    assert [queries.room_today(i, clock.now()) for i in (*ids, None)] == [1, 2, None]
    make.set_site(site_mails_per_day=3)
    db.session.rollback()
    assert [queries.room_today(i, clock.now()) for i in (*ids, None)] == [0, 0, 0]
