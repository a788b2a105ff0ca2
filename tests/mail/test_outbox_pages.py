"""The outbox pages: who may see what of a message, and what they say of its fate."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail.models import Message
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.databases import difference, dump
from tests.support.pages import Page
from tests.support.post import deliver, mail_to, message, people, queue
from tests.twins.smtp import SmtpTwin

SignIn = Callable[[str], Client]
BODY_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@pytest.fixture
def invited(app: Flask) -> tuple[int, str]:
    """A delivered invitation: the message's id and the code in it."""
    contact = make.make_contact("Anna", "Weber", "anna@example.org")
    invitation = make.make_invitation(contact, sent=True)
    code, invitation_id, contact_id = make.code_of(invitation), invitation.id, contact.id
    from portal.mail import outbox

    with transaction():
        written = outbox.enqueue(
            "invitation", now=clock.now(), contact_id=contact_id, about=("invitation", invitation_id)
        )
        number = written.id
    deliver()
    assert message(number).state == "sent", message(number).answer
    return number, code


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("editor", 403), ("nobody", 303), ("invitee", 303)])
def test_a_body_needs_the_right(sign_in_as: SignIn, invited: tuple[int, str], who: str, status: int) -> None:
    number, code = invited
    browser = sign_in_as(who)
    assert browser.get(f"/staff/outbox/{number}/body").status_code == status
    page = browser.get(f"/staff/outbox/{number}")
    assert page.status_code == (200 if status == 403 else 303)
    assert code not in page.text
    assert "iframe" not in page.text


def test_a_manager_sees_it_masked(sign_in_as: SignIn, invited: tuple[int, str]) -> None:
    number, code = invited
    manager = sign_in_as("manager")
    for url in (f"/staff/outbox/{number}", f"/staff/outbox/{number}/body"):
        text = manager.get(url).text
        assert code not in text
        assert not re.search(r"/i/[\w-]{43}", text)
        assert "••••••" in text


def test_an_owner_sees_it_whole_while_nothing_leaves(sign_in_as: SignIn, invited: tuple[int, str]) -> None:
    number, code = invited
    owner = sign_in_as("owner")
    assert code in owner.get(f"/staff/outbox/{number}/body").text
    page = owner.get(f"/staff/outbox/{number}").text
    [link] = set(re.findall(r'href="(http://localhost/i/[\w-]{43})"', page))
    assert f'href="{link}" target="_blank" rel="noopener"' in page


def test_what_really_left_is_masked_for_owners_too(
    app: Flask, smtp: SmtpTwin, sign_in_as: SignIn, invited: tuple[int, str]
) -> None:
    number, code = invited
    owner = sign_in_as("owner")
    mail_to(app, smtp.url)
    assert code not in owner.get(f"/staff/outbox/{number}/body").text
    with transaction():
        db.session.get_one(Message, number).state = "queued"
    deliver()
    assert len(smtp.messages) == 1
    mail_to(app, "outbox:")
    assert code not in owner.get(f"/staff/outbox/{number}/body").text, "it left, whatever is set up now"


def test_the_frame_has_its_own_policy_and_the_page_lets_it_in(sign_in_as: SignIn, invited: tuple[int, str]) -> None:
    number, _ = invited
    owner = sign_in_as("owner")
    body = owner.get(f"/staff/outbox/{number}/body")
    assert body.headers["Content-Security-Policy"] == BODY_POLICY
    assert "X-Frame-Options" not in body.headers
    assert body.headers["Cache-Control"] == "no-store"
    page = owner.get(f"/staff/outbox/{number}")
    assert page.headers["Content-Security-Policy"].endswith("; frame-src 'self'")
    assert page.headers["X-Frame-Options"] == "DENY"
    assert 'sandbox=""' in page.text


def test_reading_changes_nothing(sign_in_as: SignIn, invited: tuple[int, str]) -> None:
    owner = sign_in_as("owner")
    before = dump()
    for url in ("/staff/outbox/", f"/staff/outbox/{invited[0]}", f"/staff/outbox/{invited[0]}/body", "/health/ready"):
        owner.get(url)
        owner.head(url)
    assert not difference(before, dump())


def test_no_secret_is_in_the_database_in_the_clear(invited: tuple[int, str]) -> None:
    stored = message(invited[0])
    assert invited[1] not in repr(vars(stored))
    assert "/i/" not in (stored.body_sealed or "")


def test_a_body_whose_key_is_gone_says_so(app: Flask, sign_in_as: SignIn, invited: tuple[int, str]) -> None:
    from portal.kernel.secrets_ import new_ring

    owner = sign_in_as("owner")
    app.config["PORTAL_SETTINGS"] = replace(app.config["PORTAL_SETTINGS"], keys=new_ring())
    assert "a key that this site no longer has" in owner.get(f"/staff/outbox/{invited[0]}").text
    assert owner.get(f"/staff/outbox/{invited[0]}/body").status_code == 404


@pytest.mark.parametrize("number", [0, 99_999, 2**31, 2**80])
def test_a_message_that_does_not_exist_is_not_found(sign_in_as: SignIn, app: Flask, number: int) -> None:
    owner = sign_in_as("owner")
    assert owner.get(f"/staff/outbox/{number}").status_code == 404
    assert owner.get(f"/staff/outbox/{number}/body").status_code == 404


@pytest.mark.parametrize(
    "query", ["state=nonsense&kind=x", "after=%00", "after=zzz", "q=%00%F0%9F%98%80%25_", "q=" + "a" * 5000]
)
def test_any_query_is_answered(sign_in_as: SignIn, app: Flask, query: str) -> None:
    queue(*people(1))
    assert sign_in_as("owner").get(f"/staff/outbox/?{query}").status_code == 200


def rows(browser: Client, query: str = "") -> list[str]:
    text = browser.get(f"/staff/outbox/{query}").text
    return re.findall(r'href="/staff/outbox/(\d+)"', text)


def test_the_list_is_filtered_searched_and_paged(app: Flask, sign_in_as: SignIn) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@example.org")
    bert = make.make_contact("Bert", "Köhler", "bert@example.org")
    one = make.make_message("welcome", contact=anna, state="failed", answer="550 no such user").id
    two = make.make_message("reset-password", contact=bert, state="sent", to_address="old@example.net").id
    viewer = sign_in_as("viewer")
    assert rows(viewer) == [str(two), str(one)]
    assert rows(viewer, "?state=failed") == [str(one)]
    assert rows(viewer, "?kind=reset-password") == [str(two)]
    assert rows(viewer, "?q=k%C3%B6hl") == [str(two)]
    assert rows(viewer, "?q=ANNA@") == [str(one)]
    assert rows(viewer, "?q=old@example.net") == [str(two)]
    assert rows(viewer, "?q=%25") == []
    for _ in range(60):
        make.make_message("welcome", contact=anna)
    first = viewer.get("/staff/outbox/").text
    assert len(rows(viewer)) == 50
    [following] = re.findall(r'href="(/staff/outbox/\?after=[^"]+)" rel="next"', first)
    assert len(rows(viewer, following.removeprefix("/staff/outbox/"))) == 12


def test_a_page_costs_few_statements(app: Flask, sign_in_as: SignIn, statements: Callable[[], object]) -> None:
    for contact in people(30):
        make.make_message("welcome", contact=contact)
    owner = sign_in_as("owner")
    with statements() as sent:  # type: ignore[attr-defined]
        owner.page("/staff/outbox/")
    assert len(sent) <= 12


def test_what_came_of_it_is_told(app: Flask, sign_in_as: SignIn, frozen_clock: FrozenClock) -> None:
    [contact] = people(1)
    late = make.make_message("welcome", contact=contact, state="deferred", answer="451 greylisted", attempts=2)
    gone = make.make_message("welcome", contact=contact, state="failed", answer="550 <b>nobody</b>", attempts=1)
    twice = make.make_message("welcome", contact=contact, state="sent", possible_duplicate=True, sent_at=clock.now())
    owner = sign_in_as("owner")
    page = owner.get(f"/staff/outbox/{late.id}").text
    assert "451 greylisted" in page
    assert "Next try at" in page
    page = owner.get(f"/staff/outbox/{gone.id}").text
    assert "550 &lt;b&gt;nobody&lt;/b&gt;" in page
    assert "did not arrive" in page
    assert "It may have arrived twice" in owner.get(f"/staff/outbox/{twice.id}").text
    overview = owner.get("/staff/").text
    assert "Messages that failed" in overview
    assert "Messages waiting for their next try" in overview


def test_a_paused_queue_is_told_on_every_page_that_speaks_of_mail(
    app: Flask, smtp: SmtpTwin, sign_in_as: SignIn, frozen_clock: FrozenClock
) -> None:
    mail_to(app, smtp.url)
    smtp.behave(answers={"MAIL": "530 5.7.0 sign in first"})
    [one] = queue(*people(1))
    deliver()
    owner = sign_in_as("owner")
    for url in ("/staff/", "/staff/outbox/", f"/staff/outbox/{one}"):
        page = owner.get(url).text
        assert "Mail is paused" in page
        assert "530 5.7.0 sign in first" in page
    health = owner.get("/health/ready")
    assert (health.status_code, health.json["checks"]["mail"]) == (503, "paused")


def test_a_failed_message_is_on_the_timelines(app: Flask, smtp: SmtpTwin) -> None:
    from portal.journal.queries import timeline

    mail_to(app, smtp.url)
    smtp.behave(answers={"RCPT": "550 no such user"})
    [contact] = people(1)
    queue(contact)
    deliver()
    assert [line.action for line in timeline("contact", contact.id)] == ["message.failed"]


def test_an_empty_outbox_says_what_it_is_for(app: Flask, sign_in_as: SignIn) -> None:
    page = Page(sign_in_as("viewer").get("/staff/outbox/"))
    assert "The outbox is empty" in page.text


def test_a_code_with_a_hard_blank_is_masked_in_both_parts(app: Flask, sign_in_as: SignIn) -> None:
    from portal.mail import outbox

    contact = make.make_contact()
    invitation = make.make_invitation(contact, sent=True, code="HARBOUR\u00a02026X")
    about = ("invitation", invitation.id)
    with transaction():
        number = outbox.enqueue("invitation", now=clock.now(), contact_id=contact.id, about=about).id
    deliver()
    manager = sign_in_as("manager")
    for url in (f"/staff/outbox/{number}", f"/staff/outbox/{number}/body"):
        text = manager.get(url).text
        assert "HARBOUR" not in text
        assert "2026X" not in text
