from typing import Any

import pytest

from portal.jobs.models import Worker
from portal.kernel import clock
from portal.kernel.db import db, transaction
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.make import make_contact, make_invitation, make_job, make_role, set_site
from tests.support.pages import Page

QUIET = "The worker has gone quiet"


@pytest.fixture
def owner(sign_in_as: Any) -> Client:
    browser: Client = sign_in_as("owner")
    return browser


def seen(seconds_ago: int) -> None:
    with transaction():
        db.session.add(Worker(id=f"w{seconds_ago}", started_at=clock.now(), seen_at=clock.now()))
        db.session.flush()
    worker = db.session.get_one(Worker, f"w{seconds_ago}")
    moment = worker.seen_at
    from datetime import timedelta

    with transaction():
        db.session.get_one(Worker, f"w{seconds_ago}").seen_at = moment - timedelta(seconds=seconds_ago)


def test_a_worker_that_has_gone_quiet_is_reported(owner: Client, frozen_clock: FrozenClock) -> None:
    assert QUIET not in owner.page("/staff/").text
    seen(61)
    assert QUIET in owner.page("/staff/").text
    seen(59)
    assert QUIET not in owner.page("/staff/").text


def test_work_that_nobody_takes_is_reported(owner: Client, frozen_clock: FrozenClock) -> None:
    make_job("anything")
    assert QUIET not in owner.page("/staff/").text
    frozen_clock.move(seconds=61)
    assert QUIET in owner.page("/staff/").text


def done(page: Page) -> dict[str, bool]:
    lines = page.testid("first-steps").all("li")
    return {line.text.removesuffix("(done)").strip(): "(done)" in line.text for line in lines}


def test_the_first_steps_follow_from_facts(owner: Client, app: Any) -> None:
    found = done(owner.page("/staff/"))
    assert len(found) == 5
    assert not any(found.values())
    set_site(name="Supplier Portal")
    assert sum(done(owner.page("/staff/")).values()) == 1
    make_role()
    contact = make_contact()
    assert sum(done(owner.page("/staff/")).values()) == 3
    make_invitation(contact)
    assert sum(done(owner.page("/staff/")).values()) == 3
    make_invitation(contact, sent=True)
    assert sum(done(owner.page("/staff/")).values()) == 4


def test_when_all_steps_are_done_the_list_is_gone(make_app: Any, app: Any) -> None:
    from tests.support.make import PASSWORD, make_staff

    make_staff(email="owner@staff.example")
    set_site(name="Supplier Portal")
    make_role()
    make_invitation(make_contact(), sent=True)
    other = make_app(PORTAL_MAIL_URL="smtp://127.0.0.1:2525")
    browser = other.test_client()
    browser.post_form("/staff/sign-in", {"email": "owner@staff.example", "password": PASSWORD})
    assert "First steps" not in browser.page("/staff/").text


def test_steps_are_linked_only_for_those_who_may(sign_in_as: Any) -> None:
    page = sign_in_as("viewer").page("/staff/")
    assert page.testid("first-steps").all("a") == []


def test_the_side_bar_shows_what_a_person_may_open(sign_in_as: Any) -> None:
    for role, hidden in (("owner", set()), ("manager", {"Journal", "People", "Settings"})):
        links = sign_in_as(role).page("/staff/").links
        for name in ("Journal", "People", "Settings"):
            assert (name in links) == (name not in hidden)


def test_the_overview_needs_few_statements(owner: Client, statements: Any) -> None:
    with statements() as sent:
        owner.page("/staff/")
    assert len(sent) <= 20
