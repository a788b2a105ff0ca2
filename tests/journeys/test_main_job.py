"""The main job over HTTP with real processes on both databases, and what it leaves in logs and in the database."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity.models import Credential
from portal.invitations.models import Invitation, Redemption
from portal.kernel.codes import normalise
from portal.kernel.db import db
from portal.mail import letters
from portal.mail.models import Message
from portal.web.sessions import ServerSession
from tests.support import make
from tests.support.databases import dump
from tests.support.live import Process, Server
from tests.support.visitor import Visitor, path_of

EVIL = "evil.example"
WITHIN_SECONDS = 40
Site = tuple[Server, Process]


@pytest.fixture
def site(live_server: Callable[..., Server], live_worker: Callable[..., Process]) -> Site:
    server = live_server(workers=2)
    return server, live_worker(PORTAL_BASE_URL=server.url)


def body_of(kind: str) -> letters.Body:
    """What the newest message of a kind said, once the worker has delivered it."""
    end = time.monotonic() + WITHIN_SECONDS
    while True:
        db.session.rollback()
        newest = db.select(Message).filter_by(kind=kind, state="sent").order_by(Message.id.desc()).limit(1)
        message = db.session.scalars(newest).first()
        if message is not None:
            body = letters.read(message)
            assert body is not None
            return body
        assert time.monotonic() < end, f"no {kind} was delivered"
        time.sleep(0.1)


def link_in(body: letters.Body, path: str) -> str:
    """The address in a mail that leads to `path`, without scheme and host."""
    [found] = {link for link in re.findall(r"https?://[^\s<>\"]+", body.text) if urlsplit(link).path.startswith(path)}
    return found


def staff_visitor(server: Server) -> Visitor:
    owner = make.make_staff("owner", name="Olga Owner")
    staff = Visitor(server.url)
    assert staff.post_form("/staff/sign-in", {"email": owner.email, "password": make.PASSWORD}).status_code == 303
    return staff


def test_from_the_first_contact_to_the_welcome_page(app: Flask, site: Site) -> None:
    server, work = site
    staff = staff_visitor(server)
    role, account = make.make_role("Suppliers"), make.make_account("Acme")
    created = staff.post_form(
        "/staff/contacts/new", {"first_name": "Anna", "last_name": "Weber", "email1": "anna@example.org"}
    )
    assert created.status_code == 303
    contact_id = int(path_of(created).rsplit("/", 1)[1])
    workflow = make.shipped_workflow()
    made = staff.post_form(
        f"/staff/invitations/new?contact={contact_id}",
        {"web_roles": [role.id], "account": [account.id], "workflow": workflow.id},
        press="Save",
    )
    assert made.status_code == 303, made.text
    invitation_id = int(path_of(made).rsplit("/", 1)[1])
    invitation = db.session.get_one(Invitation, invitation_id)
    code = make.code_of(invitation)
    for header in ({"Host": EVIL}, {"X-Forwarded-Host": EVIL, "X-Host": EVIL, "Forwarded": f"host={EVIL}"}):
        form = staff.page(f"/staff/invitations/{invitation_id}/send").form(f"/staff/invitations/{invitation_id}/send")
        data = {name: values[0] for name, values in form.values.items()}
        sent = staff.post(f"/staff/invitations/{invitation_id}/send", data, header)
        assert sent.status_code == (400 if "Host" in header else 303)
    assert staff.post_form(f"/staff/invitations/{invitation_id}/show-code", {}).status_code == 200

    mail = body_of("invitation")
    assert EVIL not in mail.html + mail.text
    assert {urlsplit(link).netloc for link in mail.links} == {urlsplit(server.url).netloc}
    assert code in mail.text
    link = link_in(mail, "/i/")
    token = link.rsplit("/", 1)[1]

    guesser = Visitor(server.url)
    assert guesser.post_form("/redeem", {"code": "7K3M-9QXR-T2VD-8HNC"}).status_code == 404
    assert guesser.post_form("/redeem", {"code": code}).status_code == 303
    for path in (f"/redeem?code={code}", f"/register?invitation={code}&returnurl=/profile", f"/i/{token[:-1]}x"):
        assert guesser.get(path).status_code in (303, 404)

    invitee = Visitor(server.url)
    assert path_of(invitee.get(link)) == "/redeem/review"
    review = invitee.page("/redeem/review")
    assert token not in review.html
    assert code not in review.html
    assert not [url for url in re.findall(r"(?:href|src)=\"(https?:)?//([^/\"]+)", review.html) if url[1] not in link]
    injected = "anna\r\nINFO fake entry"
    assert invitee.post_form("/sign-in", {"identifier": injected, "password": "wrong horse wrong"}).status_code == 422
    typed = {"username": "anna.weber", "password": make.PASSWORD, "confirm": make.PASSWORD}
    assert path_of(invitee.post_form("/sign-up", typed, page="/redeem/review")) == "/welcome"
    assert "Suppliers" in invitee.page("/welcome").text
    assert {"Suppliers", "Acme"} <= set(re.findall(r"\w+", invitee.page("/profile").text))

    db.session.rollback()
    contact = db.session.get_one(Contact, contact_id)
    assert contact.email1_verified_at, "the link proves the mailbox"
    assert contact.account_id == account.id
    assert db.session.scalars(db.select(Redemption)).one().proof == "link"
    assert db.session.get_one(Credential, contact_id).username == "anna.weber"
    assert body_of("workflow")

    forgetful = Visitor(server.url)
    assert forgetful.post_form("/forgot-password", {"identifier": "anna.weber"}).status_code in (200, 303)
    reset = link_in(body_of("reset-password"), "/reset-password/")
    again = "seven birds above the harbour"
    opened = path_of(forgetful.get(urlsplit(reset).path))
    assert opened == "/reset-password"
    done = forgetful.post_form(opened, {"password": again, "confirm": again})
    assert done.status_code == 303
    assert path_of(invitee.get("/profile")) == "/sign-in", "a new password ends every session"

    server.stop()
    work.stop()
    secrets = [code, normalise(code), token, make.PASSWORD, again, reset.rsplit("/", 1)[1], "wrong horse wrong"]
    assert_logs_are_clean(server.log + work.log, secrets)
    assert_nothing_readable_is_stored(app, secrets)


def assert_logs_are_clean(log: str, secrets: list[str]) -> None:
    assert not [secret for secret in secrets if secret in log]
    lines = log.splitlines()
    assert lines
    strange = [line for line in lines if not line.startswith("{")]
    assert not strange, "every log line is JSON, whatever was typed"
    events = [json.loads(line) for line in lines]
    assert all("fake entry" not in str(event.get("event")) for event in events)
    assert all(event["timestamp"].endswith("Z") for event in events)
    deeds = [event["event"] for event in events]
    assert {"invitation.sent", "redemption.completed", "invitation.code_shown"} <= {d.replace("-", "_") for d in deeds}


def assert_nothing_readable_is_stored(app: Flask, secrets: list[str]) -> None:
    """A copy of the database without the key file gives nobody a code, a link or a password."""
    text = repr(dump(without=frozenset()))
    assert not [secret for secret in secrets if secret in text]
    if db.engine.dialect.name == "sqlite":
        raw = Path(str(db.engine.url.database)).read_bytes()
        assert not [secret for secret in secrets if secret.encode() in raw]
    assert db.session.scalars(db.select(ServerSession)).first() is not None
