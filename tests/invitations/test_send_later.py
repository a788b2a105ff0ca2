"""An invitation to very many is checked at once and written in the background: once, and with the rights of then."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, insert, select

from portal.contacts.models import Contact
from portal.invitations import services
from portal.invitations.models import Invitation, InvitedContact
from portal.jobs import runner
from portal.jobs.models import Job
from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict
from portal.kernel.secrets_ import new_public_id
from portal.mail.models import Message
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffActor
from tests.support import make
from tests.support.clients import Client, location

MANY = 501
SignIn = Callable[..., Client]


@pytest.fixture
def crowd(app: Flask) -> int:
    """An invitation that invites one more than are mailed at once, one of them without an address."""
    invitation_id, now = make.make_invitation(type="group", owner=make.make_staff("owner")).id, clock.now()
    people: list[dict[str, Any]] = [
        {"first_name": "Person", "last_name": str(n), "name_key": f"person {n}", "created_at": now, "updated_at": now}
        | {"email1": f"p{n}@example.org" if n else None, "email1_key": f"p{n}@example.org" if n else None}
        for n in range(MANY)
    ]
    with transaction():
        db.session.execute(insert(Contact), people)
        ids = db.session.scalars(select(Contact.id)).all()
        rows = [{"invitation_id": invitation_id, "contact_id": i, "public_id": new_public_id()} for i in ids]
        db.session.execute(insert(InvitedContact), rows)
    return invitation_id


def work() -> None:
    while runner.turn("me", lambda: False):
        pass
    db.session.rollback()


def written() -> int:
    return db.session.scalar(select(func.count()).select_from(Message)) or 0


def actor(role: str = "manager") -> StaffActor:
    return make.make_staff(role).actor("127.0.0.1")


def send(invitation_id: int, by: StaffActor, key: str = "key") -> services.Sent:
    with transaction():
        return services.send(invitation_id, key=key, by=by, now=clock.now())


def test_what_cannot_be_sent_is_refused_at_once(crowd: int) -> None:
    by = actor()
    with transaction():
        db.session.get_one(Invitation, crowd).deactivated_at = clock.now()
    with pytest.raises(Conflict, match="inactive"):
        send(crowd, by)
    assert db.session.query(Job).count() == 0


def test_who_lost_the_right_meanwhile_has_sent_nothing(crowd: int) -> None:
    by = actor()
    assert send(crowd, by).later
    with transaction():
        db.session.get_one(StaffMember, by.id).role = "viewer"
    work()
    assert written() == 0
    assert timeline("invitation", crowd)[0].action == "invitation.not-sent"


def test_what_was_deactivated_meanwhile_says_why_it_was_not_sent(crowd: int) -> None:
    assert send(crowd, actor()).later
    with transaction():
        db.session.get_one(Invitation, crowd).deactivated_at = clock.now()
    work()
    assert written() == 0
    assert "inactive" in timeline("invitation", crowd)[0].text


def test_all_are_mailed_once_however_often_the_button_is_pressed(crowd: int) -> None:
    by = actor()
    assert send(crowd, by) == services.Sent(0, [], later=True)
    assert send(crowd, by).before
    assert written() == 0, "nobody waits for them"
    work()
    assert written() == MANY - 1
    assert send(crowd, by).before
    work()
    assert written() == MANY - 1
    db.session.rollback()
    assert db.session.get_one(Invitation, crowd).sent_at is not None
    [line] = [line for line in timeline("invitation", crowd) if line.action == "invitation.sent"]
    assert "500 e-mails queued" in line.text
    assert "has no e-mail address" in line.text


def test_the_page_says_that_they_are_being_written(crowd: int, sign_in_as: SignIn) -> None:
    owner, url = sign_in_as("owner"), f"/staff/invitations/{crowd}/send"
    answer = owner.post_form(url)
    assert location(answer) == f"/staff/invitations/{crowd}"
    assert "are being written" in owner.follow(answer).text


def test_ticked_with_others_each_goes_its_way(crowd: int, sign_in_as: SignIn) -> None:
    small = make.make_invitation(make.make_contact("Anna", "Weber", "anna@small.example")).id
    owner = sign_in_as("owner")
    sent = {"csrf_token": owner.token("/staff/invitations/?view=all"), "action": "send", "ids": [crowd, small]}
    assert owner.post("/staff/invitations/bulk", data={**sent, "confirm": "1", "send_key": "k1"}).status_code == 303
    assert written() == 1
    work()
    assert written() == MANY
