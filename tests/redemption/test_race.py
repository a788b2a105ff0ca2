"""Crowds: more people than seats at the same moment, and the same person fifty times, on a real server."""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

import pytest

from portal.contacts.models import Contact
from portal.identity.models import Credential
from portal.invitations.models import Invitation
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.secrets_ import digest, new_secret
from portal.redemption import pending
from portal.redemption.pending import Intent
from portal.web.sessions import CONTACT, ServerSession
from portal.workflows.models import WorkflowRun
from tests.redemption import ways
from tests.redemption.crowd import Post, all_at_once
from tests.support import make
from tests.support.live import Server

SEATS = 10
Serve = Callable[..., Server]


def sessions(invitation: Invitation, people: list[Contact] | int) -> list[str]:
    """Cookies of browsers that came by the code to the review page: of contacts who are signed in, or of strangers."""
    meant = invitation.type == "single"
    contact_id = people[0].id if meant and isinstance(people, list) else None
    intent = Intent(pending.CODE, invitation.id, contact_id, pending.of_code(invitation.code_lookup), reviewed=True)
    users = [None] * people if isinstance(people, int) else [person.get_id() for person in people]
    cookies, now = [], clock.now()
    with transaction():
        for user in users:
            data: dict[str, object] = {} if user is None else {"_user_id": user, "_fresh": True}
            pending.remember(data, intent)
            cookies.append(new_secret())
            row = {"id": digest(cookies[-1]), "audience": CONTACT, "user": user, "created_at": now, "seen_at": now}
            db.session.add(ServerSession(**row, ip="127.0.0.1", user_agent="", data=data))
    return cookies


def token_for(server: Server, cookie: str) -> str:
    """The CSRF token that this browser's review page carries."""
    with closing(HTTPConnection("127.0.0.1", server.port, timeout=60)) as connection:
        connection.request("GET", "/redeem/review", headers={"Cookie": f"portal={cookie}"})
        with connection.getresponse() as answer:
            body = answer.read().decode()
    assert answer.status == 200, answer.status
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', body)
    assert found is not None
    return found[1]


def members(count: int) -> list[Contact]:
    """Contacts, made in one go."""
    with transaction():
        made = [
            Contact(
                first_name="Member", last_name=str(n), name_key=f"{n}", created_at=clock.now(), updated_at=clock.now()
            )
            for n in range(count)
        ]
        db.session.add_all(made)
    return list(db.session.scalars(db.select(Contact).order_by(Contact.id.desc()).limit(count)))


def accept_at_once(server: Server, people: int) -> None:
    role = make.make_role()
    invitation = make.make_invitation(
        type="group", max_redemptions=SEATS, roles=[role], workflow=make.shipped_workflow()
    )
    cookies = sessions(invitation, members(people))
    posts: list[Post] = [
        {"path": "/redeem/accept", "cookie": cookie, "data": {"csrf_token": token_for(server, cookie)}}
        for cookie in cookies
    ]
    answers = Counter(all_at_once(server.port, posts))
    assert answers == {(303, "/welcome"): SEATS, (410, ""): people - SEATS}
    check_seats(invitation, role.id)
    runs = db.session.scalars(db.select(WorkflowRun.id).where(WorkflowRun.invitation_id == invitation.id)).all()
    assert len(runs) == SEATS


def sign_up_at_once(server: Server, people: int) -> None:
    role = make.make_role()
    invitation = make.make_invitation(type="group", max_redemptions=SEATS, roles=[role])
    before, number = (ways.contacts(), len(ways.sign_ins())), invitation.id
    posts: list[Post] = []
    for n, cookie in enumerate(sessions(invitation, people)):
        typed = {**ways.STRANGER, "username": f"stranger-{number}-{n}", "email": f"stranger{n}@elsewhere.example"}
        posts.append({"path": "/sign-up", "cookie": cookie, "data": {"csrf_token": token_for(server, cookie), **typed}})
    answers = Counter(all_at_once(server.port, posts))
    assert answers == {(303, "/welcome"): SEATS, (410, ""): people - SEATS}
    check_seats(invitation, role.id)
    assert (ways.contacts(), len(ways.sign_ins())) == (before[0] + SEATS, before[1] + SEATS)


def check_seats(invitation: Invitation, role_id: int) -> None:
    """Counter, redemptions and people with the role agree."""
    db.session.rollback()
    number = invitation.id
    redeemed = {contact for redeemed_id, contact in ways.redemptions() if redeemed_id == number}
    assert ways.used(invitation) == len(redeemed) == SEATS
    assert ways.holders(role_id) == redeemed
    assert db.session.get_one(Invitation, number).completed_at is not None


def the_same_post(server: Server, times: int, *, signed_in: bool) -> None:
    person = make.make_contact(username=f"known-{new_secret()[:8]}" if signed_in else None)
    invitation = make.make_invitation(person, workflow=make.shipped_workflow())
    intended = sessions(invitation, [person])
    if not signed_in:
        with transaction():
            row = db.session.get_one(ServerSession, digest(intended[0]))
            row.data, row.user = {pending.KEY: row.data[pending.KEY]}, None
    cookie = intended[0]
    data = {"csrf_token": token_for(server, cookie)}
    if not signed_in:
        data |= {**ways.NEW, "username": f"newcomer-{invitation.id}"}
    post: Post = {"path": "/redeem/accept" if signed_in else "/sign-up", "cookie": cookie, "data": data}
    answers = Counter(status for status, _ in all_at_once(server.port, [post] * times))
    assert set(answers) <= {303, 400, 409, 422}
    assert answers[303] >= 1
    db.session.rollback()
    number = invitation.id
    assert [contact for redeemed, contact in ways.redemptions() if redeemed == number] == [person.id]
    assert ways.used(invitation) == 1
    found = db.session.scalars(db.select(Credential.contact_id).where(Credential.contact_id == person.id)).all()
    runs = db.session.scalars(db.select(WorkflowRun.id).where(WorkflowRun.invitation_id == number)).all()
    assert (len(found), len(runs)) == (1, 1)


def test_a_crowd_gets_exactly_the_seats(live_server: Serve) -> None:
    server = live_server(workers=4)
    accept_at_once(server, people=40)
    sign_up_at_once(server, people=20)


def test_the_same_final_post_fifty_times_is_one_redemption(live_server: Serve) -> None:
    server = live_server(workers=4)
    the_same_post(server, 50, signed_in=True)
    the_same_post(server, 50, signed_in=False)


@pytest.mark.long
def test_two_hundred_people_on_ten_seats_twenty_times(live_server: Serve) -> None:
    server = live_server(workers=4)
    for _ in range(20):
        accept_at_once(server, people=200)


@pytest.mark.long
def test_sixty_strangers_on_ten_seats_twenty_times(live_server: Serve) -> None:
    server = live_server(workers=4)
    for _ in range(20):
        sign_up_at_once(server, people=60)


@pytest.mark.long
def test_the_same_final_post_fifty_times_twenty_times(live_server: Serve) -> None:
    server = live_server(workers=4)
    for _ in range(20):
        the_same_post(server, 50, signed_in=True)
        the_same_post(server, 50, signed_in=False)
