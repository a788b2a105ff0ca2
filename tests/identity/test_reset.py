"""A forgotten password: the asker learns nothing, the link works once, for one address, for thirty minutes."""

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity import handlers, links, messages, services
from portal.identity.models import Credential, ExternalIdentity, OneTimeLink
from portal.jobs.models import Job
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import Actor
from portal.kernel.db import db, transaction
from portal.kernel.errors import Invalid
from portal.mail import outbox, templates
from portal.mail.models import Message
from portal.mail.outbox import Cancelled
from portal.web.sessions import ServerSession
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page
from tests.support.world import one_time_token

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
    link: str = outbox.prepares[message.kind](message, clock.now()).values["link"]
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


def choose(browser: Client, path: str, password: str = NEW, confirm: str | None = None) -> Any:
    """Open a mailed link, and type a password twice on the page that it leads to."""
    page = location(browser.get(path))
    return browser.post_form(page, {"password": password, "confirm": confirm or password})


def test_opening_the_link_changes_nothing_however_often(
    client: Client, anna: Contact, dump: Callable[[], object]
) -> None:
    path, before = reset_link(client), dump()
    for _ in range(20):
        for verb, status in ((client.get, 303), (client.head, 303), (client.options, 200)):
            assert verb(path).status_code == status
        for verb in (client.get, client.head, client.options):
            assert verb("/reset-password").status_code == 200
    assert dump() == before


@pytest.mark.sqlite_only
def test_the_token_stays_neither_in_an_address_nor_in_a_page_nor_in_the_session(
    client: Client, new_client: Callable[[], Client], anna: Contact
) -> None:
    path = reset_link(client)
    answer = client.get(path)
    assert (answer.status_code, location(answer)) == (303, "/reset-password")
    token = path.rpartition("/")[2]
    page = client.page("/reset-password")
    assert token not in page.html
    assert page.form().action in ("", "/reset-password")
    assert page.first("input", autocomplete="username").attrs["value"] == "anna"
    assert token not in str([row.data for row in db.session.scalars(db.select(ServerSession))])
    # Another browser has not opened it, and a session that somebody else knows does not learn of it.
    assert location(new_client().get("/reset-password")) == "/forgot-password"
    known = client.get_cookie("portal")
    client.get(path)
    again = client.get_cookie("portal")
    assert known is not None
    assert again is not None
    assert known.value != again.value
    fixed = new_client()
    fixed.set_cookie("portal", known.value)
    assert location(fixed.get("/reset-password")) == "/forgot-password"


@pytest.mark.sqlite_only
def test_a_post_without_an_opened_link_sets_nothing(client: Client, anna: Contact, dump: Callable[[], object]) -> None:
    reset_link(client)
    before, token = dump(), client.token("/sign-in")
    sent = {"csrf_token": token, "password": NEW, "confirm": NEW}
    assert location(client.post("/reset-password", data=sent)) == "/forgot-password"
    assert client.post("/set-password", data=sent).status_code == 404
    assert client.post("/confirm-email", data=sent).status_code == 404
    assert dump() == before


@pytest.mark.sqlite_only
@pytest.mark.parametrize("typed", ["short", "Anna Weber 1234567", "a" * 300])
def test_a_weak_password_leaves_the_link_good(client: Client, anna: Contact, typed: str) -> None:
    path = reset_link(client)
    response = choose(client, path, typed)
    assert response.status_code == 422
    assert "password" in Page(response).errors
    different = choose(client, path, NEW, NEW + "x")
    assert "confirm" in Page(different).errors
    assert choose(client, path).status_code == 303


def test_it_sets_the_password_once_ends_all_sessions_and_signs_nobody_in(
    client: Client, sign_in_as: Callable[..., Client], new_client: Callable[[], Client], anna: Contact
) -> None:
    signed_in = sign_in_as(anna)
    with transaction():
        db.session.get_one(Credential, anna.id).failures = 100
    first, second = reset_link(client), reset_link(client)
    late = new_client()
    late.get(second)
    assert location(choose(client, first)) == "/sign-in"
    assert signed_in.get("/profile").status_code == 303
    assert client.get("/profile").status_code == 303
    for path in (first, second):
        assert client.get(path).status_code == 410
    for browser in (client, late):
        data = {"csrf_token": browser.token("/sign-in"), "password": NEW, "confirm": NEW}
        assert browser.get("/reset-password").status_code == 410
        assert browser.post("/reset-password", data=data).status_code == 410
    old = new_client().post_form("/sign-in", {"identifier": "anna", "password": make.PASSWORD})
    assert old.status_code == 422
    assert new_client().post_form("/sign-in", {"identifier": "anna", "password": NEW}).status_code == 303
    assert [m.contact_id for m in mailed("password-changed")] == [anna.id]
    assert db.session.scalars(db.select(JournalEntry).filter_by(action="credential.password-reset")).one()


def test_it_lives_thirty_minutes_to_the_second(client: Client, anna: Contact, frozen_clock: FrozenClock) -> None:
    path = reset_link(client)
    frozen_clock.move(minutes=30, seconds=-1)
    assert client.get(path).status_code == 303
    form = client.page("/reset-password").form()
    frozen_clock.move(seconds=1)
    for page in (client.page(path, status=410), client.page("/reset-password", status=410)):
        assert "expired" in page.text
        assert page.has_button("Send me a new link")
    sent = {"csrf_token": form.token, "password": NEW, "confirm": NEW}
    assert client.post("/reset-password", data=sent).status_code == 410


@pytest.mark.sqlite_only
def test_it_is_bound_to_the_address_and_to_its_purpose(client: Client, anna: Contact) -> None:
    path = reset_link(client)
    token = path.rpartition("/")[2]
    assert client.get(f"/confirm-email/{token}").status_code == 404
    assert client.get(f"/set-password/{token}").status_code == 404
    assert client.get(path[:-1] + ("A" if path[-1] != "A" else "B")).status_code == 404
    assert client.get("/reset-password/" + "A" * 43).status_code == 404
    assert client.get(path).status_code == 303
    with transaction():
        held = db.session.get_one(Contact, anna.id)
        held.email1 = held.email1_key = "anna@new.example"
    assert client.get(path).status_code == 404
    assert client.get("/reset-password").status_code == 404


@pytest.mark.sqlite_only
def test_a_deactivated_contact_cannot_use_it(client: Client, anna: Contact) -> None:
    path = reset_link(client)
    client.get(path)
    token = client.page("/reset-password").form().token
    with transaction():
        db.session.get_one(Contact, anna.id).active = False
    assert client.get(path).status_code == 404
    sent = {"csrf_token": token, "password": NEW, "confirm": NEW}
    assert client.post("/reset-password", data=sent).status_code == 404


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
    reset_link(client)
    with transaction():
        db.session.get_one(Contact, anna.id).email1_verified_at = None
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
    reset_link(client)
    link_id = mailed()[-1].detail["link"]
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
        services.reset_password(link_id, links.RESET, "the owner's", None, clock.now())
        attacker.start()
        attacker.join(0.5)  # it has read what it wants to change, or waits
    attacker.join()
    assert len(refused) == 1
    assert db.session.get_one(Credential, number, populate_existing=True).password_hash == "the owner's"
    assert db.session.get_one(Contact, number, populate_existing=True).epoch == 1


@pytest.mark.sqlite_only
@pytest.mark.parametrize("off", ["password_reset", "local_sign_in"])
def test_while_it_is_switched_off_there_is_no_page_no_link_and_no_mail(client: Client, anna: Contact, off: str) -> None:
    path = reset_link(client)
    ask(client, "anna")
    token = client.token("/forgot-password")
    make.set_site(**{off: False})
    for page in ("/forgot-password", path, "/reset-password"):
        assert client.get(page).status_code == 404, page
    for page in ("/forgot-password", "/reset-password"):
        assert client.post(page, data={"csrf_token": token, "identifier": "anna"}).status_code == 404, page
    for page in ("/", "/sign-in"):
        assert "forgot-password" not in client.page(page).html, page
    before = len(mailed())
    do_jobs()
    assert len(mailed()) == before


def test_an_unconfirmed_address_gets_a_link_where_the_site_says_so_and_is_confirmed_by_it(client: Client) -> None:
    make.set_site(reset_needs_confirmed_email=False)
    contact = make.make_contact(email1="unproven@x.example", username="unproven")
    number = contact.id
    for identifier in ("unproven", "unproven@x.example"):
        ask(client, identifier)
    do_jobs()
    assert [message.contact_id for message in mailed()] == [number, number]
    assert location(choose(client, path_in(mailed()[-1]))) == "/sign-in"
    assert db.session.get_one(Contact, number, populate_existing=True).email1_verified_at is not None
    typed = {"identifier": "unproven@x.example", "password": NEW}
    assert client.post_form("/sign-in", typed).status_code == 303


def test_whoever_only_typed_the_address_loses_what_they_linked_to_it(client: Client) -> None:
    """T07: somebody registered with another's address and linked identities; its owner resets the password."""
    make.set_site(reset_needs_confirmed_email=False)
    contact, provider = make.make_contact(email1="victim@x.example", username="attacker"), make.make_provider()
    number, now = contact.id, clock.now()
    whose: dict[str, Any] = {"contact_id": number, "created_at": now}
    with transaction():
        at = {"provider_id": provider.id, "issuer": provider.issuer, "subject": "attacker"}
        db.session.add(ExternalIdentity(**whose, **at))
    ask(client, "victim@x.example")
    do_jobs()
    choose(client, path_in(mailed()[-1]))
    assert db.session.scalars(db.select(ExternalIdentity)).all() == []


@pytest.mark.sqlite_only
def test_an_address_of_two_whom_nobody_confirmed_names_neither(client: Client, anna: Contact) -> None:
    make.set_site(reset_needs_confirmed_email=False)
    for username in ("first", "second"):
        make.make_contact(email1="shared@x.example", username=username)
    make.make_contact(email1="anna@x.example", username="claims")
    ask(client, "shared@x.example")
    ask(client, "anna@x.example")
    ask(client, "second")
    do_jobs()
    second = db.session.scalars(db.select(Credential.contact_id).filter_by(username="second")).one()
    assert [message.contact_id for message in mailed()] == [anna.id, second]


@pytest.mark.sqlite_only
def test_another_contact_may_have_confirmed_the_address_already(client: Client, anna: Contact) -> None:
    make.set_site(reset_needs_confirmed_email=False)
    other = make.make_contact(email1="anna@x.example", username="other").id
    ask(client, "other")
    do_jobs()
    assert choose(client, path_in(mailed()[-1])).status_code == 303
    assert db.session.get_one(Contact, other, populate_existing=True).email1_verified_at is None


def set_link(contact: Contact) -> str:
    """The path of a link to a first password, as staff have it mailed."""
    return f"/set-password/{one_time_token(contact, links.SET)}"


def test_a_first_password_is_set_once_by_the_link_that_staff_had_mailed(
    client: Client, new_client: Callable[[], Client]
) -> None:
    contact = make.make_contact(email1="new@x.example", username="newcomer")
    number = contact.id
    with transaction():
        db.session.get_one(Credential, number).password_hash = None
    path = set_link(contact)
    client.get(path)
    page = client.page("/set-password")
    assert page.heading == "Choose your password"
    assert page.first("input", autocomplete="username").attrs["value"] == "newcomer"
    assert location(choose(client, path)) == "/sign-in"
    assert db.session.get_one(Contact, number, populate_existing=True).email1_verified_at is not None
    assert client.post_form("/sign-in", {"identifier": "new@x.example", "password": NEW}).status_code == 303
    over = new_client().page(path, status=410)
    assert "Please ask the people who run this site" in over.text
    assert client.get("/set-password").status_code == 410


@pytest.mark.sqlite_only
def test_a_link_to_a_first_password_needs_no_reset_but_passwords(client: Client, frozen_clock: FrozenClock) -> None:
    path = set_link(make.make_contact(username="newcomer"))
    make.set_site(password_reset=False)
    assert client.get(path).status_code == 303
    assert client.get(path.replace("set-", "reset-")).status_code == 404
    make.set_site(local_sign_in=False)
    assert client.get(path).status_code == 404
    assert client.get("/set-password").status_code == 404
    make.set_site(local_sign_in=True)
    frozen_clock.move(hours=72)
    assert client.get(path).status_code == 410


@pytest.mark.sqlite_only
def test_linked_before_the_address_was_proven_a_first_password_proves_nothing(client: Client) -> None:
    contact, provider = make.make_contact(username="newcomer"), make.make_provider()
    number, path = contact.id, set_link(contact)
    with transaction():
        linked = {"contact_id": number, "provider_id": provider.id, "issuer": provider.issuer, "subject": "1"}
        db.session.add(ExternalIdentity(**linked, created_at=clock.now()))
    assert choose(client, path).status_code == 303
    assert db.session.get_one(Contact, number, populate_existing=True).email1_verified_at is None
    assert db.session.scalars(db.select(ExternalIdentity.contact_id)).all() == [number]


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("least", "typed"), [(8, "kite 9 lamp"), (20, "green lamps over quiet")])
def test_the_length_that_the_site_asks_for_is_said_before_and_holds(
    client: Client, anna: Contact, least: int, typed: str
) -> None:
    make.set_site(minimum_password_length=least)
    path = reset_link(client)
    assert f"At least {least} characters" in client.page(location(client.get(path))).text
    short = choose(client, path, typed[: least - 1])
    assert f"at least {least} characters" in Page(short).errors["password"]
    assert choose(client, path, typed).status_code == 303


@pytest.mark.sqlite_only
def test_after_a_reset_the_account_waits_no_more(client: Client, anna: Contact, frozen_clock: FrozenClock) -> None:
    path = reset_link(client)
    typed = {"identifier": "anna", "password": "something else entirely"}
    assert [client.post_form("/sign-in", typed).status_code for _ in range(11)][-1] == 429
    choose(client, path)
    assert client.post_form("/sign-in", {"identifier": "anna", "password": NEW}).status_code == 303
