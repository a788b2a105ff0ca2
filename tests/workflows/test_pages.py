"""The pages of workflows and their runs: who may what, what they show, running one by hand."""

from datetime import timedelta
from typing import Any

import pytest

from portal.jobs.models import Job
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.workflows import queries, services
from portal.workflows.models import WorkflowRun
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.pages import Page
from tests.workflows import ways

LIST, NEW, RUN, RUNS = "/staff/workflows/", "/staff/workflows/new", "/staff/workflows/run", "/staff/workflow-runs/"
NOTE, WAIT = {"type": "note", "text": "Hello there."}, {"type": "wait", "amount": 2, "unit": "days"}
ACTS = ("activate", "deactivate", "discard")


def of(workflow_id: int, act: str = "") -> str:
    return f"{LIST}{workflow_id}{'/' + act if act else ''}"


def found(run_id: int) -> str:
    return f"{RUNS}{run_id}"


def all_runs() -> list[WorkflowRun]:
    db.session.rollback()
    return list(db.session.query(WorkflowRun).order_by(WorkflowRun.id))


# Refusals first.


@pytest.mark.parametrize(
    "typed",
    [
        {"name": ""},
        {"name": "x" * 101},
        {"name": "Send Invitation"},
        {"name": "a\0b"},
        {"name": "Flow", "description": "x" * 301},
        {"name": "Flow", "primary_entity": "account"},
    ],
)
def test_a_bad_new_workflow_is_refused(sign_in_as: Any, dump: Any, typed: dict[str, str]) -> None:
    owner = sign_in_as("owner")
    before = dump()
    response = owner.post_form(NEW, {"primary_entity": "contact", **typed})
    assert response.status_code == 422
    assert Page(response).errors
    assert dump() == before


@pytest.mark.parametrize("url", [of(999), of(999, "edit"), *(of(999, act) for act in (*ACTS, "delete")), found(999)])
def test_what_is_not_there_is_not_found(sign_in_as: Any, url: str) -> None:
    assert sign_in_as("owner").get(url).status_code == 404


def test_who_may_not_edit_sees_no_button_and_is_refused(sign_in_as: Any, dump: Any) -> None:
    workflow_id = ways.defined(NOTE)
    for who in ("manager", "viewer"):
        browser = sign_in_as(who)
        before = dump()
        page = browser.page(of(workflow_id))
        assert not {"Edit", "Deactivate", "Delete"} & set(page.links)
        token = browser.token(of(workflow_id))
        for url in (NEW, *(of(workflow_id, act) for act in ("edit", "delete", *ACTS))):
            assert browser.get(url).status_code == 403
            assert browser.post(url, data={"csrf_token": token, "version": "3"}).status_code == 403
        assert dump() == before


@pytest.mark.parametrize("who", ["editor", "viewer"])
def test_who_may_not_run_is_refused(sign_in_as: Any, dump: Any, who: str) -> None:
    workflow_id, anna = ways.defined(NOTE), make.make_contact("Anna", "Weber", "anna@example.org")
    run_id = ways.started(workflow_id, anna)
    browser = sign_in_as(who)
    before = dump()
    assert "Run workflow" not in browser.page(f"/staff/contacts/{anna.id}").links
    assert not browser.page(found(run_id)).has_button("Cancel the run")
    sent = {"csrf_token": browser.token(LIST), "ids": anna.id, "workflow": workflow_id, "confirm": "1"}
    for url in (RUN, found(run_id) + "/cancel", found(run_id) + "/run-again"):
        assert browser.post(url, data=sent).status_code == 403
    assert dump() == before


@pytest.mark.parametrize("act", ACTS)
def test_a_dialog_acts_on_what_it_showed(sign_in_as: Any, dump: Any, act: str) -> None:
    workflow_id = ways.defined(NOTE)
    owner = sign_in_as("owner")
    token = owner.token(of(workflow_id, act))
    before = dump()
    assert owner.post(of(workflow_id, act), data={"csrf_token": token, "version": "1"}).status_code == 409
    for version in ("", "x", None):
        sent = {"csrf_token": token} | ({} if version is None else {"version": version})
        assert owner.post(of(workflow_id, act), data=sent).status_code == 422
    assert dump() == before


def test_a_draft_with_faults_is_not_activated(sign_in_as: Any) -> None:
    workflow_id = ways.defined(NOTE)
    actor, now = ways.acting(), clock.now()
    with transaction():
        services.save_draft(workflow_id, [NOTE, {"type": "wait"}], 3, actor, now)
    owner = sign_in_as("owner")
    response = owner.post_form(of(workflow_id, "activate"))
    assert response.status_code == 422
    page = Page(response)
    assert "Step 2: Please fill this in." in page.text
    assert page.link("Edit")
    assert queries.get(workflow_id).draft is not None


@pytest.mark.parametrize("ids", [[], ["x"], ["0"], ["999"], ["-1"], list(range(1, 300))])
@pytest.mark.parametrize("entity", ["contact", "invitation", "account"])
def test_running_on_nothing_is_refused(sign_in_as: Any, dump: Any, ids: list[Any], entity: str) -> None:
    workflow_id = ways.defined(NOTE)
    manager = sign_in_as("manager")
    sent = {"csrf_token": manager.token(LIST), "entity": entity, "ids": ids, "workflow": workflow_id, "confirm": "1"}
    before = dump()
    assert manager.post(RUN, data=sent).status_code in (404, 422)
    assert manager.get(RUN, query_string={"entity": entity, "ids": ids}).status_code in (404, 422)
    assert dump() == before


def test_only_a_workflow_that_fits_can_be_run(sign_in_as: Any, dump: Any) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@example.org")
    deactivated, for_invitations = ways.defined(NOTE), ways.defined(NOTE, entity="invitation", name="Other")
    actor = ways.acting()
    with transaction():
        services.deactivate(deactivated, 3, actor, clock.now())
    manager = sign_in_as("manager")
    sending = ways.of_key("send-invitation").id
    url = f"{RUN}?entity=contact&ids={anna.id}"
    before = dump()
    for wrong in (deactivated, for_invitations, sending, 999, "x", ""):
        response = manager.post_form(RUN, {"workflow": wrong}, page=url)
        assert response.status_code == 422, wrong
        assert "workflow" in Page(response).errors
    assert dump() == before


# What they show.


def test_the_list_shows_what_each_is_and_what_failed(sign_in_as: Any) -> None:
    workflow_id, anna = ways.defined(NOTE, trigger="contact_created"), make.make_contact("Anna", "Weber", "a@b.org")
    make.make_run(queries.get(workflow_id), anna, state="failed", finished_at=clock.now(), error="It broke")
    viewer = sign_in_as("viewer")
    page = viewer.page(LIST)
    assert {"Flow", "Send Invitation", "Workflows"} <= set(page.links)
    assert "1 failed run" in page.text
    assert "When a contact is created" in page.text
    assert "New workflow" not in page.links
    assert "Workflow runs that failed" in viewer.page("/staff/").text


def test_a_workflow_is_activated_changed_deactivated_and_discarded(sign_in_as: Any) -> None:
    workflow_id = ways.defined(NOTE)
    editor = sign_in_as("editor")
    editor.post_form(of(workflow_id, "edit"), press="add-wait")
    page = editor.page(of(workflow_id))
    assert "Draft with changes" in page.text
    assert "Wait" in page.text
    page = editor.follow(editor.post_form(of(workflow_id, "discard")))
    assert "Draft with changes" not in page.text
    page = editor.follow(editor.post_form(of(workflow_id, "deactivate")))
    assert not queries.get(workflow_id).activated
    assert "Activate" in page.links
    page = editor.follow(editor.post_form(of(workflow_id, "activate")))
    assert queries.get(workflow_id).activated
    for told in ("Workflow activated", "Workflow deactivated"):
        assert told in page.text


def test_deactivating_the_sending_says_what_it_means(sign_in_as: Any) -> None:
    sending = ways.of_key("send-invitation").id
    owner = sign_in_as("owner")
    assert "Invitations can no longer be sent" in owner.page(of(sending, "deactivate")).text
    page = owner.follow(owner.post_form(of(sending, "deactivate")))
    assert "Invitations cannot be sent" in page.text
    assert owner.post_form(of(sending, "edit"), press="remove-0").status_code == 303
    assert owner.post_form(of(sending, "edit"), press="add-note").status_code == 303
    response = owner.post_form(of(sending, "edit"), {"steps-0-text": "Hello."}, press="Save and activate")
    assert response.status_code == 422
    assert "first step" in Page(response).text


def test_only_what_was_never_used_is_deleted(sign_in_as: Any) -> None:
    used, unused = ways.defined(NOTE), ways.defined(NOTE, name="Unused")
    make.make_run(queries.get(used), make.make_contact("Anna", "Weber", "a@b.org"))
    owner = sign_in_as("owner")
    sending = ways.of_key("send-invitation").id
    for kept in (used, sending):
        page = owner.page(of(kept, "delete"))
        assert "cannot be deleted" in page.text
        assert owner.post(of(kept, "delete"), data={"csrf_token": owner.token(NEW)}).status_code == 409
    owner.post_form(of(unused, "delete"))
    assert owner.get(of(unused)).status_code == 404


def test_runs_are_listed_filtered_and_paged(sign_in_as: Any) -> None:
    workflow_id, anna = ways.defined(NOTE), make.make_contact("Anna", "Weber", "a@b.org")
    workflow = queries.get(workflow_id)
    for at in range(52):
        make.make_run(workflow, anna, state="failed" if at == 3 else "done", error="It broke" if at == 3 else "")
    viewer = sign_in_as("viewer")
    for url in (of(workflow_id), RUNS):
        page = viewer.page(url)
        assert len(page.testid("runs").all("tr")) == 51
        assert len(viewer.page(page.link("Next page")).testid("runs").all("tr")) == 3
        page = viewer.page(page.link("Failed"))
        assert len(page.testid("runs").all("tr")) == 2
        assert "It broke" in page.text
        assert "No such runs" in viewer.page(page.link("Waiting")).text


def test_a_run_shows_each_step_with_its_result(sign_in_as: Any, frozen_clock: FrozenClock) -> None:
    workflow_id = ways.defined(NOTE, WAIT, {"type": "set_field", "field": "phone", "value": "555"})
    anna = make.make_contact("Anna", "Weber", "anna@example.org")
    run_id = ways.started(workflow_id, anna)
    ways.work()
    manager = sign_in_as("manager")
    page = manager.page(found(run_id))
    steps = page.testid("run-steps")
    assert [item.all("span", cls="badge-pill")[-1].text for item in steps.all("li")] == ["Done", "Done", "Next"]
    assert "Wrote a note." in steps.text
    assert "Waiting" in page.text
    assert "It goes on at Nov 22, 2026" in page.text
    assert "Anna Weber" in page.links
    ways.work_until_idle(frozen_clock)
    page = sign_in_as("manager").page(found(run_id))
    assert "Phone to “555”" in page.text
    assert not page.has_button("Run again")


def test_a_failed_run_is_run_again_from_its_page(sign_in_as: Any, frozen_clock: FrozenClock) -> None:
    role = make.make_role("Members")
    workflow_id = ways.defined(NOTE, {"type": "add_role", "web_role": str(role.id)})
    nobody = make.make_contact("Anna", "Weber", "anna@example.org")
    run_id = ways.started(workflow_id, nobody)
    with transaction():
        role_row = db.session.get_one(type(role), role.id)
        db.session.delete(role_row)
    ways.work()
    manager = sign_in_as("manager")
    page = manager.page(found(run_id))
    assert "Will be tried again" in page.text
    ways.work_until_idle(frozen_clock)
    manager = sign_in_as("manager")
    page = manager.page(found(run_id))
    assert "This run failed" in page.text
    assert "may not give this web role" in page.text
    response = manager.post_form(found(run_id) + "/run-again", page=found(run_id), headers={"Referer": found(run_id)})
    assert response.location.endswith(found(run_id))
    assert "Queued" in manager.page(found(run_id)).text
    assert manager.page(f"/staff/contacts/{nobody.id}").testid("workflow-runs")


def test_a_run_is_cancelled_between_its_steps(sign_in_as: Any, frozen_clock: FrozenClock) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@example.org")
    run_id = ways.started(ways.defined(WAIT, NOTE), anna)
    ways.work()
    manager = sign_in_as("manager")
    page = manager.follow(manager.post_form(found(run_id) + "/cancel"))
    assert "Cancelled" in page.text
    assert "Not done" in page.testid("run-steps").text
    ways.work_until_idle(frozen_clock)
    assert "note" not in ways.actions("contact", anna.id)
    manager = sign_in_as("manager")
    assert "This run is over already." in manager.page(found(run_id) + "/cancel").text
    assert manager.post(found(run_id) + "/cancel", data={"csrf_token": manager.token(LIST)}).status_code == 409


# Running by hand.


def test_a_workflow_is_run_from_a_contacts_page(sign_in_as: Any, persona: Any) -> None:
    anna, workflow_id = make.make_contact("Anna", "Weber", "anna@example.org"), ways.defined(NOTE)
    manager = sign_in_as("manager")
    url = manager.page(f"/staff/contacts/{anna.id}").link("Run workflow")
    assert "Anna Weber" in manager.page(url).text
    page = manager.follow(manager.post_form(RUN, {"workflow": workflow_id}, page=url))
    assert "“Flow” runs now" in " ".join(page.toasts)
    (run,) = all_runs()
    assert (run.contact_id, run.cause_kind, run.created_by) == (anna.id, "staff", persona("manager").id)
    ways.work()
    assert {"note", "workflow.started", "workflow.done"} <= set(ways.actions("contact", anna.id))


def test_a_workflow_is_run_from_an_invitations_page(sign_in_as: Any) -> None:
    invitation = make.make_invitation(make.make_contact("Anna", "Weber", "anna@example.org"), name="Spring")
    workflow_id = ways.defined(NOTE, entity="invitation")
    manager = sign_in_as("manager")
    url = manager.page(f"/staff/invitations/{invitation.id}").link("Run workflow")
    page = manager.page(url)
    assert "Spring" in page.text
    assert page.form(RUN).values["workflow"] == [str(workflow_id)], "the only one is chosen"
    answer = manager.post_form(RUN, page=url)
    assert answer.location.endswith(f"/staff/invitations/{invitation.id}")
    (run,) = all_runs()
    assert (run.contact_id, run.invitation_id) == (None, invitation.id)
    ways.work()
    assert "note" in ways.actions("invitation", invitation.id)
    assert "Spring" in manager.page(RUNS).links


def test_a_workflow_is_run_on_ticked_rows(sign_in_as: Any) -> None:
    people = [make.make_contact(name, "Weber", f"{name.lower()}@example.org") for name in ("Anna", "Bert", "Carl")]
    invitations = [make.make_invitation(one, name=f"For {one.first_name}") for one in people]
    on_contacts, on_invitations = ways.defined(NOTE), ways.defined(NOTE, entity="invitation", name="Other")
    manager = sign_in_as("manager")
    _tick(manager, "/staff/contacts/", "contact", [one.id for one in people[:2]], on_contacts)
    assert [run.contact_id for run in all_runs()] == [one.id for one in people[:2]]
    _tick(manager, "/staff/invitations/?view=all", "invitation", [one.id for one in invitations[1:]], on_invitations)
    assert {run.invitation_id for run in all_runs()[2:]} == {one.id for one in invitations[1:]}


def _tick(browser: Client, url: str, entity: str, ids: list[int], workflow_id: int) -> None:
    """Tick rows, press *Run workflow*, confirm: as a browser without JavaScript does it."""
    form = next(one for one in browser.page(url).forms if "Run workflow" in [b.text for b in one.buttons])
    button = next(one for one in form.buttons if one.text == "Run workflow")
    sent = {**{n: v[0] for n, v in form.values.items() if v}, "ids": ids, button.attrs["name"]: button.attrs["value"]}
    target = button.attrs["formaction"]
    answer = browser.post(target, data=sent) if form.method == "post" else browser.get(target, query_string=sent)
    assert answer.status_code == 200
    page = Page(answer)
    confirmed = {n: v for n, v in page.form(RUN).values.items() if v} | {"workflow": workflow_id}
    assert confirmed["entity"] == [entity]
    assert browser.post(RUN, data=confirmed).status_code == 303


def test_a_confirmation_sent_twice_runs_once(sign_in_as: Any) -> None:
    anna, workflow_id = make.make_contact("Anna", "Weber", "anna@example.org"), ways.defined(NOTE)
    manager = sign_in_as("manager")
    form = manager.page(f"{RUN}?entity=contact&ids={anna.id}").form(RUN)
    sent = {name: values[0] for name, values in form.values.items() if values} | {"workflow": str(workflow_id)}
    assert manager.post(RUN, data=sent).status_code == 303
    page = manager.follow(manager.post(RUN, data=sent))
    assert "nothing is run twice" in " ".join(page.toasts)
    assert len(all_runs()) == 1


def test_without_a_workflow_the_dialog_says_so(sign_in_as: Any) -> None:
    invitation = make.make_invitation(make.make_contact("Anna", "Weber", "anna@example.org"))
    page = sign_in_as("manager").page(f"{RUN}?entity=invitation&ids={invitation.id}")
    assert "No activated workflow runs on invitations." in page.text
    assert not page.has_button("Run")


def test_the_next_try_is_found_by_its_run(app: Any, frozen_clock: FrozenClock) -> None:
    anna = make.make_contact("Anna", "Weber", "anna@example.org")
    first, second = (ways.started(ways.defined(WAIT, NOTE, name=name), anna) for name in ("One", "Two"))
    ways.work()
    with transaction():
        job = db.session.query(Job).filter(Job.state == "queued").order_by(Job.id.desc()).first()
        assert job is not None
        job.due_at += timedelta(days=1)
    assert queries.next_due(first) == frozen_clock.now + timedelta(days=2)
    assert queries.next_due(second) == frozen_clock.now + timedelta(days=3)


def test_the_runs_of_one_record_are_a_list_of_their_own(sign_in_as: Any) -> None:
    anna, bert = (make.make_contact(name, "Weber", f"{name}@example.org") for name in ("Anna", "Bert"))
    invitation = make.make_invitation(anna, name="Spring")
    workflow = queries.get(ways.defined(NOTE))
    for contact, about in ((anna, None), (bert, invitation.id), (anna, None)):
        make.make_run(workflow, contact, state="done", invitation_id=about)
    viewer = sign_in_as("manager")
    assert len(viewer.page(f"{RUNS}?contact={anna.id}").testid("runs").all("tr")) == 3
    page = viewer.page(viewer.page(f"/staff/invitations/{invitation.id}").link("Workflow runs"))
    assert len(page.testid("runs").all("tr")) == 2
    assert "Spring" in page.links
    assert "No such runs" in viewer.page(page.link("Failed")).text
    assert len(viewer.page(f"{RUNS}?contact=x").testid("runs").all("tr")) == 4
