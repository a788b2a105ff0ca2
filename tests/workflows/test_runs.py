"""A workflow run does each step once, whatever fails in between, and tells both timelines."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.jobs import runner
from portal.jobs.models import Job
from portal.journal import queries as journal
from portal.kernel.db import db, transaction
from portal.mail.models import Message
from portal.workflows import services, steps
from portal.workflows.models import Workflow, WorkflowRun
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock

SignIn = Callable[[str], Client]


class Flaky:
    """A step that fails as often as it is told to."""

    def __init__(self) -> None:
        self.failures, self.done = 0, 0

    def __call__(self, values: steps.Values, about: steps.Context) -> steps.Outcome:
        if self.failures:
            self.failures -= 1
            raise steps.StepFailed("The moon is in the wrong phase.")
        self.done += 1
        return steps.Outcome("done")


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> Flaky:
    step = Flaky()
    monkeypatch.setitem(steps.types, "flaky", steps.StepType("flaky", "Flaky", "x", step))
    return step


def workflow(*kinds: dict[str, Any], **more: Any) -> Workflow:
    return make._saved(Workflow(name="Onboarding", steps=list(kinds), **more))


NOTE = {"type": "note", "text": "Joined."}
MAIL = {"type": "send_email", "template": "welcome"}


def start(chosen: Workflow, contact: Contact, invitation_id: int | None = None) -> int:
    from portal.kernel import clock

    chosen_id, contact_id = chosen.id, contact.id
    with transaction():
        run = services.start(
            chosen_id, contact_id, cause=("redemption", 1), invitation_id=invitation_id, now=clock.now()
        )
        return run.id


def work() -> None:
    while runner.turn("me", lambda: False):
        pass
    db.session.rollback()


def run(run_id: int) -> WorkflowRun:
    db.session.rollback()
    return db.session.get_one(WorkflowRun, run_id, populate_existing=True)


def try_until_it_ends(run_id: int, clock: FrozenClock) -> None:
    for _ in range(10):
        work()
        waiting = db.session.query(Job.due_at).filter(Job.state == "queued").first()
        if waiting is None:
            return
        clock.set(waiting.due_at)


def actions(kind: str, record_id: int) -> list[str]:
    return [line.action for line in journal.timeline(kind, record_id)]


def test_a_step_that_fails_is_tried_again_and_the_others_are_not_repeated(
    app: Flask, flaky: Flaky, frozen_clock: FrozenClock
) -> None:
    flaky.failures = 2
    contact = make.make_contact()
    one = start(workflow(MAIL, {"type": "flaky"}, NOTE), contact)
    work()
    assert (run(one).done_steps, run(one).state, run(one).error) == (1, "running", "The moon is in the wrong phase.")
    try_until_it_ends(one, frozen_clock)
    assert (run(one).state, run(one).done_steps, flaky.done) == ("done", 3, 1)
    assert db.session.query(Message).count() == 1
    assert actions("contact", contact.id).count("note") == 1


def test_after_the_last_try_it_has_failed_on_both_timelines_and_can_be_run_again(
    app: Flask, flaky: Flaky, frozen_clock: FrozenClock, sign_in_as: SignIn
) -> None:
    flaky.failures = 6
    contact = make.make_contact()
    invitation = make.make_invitation(contact)
    one = start(workflow(NOTE, {"type": "flaky"}, MAIL), contact, invitation.id)
    began = frozen_clock.now
    try_until_it_ends(one, frozen_clock)
    assert (run(one).state, run(one).done_steps) == ("failed", 1)
    assert frozen_clock.now - began >= timedelta(minutes=111)
    for kind, record_id in (("contact", contact.id), ("invitation", invitation.id)):
        assert actions(kind, record_id)[0] == "workflow.failed"
    [line] = [line for line in journal.timeline("contact", contact.id) if line.action == "workflow.failed"]
    assert "The moon is in the wrong phase." in line.text
    assert line.detail["run_id"] == one
    manager = sign_in_as("manager")
    url = f"/staff/workflow-runs/{one}/run-again"
    pages = (f"/staff/contacts/{contact.id}", f"/staff/invitations/{invitation.id}")
    for page in pages:
        assert manager.get(page).text.count(f'action="{url}"') == 1
        assert "Run again" not in sign_in_as("viewer").get(page).text
    response = manager.post_form(url, page=pages[0])
    assert (response.status_code, response.headers["Location"]) == (303, pages[0])
    assert "Run again" not in manager.get(pages[0]).text
    try_until_it_ends(one, frozen_clock)
    assert (run(one).state, flaky.done) == ("done", 1)
    assert actions("contact", contact.id).count("note") == 1, "the step that was done is not repeated"
    assert db.session.query(Message).count() == 1
    assert {"workflow.run-again", "workflow.done"} <= set(actions("contact", contact.id))


def test_running_again_what_has_not_failed_is_refused(app: Flask, sign_in_as: SignIn) -> None:
    one = start(workflow(NOTE), make.make_contact())
    owner = sign_in_as("owner")
    token = owner.token("/staff/profile")
    for state in ("queued", "running", "done"):
        with transaction():
            db.session.get_one(WorkflowRun, one).state = state
        before = db.session.query(Job).count()
        assert owner.post(f"/staff/workflow-runs/{one}/run-again", data={"csrf_token": token}).status_code == 409
        assert db.session.query(Job).count() == before


@pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("editor", 403), ("nobody", 303)])
def test_running_again_needs_the_right(app: Flask, sign_in_as: SignIn, who: str, status: int) -> None:
    made = workflow(NOTE)
    one = make.make_run(made, make.make_contact(), state="failed")
    browser = sign_in_as(who)
    token = browser.token("/staff/sign-in" if who == "nobody" else "/staff/profile")
    assert browser.post(f"/staff/workflow-runs/{one.id}/run-again", data={"csrf_token": token}).status_code == status
    assert run(one.id).state == "failed"


@pytest.mark.parametrize("number", [0, 99_999, 2**31, 2**80])
def test_a_run_that_does_not_exist_is_not_found(app: Flask, sign_in_as: SignIn, number: int) -> None:
    owner = sign_in_as("owner")
    token = owner.token("/staff/profile")
    assert owner.post(f"/staff/workflow-runs/{number}/run-again", data={"csrf_token": token}).status_code == 404


def test_a_step_of_an_unknown_type_fails_the_run(app: Flask, frozen_clock: FrozenClock) -> None:
    one = start(workflow({"type": "fly"}), make.make_contact())
    try_until_it_ends(one, frozen_clock)
    assert run(one).state == "failed"


def test_a_contact_without_an_address_fails_the_mail_step_by_name(app: Flask, frozen_clock: FrozenClock) -> None:
    one = start(workflow(MAIL), make.make_contact("Anna", "Weber", None))
    try_until_it_ends(one, frozen_clock)
    assert run(one).error == "Anna Weber has no e-mail address."


def test_a_workflow_that_is_not_activated_becomes_a_failed_run(app: Flask) -> None:
    contact = make.make_contact()
    one = start(workflow(NOTE, activated=False), contact)
    assert run(one).state == "failed"
    assert db.session.query(Job).count() == 0
    assert actions("contact", contact.id) == ["workflow.failed"]


@pytest.mark.parametrize("key", ["welcome-email", "timeline-note"])
def test_what_ships_runs(app: Flask, key: str) -> None:
    contact = make.make_contact()
    invitation = make.make_invitation(contact)
    one = start(make.shipped_workflow(key), contact, invitation.id)
    work()
    assert run(one).state == "done"
    assert actions("invitation", invitation.id)[0] == "workflow.done"
    assert (db.session.query(Message).count() == 1) == (key == "welcome-email")


def test_a_run_keeps_the_steps_it_started_with(app: Flask) -> None:
    contact = make.make_contact()
    chosen = workflow(NOTE)
    one = start(chosen, contact)
    with transaction():
        db.session.get_one(Workflow, chosen.id).steps = [{"type": "fly"}]
    work()
    assert run(one).state == "done"
