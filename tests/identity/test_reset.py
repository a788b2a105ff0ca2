"""A forgotten password: the asker learns nothing, the link works once, for one address, for thirty minutes."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity import handlers, links, messages, services
from portal.identity.models import Credential, OneTimeLink
from portal.jobs.models import Job
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import Actor
from portal.kernel.db import db, transaction
from portal.kernel.errors import Invalid
from portal.mail.models import Message
from portal.mail.outbox import Cancelled
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page

NEW = "seven quiet rivers under moonlight"


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


def ask(client: Client, identifier: str) -> Any:
    return client.post_form("/forgot-password", {"identifier": identifier})


def do_jobs() -> None:
    """What the worker does."""
    for job in db.session.scalars(db.select(Job).filter_by(state="queued", kind="identity.reset")).all():
        number, detail = job.id, job.detail
        with transaction():
            handlers.reset(detail, number, clock.now())
            db.session.get_one(Job, number).state = "done"


def mailed(kind: str = "reset-password") -> list[Message]:
    return list(db.session.scalars(db.select(Message).filter_by(kind=kind).order_by(Message.id)))


def path_in(message: Message) -> str:
    """The path of the link in a mail, as it is written at delivery."""
    prepare = messages.prepare_reset if message.kind == "reset-password" else messages.prepare_confirmation
    link: str = prepare(message, clock.now()).values["link"]
    assert link.startswith("http://localhost/")
    return link.removeprefix("http://localhost")


def reset_link(client: Client) -> str:
    assert ask(client, "anna").status_code == 303
    do_jobs()
    return path_in(mailed()[-1])


@pytest.mark.sqlite_only
def test_the_answer_and_the_work_are_the_same_for_everybody(
    new_client: Callable[[], Client], anna: Contact, statements: Callable[[], Any]
) -> None:
    make.make_contact(email1="unproven@x.example", username="unproven")
    make.make_contact(username="gone", active=False)
    answers, sent, pages = [], [], []
    for identifier in (
        "anna",
        "nobody",
        "anna@x.example",
        "nobody@x.example",
        "unproven",
        "unproven@x.example",
        "gone",
    ):
        browser = new_client()
        token = browser.token("/forgot-password")
        with statements() as counting:
            answer = browser.post("/forgot-password", data={"csrf_token": token, "identifier": identifier})
        answers.append((answer.status_code, location(answer)))
        sent.append(len(counting))
        pages.append(browser.page(location(answer)).text)
    assert set(answers) == {(303, "/forgot-password?sent=1")}
    assert len(set(sent)) == len(set(pages)) == 1
    do_jobs()
    assert {message.contact_id for message in mailed()} == {anna.id}


@pytest.mark.sqlite_only
def test_asking_without_saying_who(client: Client) -> None:
    response = ask(client, "")
    assert response.status_code == 422
    assert "identifier" in Page(response).errors
    assert db.session.scalars(db.select(Job)).all() == []


@pytest.mark.sqlite_only
def test_a_code_or_an_unproven_address_gives_no_way_to_reset(client: Client) -> None:
    make.make_contact(email1="unproven@x.example", username="unproven")
    for identifier in ("unproven", "unproven@x.example"):
        ask(client, identifier)
    do_jobs()
    assert mailed() == []


def test_five_links_a_day_are_enough_and_the_answer_stays(
    client: Client, anna: Contact, frozen_clock: FrozenClock
) -> None:
    for _ in range(7):
        assert ask(client, "anna").status_code == 303
    do_jobs()
    assert len(mailed()) == 5
    frozen_clock.move(days=1, seconds=1)
    ask(client, "anna")
    do_jobs()
    assert len(mailed()) == 6


@pytest.mark.sqlite_only
def test_somebody_who_asks_all_the_time_has_to_wait(client: Client, frozen_clock: FrozenClock) -> None:
    frozen_clock.set(make.at("2026-11-20 12:00"))
    answers = [ask(client, f"somebody{n}").status_code for n in range(31)]
    assert answers == [303] * 30 + [429]


def test_opening_the_link_changes_nothing_however_often(
    client: Client, anna: Contact, dump: Callable[[], object]
) -> None:
    path, before = reset_link(client), dump()
    for _ in range(20):
        for verb in (client.get, client.head, client.options):
            assert verb(path).status_code == 200
    assert dump() == before


@pytest.mark.sqlite_only
@pytest.mark.parametrize("typed", ["short", "Anna Weber 1234567", "a" * 300])
def test_a_weak_password_leaves_the_link_good(client: Client, anna: Contact, typed: str) -> None:
    path = reset_link(client)
    response = client.post_form(path, {"password": typed, "confirm": typed})
    assert response.status_code == 422
    assert "password" in Page(response).errors
    different = client.post_form(path, {"password": NEW, "confirm": NEW + "x"})
    assert "confirm" in Page(different).errors
    assert client.post_form(path, {"password": NEW, "confirm": NEW}).status_code == 303


def test_it_sets_the_password_once_ends_all_sessions_and_signs_nobody_in(
    client: Client, sign_in_as: Callable[..., Client], new_client: Callable[[], Client], anna: Contact
) -> None:
    signed_in = sign_in_as(anna)
    with transaction():
        db.session.get_one(Credential, anna.id).failures = 100
    first, second = reset_link(client), reset_link(client)
    assert location(client.post_form(first, {"password": NEW, "confirm": NEW})) == "/sign-in"
    assert signed_in.get("/profile").status_code == 303
    assert client.get("/profile").status_code == 303
    for path in (first, second):
        assert client.get(path).status_code == 410
        token = client.token("/sign-in")
        data = {"csrf_token": token, "password": NEW, "confirm": NEW}
        assert client.post(path, data=data).status_code == 410
    old = new_client().post_form("/sign-in", {"identifier": "anna", "password": make.PASSWORD})
    assert old.status_code == 422
    assert new_client().post_form("/sign-in", {"identifier": "anna", "password": NEW}).status_code == 303
    assert [m.contact_id for m in mailed("password-changed")] == [anna.id]
    assert db.session.scalars(db.select(JournalEntry).filter_by(action="credential.password-reset")).one()


def test_it_lives_thirty_minutes_to_the_second(client: Client, anna: Contact, frozen_clock: FrozenClock) -> None:
    path = reset_link(client)
    frozen_clock.move(minutes=30, seconds=-1)
    assert client.get(path).status_code == 200
    frozen_clock.move(seconds=1)
    page = client.page(path, status=410)
    assert "expired" in page.text
    assert page.has_button("Send me a new link")


@pytest.mark.sqlite_only
def test_it_is_bound_to_the_address_and_to_its_purpose(client: Client, anna: Contact) -> None:
    path = reset_link(client)
    token = path.rpartition("/")[2]
    assert client.get(f"/confirm-email/{token}").status_code == 404
    assert client.get(path[:-1] + ("A" if path[-1] != "A" else "B")).status_code == 404
    assert client.get("/reset-password/" + "A" * 43).status_code == 404
    with transaction():
        held = db.session.get_one(Contact, anna.id)
        held.email1 = held.email1_key = "anna@new.example"
    assert client.get(path).status_code == 404


@pytest.mark.sqlite_only
def test_a_deactivated_contact_cannot_use_it(client: Client, anna: Contact) -> None:
    path = reset_link(client)
    with transaction():
        db.session.get_one(Contact, anna.id).active = False
    assert client.get(path).status_code == 404


@pytest.mark.sqlite_only
def test_nothing_secret_is_stored_and_a_link_made_useless_is_not_mailed(
    client: Client, anna: Contact, frozen_clock: FrozenClock
) -> None:
    path = reset_link(client)
    token, message = path.rpartition("/")[2], mailed()[-1]
    dumped = str([vars(row) for row in db.session.scalars(db.select(OneTimeLink))]) + str(vars(message))
    assert token not in dumped
    assert message.detail == {"link": 1}
    frozen_clock.move(minutes=31)
    with pytest.raises(Cancelled):
        messages.prepare_reset(mailed()[-1], clock.now())


@pytest.mark.sqlite_only
def test_every_mail_of_this_slice_can_be_written(client: Client, anna: Contact) -> None:
    from portal.mail import outbox, templates

    reset_link(client)
    with transaction():
        db.session.get_one(Contact, anna.id).email1_verified_at = None
        from portal.identity import services

        services.ask_confirmation(db.session.get_one(Contact, anna.id), clock.now())
        for kind in ("password-changed", "sign-in-replaced"):
            outbox.enqueue(kind, now=clock.now(), contact_id=anna.id)
    for message in db.session.scalars(db.select(Message)).all():
        prepared = outbox.prepares[message.kind](message, clock.now())
        assert prepared.to == "anna@x.example"
        rendered = templates.render(prepared.template, prepared.values)
        assert rendered.subject
        assert "Anna" in rendered.text
        link = prepared.values.get("link")
        assert link is None or (link in rendered.text and link in rendered.html)
    assert links.LIVES[links.RESET].total_seconds() == 1800


def test_an_old_password_changes_nothing_beside_a_reset(app: Flask, client: Client, anna: Contact) -> None:
    number, old = anna.id, db.session.get_one(Credential, anna.id).password_hash
    token = reset_link(client).rpartition("/")[2]
    refused: list[Invalid] = []

    def change() -> None:
        with app.app_context():
            try:
                with transaction():
                    services.change_password(
                        number, old, "the attacker's", Actor("contact", number, "", None), clock.now()
                    )
            except Invalid as fault:
                refused.append(fault)

    attacker = Thread(target=change)
    with transaction():
        services.reset_password(token, "the owner's", None, clock.now())
        attacker.start()
        attacker.join(0.5)  # it has read what it wants to change, or waits
    attacker.join()
    assert len(refused) == 1
    assert db.session.get_one(Credential, number, populate_existing=True).password_hash == "the owner's"
    assert db.session.get_one(Contact, number, populate_existing=True).epoch == 1
