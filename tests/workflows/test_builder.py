"""The builder: what is refused, and how steps are added, ordered, set and taken away without JavaScript."""

from typing import Any

import pytest

from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.settings.queries import ring
from portal.workflows import queries, services
from portal.workflows.models import Workflow
from portal.workflows.steps.webhook import SEALED_ABOUT
from tests.support import make
from tests.support.clients import Client
from tests.support.pages import Page
from tests.workflows import ways

NEW = "/staff/workflows/new"
NOTE, OTHER = {"type": "note", "id": "aaa", "text": "One."}, {"type": "note", "id": "bbb", "text": "Two."}
SECRET = "a secret of some length"
CALL = {"type": "webhook", "id": "ccc", "url": "https://hooks.example.com/x", "secret": SECRET}


def drafted(*steps: dict[str, Any], entity: str = "contact") -> int:
    """A workflow with these steps in its draft."""
    actor, now = ways.acting(), clock.now()
    with transaction():
        made = services.create("Flow", "", entity, "", actor, now)
        services.save_draft(made.id, list(steps), made.version, actor, now)
        return made.id


def edit(workflow_id: int) -> str:
    return f"/staff/workflows/{workflow_id}/edit"


def press(browser: Client, workflow_id: int, button: str, typed: dict[str, Any] | None = None) -> Any:
    return browser.post_form(edit(workflow_id), typed, press=button)


def draft(workflow_id: int) -> list[dict[str, Any]]:
    db.session.rollback()
    return services.draft_of(db.session.get_one(Workflow, workflow_id, populate_existing=True))


def texts(workflow_id: int) -> list[str]:
    return [str(step.get("text")) for step in draft(workflow_id)]


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"description": "x" * 301}, "description"),
        ({"trigger": "invitation_expired"}, "trigger"),
        ({"trigger": "x"}, "trigger"),
        ({"steps-0-amount": "soon"}, "steps-0-amount"),
        ({"steps-0-unit": "years"}, "steps-0-unit"),
        ({"steps-1-text": "a\0b"}, "steps-1-text"),
        ({"steps-1-text": "x" * 2001}, "steps-1-text"),
        ({"steps-2-secret": "short"}, "steps-2-secret"),
        ({"steps-2-url": "x" * 501}, "steps-2-url"),
        ({"steps-3-account": "77"}, "steps-3-account"),
    ],
)
def test_a_bad_value_is_refused_beside_its_field(sign_in_as: Any, dump: Any, typed: dict[str, str], field: str) -> None:
    workflow_id = drafted({"type": "wait", "id": "w"}, NOTE, CALL, {"type": "assign_account", "id": "acc"})
    owner = sign_in_as("owner")
    before = dump()
    for button in ("Save the draft", "Save and activate", "add-note", "down-0", "remove-1"):
        response = press(owner, workflow_id, button, typed)
        assert response.status_code == 422, button
        assert field in Page(response).errors
    assert dump() == before


@pytest.mark.parametrize(
    "typed",
    [
        {"steps-0-type": "exec"},
        {"steps-0-type": "<script>"},
        {"steps-0-id": "../../x"},
        {"steps-0-id": "x" * 33},
        {"version": "x"},
        {"version": ""},
    ],
)
def test_a_form_that_nobody_was_shown_is_refused(sign_in_as: Any, dump: Any, typed: dict[str, str]) -> None:
    workflow_id = drafted(NOTE)
    owner = sign_in_as("owner")
    before = dump()
    assert press(owner, workflow_id, "Save the draft", typed).status_code == 422
    assert dump() == before


def test_a_step_that_its_records_cannot_have_is_refused(sign_in_as: Any) -> None:
    workflow_id = drafted(NOTE, entity="invitation")
    owner = sign_in_as("owner")
    page = owner.page(edit(workflow_id))
    assert not page.has_button("Add web role")
    assert press(owner, workflow_id, "Save the draft", {"steps-0-type": "add_role"}).status_code == 422
    owner.post(edit(workflow_id), data={**_values(page), "do": "add-add_role"})
    assert [step["type"] for step in draft(workflow_id)] == ["note"]


def _values(page: Page) -> dict[str, str]:
    form = page.form(holding={"version"})
    return {name: values[0] for name, values in form.values.items() if values}


@pytest.mark.parametrize("do", ["up-9", "down-x", "remove--1", "move-0", "move-0-x", "nonsense", "add-", "add-exec"])
def test_a_button_that_is_none_saves_the_draft(sign_in_as: Any, do: str) -> None:
    workflow_id = drafted(NOTE, OTHER)
    owner = sign_in_as("owner")
    sent = {**_values(owner.page(edit(workflow_id))), "steps-0-text": "Changed.", "do": do}
    assert owner.post(edit(workflow_id), data=sent).status_code == 303
    assert texts(workflow_id) == ["Changed.", "Two."]


def test_no_more_steps_than_there_may_be(sign_in_as: Any, dump: Any) -> None:
    workflow_id = drafted(*[{**NOTE, "id": f"n{at}"} for at in range(30)])
    owner = sign_in_as("owner")
    before = dump()
    response = press(owner, workflow_id, "add-note")
    assert response.status_code == 422
    assert "at most 30 steps" in Page(response).text
    assert dump() == before


def test_what_cannot_be_activated_says_why_and_the_draft_is_kept(sign_in_as: Any) -> None:
    workflow_id = drafted(NOTE)
    owner = sign_in_as("owner")
    for one in ("add_role", "webhook", "send_email", "wait"):
        press(owner, workflow_id, f"add-{one}")
    response = press(owner, workflow_id, "Save and activate", {"steps-0-text": "", "steps-2-url": "http://10.0.0.1/"})
    assert response.status_code == 422
    page = Page(response)
    wrong = {"steps-0-text", "steps-1-web_role", "steps-2-secret", "steps-3-template", "steps-4-amount"}
    assert wrong <= set(page.errors)
    assert len(draft(workflow_id)) == 5
    assert not queries.get(workflow_id).activated
    # The page that came back goes on where it was.
    typed = {**_values(page), "do": "remove-4"}
    assert owner.post(edit(workflow_id), data=typed).status_code == 303
    assert len(draft(workflow_id)) == 4


def test_an_editor_cannot_let_a_workflow_give_what_they_may_not(sign_in_as: Any) -> None:
    role = make.make_role("Board", managers_may_grant=False)
    workflow_id = drafted({"type": "add_role", "id": "r", "web_role": str(role.id)})
    response = press(sign_in_as("editor"), workflow_id, "Save and activate")
    assert response.status_code == 422
    assert "steps-0-web_role" in Page(response).errors
    assert not queries.get(workflow_id).activated


def test_a_workflow_is_built_without_javascript(sign_in_as: Any) -> None:
    owner = sign_in_as("owner")
    answer = owner.post_form(NEW, {"name": "Greet", "primary_entity": "contact"})
    assert answer.status_code == 303
    url = answer.location
    workflow_id = int(url.split("/")[3])
    page = owner.follow(press(owner, workflow_id, "Send e-mail"))
    assert "autofocus" in page.root.first("select", name="steps-0-template").attrs
    page = owner.follow(press(owner, workflow_id, "Write a note", {"steps-0-template": "welcome"}))
    assert page.form(holding={"version"}).values["steps-0-template"] == ["welcome"]
    owner.follow(press(owner, workflow_id, "add-note", {"steps-1-text": "First."}))
    page = owner.follow(press(owner, workflow_id, "up-2", {"steps-2-text": "Second."}))
    assert texts(workflow_id) == ["None", "Second.", "First."]
    assert "autofocus" in page.root.first("button", value="up-1").attrs
    page = owner.follow(press(owner, workflow_id, "up-1"))
    assert texts(workflow_id) == ["Second.", "None", "First."]
    assert "autofocus" in page.root.first("button", value="down-0").attrs, "the top one can only go down"
    owner.follow(press(owner, workflow_id, "remove-2"))
    owner.follow(press(owner, workflow_id, "down-0"))
    assert [step["type"] for step in draft(workflow_id)] == ["send_email", "note"]
    typed = {"trigger": "contact_created", "description": "Says hello."}
    page = owner.follow(press(owner, workflow_id, "Save and activate", typed))
    assert "Workflow activated" in " ".join(page.toasts)
    workflow = queries.get(workflow_id)
    assert (workflow.activated, workflow.draft, workflow.trigger) == (True, None, "contact_created")
    assert [step["type"] for step in workflow.steps] == ["send_email", "note"]


def test_enter_in_a_field_saves_and_moves_nothing(sign_in_as: Any) -> None:
    workflow_id = drafted(NOTE, OTHER)
    owner = sign_in_as("owner")
    first = owner.page(edit(workflow_id)).form(holding={"version"}).buttons[0]
    assert (first.attrs["name"], first.attrs["value"]) == ("do", "save")
    response = owner.post_form(edit(workflow_id), {"steps-1-text": "Changed."})
    assert response.location.endswith(f"/staff/workflows/{workflow_id}")
    assert texts(workflow_id) == ["One.", "Changed."]


def test_dragging_moves_a_step(sign_in_as: Any) -> None:
    workflow_id = drafted(NOTE, OTHER, {**NOTE, "id": "ddd", "text": "Three."})
    owner = sign_in_as("owner")
    sent = {**_values(owner.page(edit(workflow_id))), "do": "move-0-2"}
    owner.post(edit(workflow_id), data=sent)
    assert texts(workflow_id) == ["Two.", "Three.", "One."]
    owner.post(edit(workflow_id), data={**_values(owner.page(edit(workflow_id))), "do": "move-2-0"})
    assert texts(workflow_id) == ["One.", "Two.", "Three."]


def test_what_is_in_force_stays_until_the_draft_is_activated(sign_in_as: Any) -> None:
    workflow_id = ways.defined(NOTE)
    owner = sign_in_as("owner")
    press(owner, workflow_id, "Save the draft")
    assert queries.get(workflow_id).draft is None, "nothing was changed"
    press(owner, workflow_id, "Save the draft", {"steps-0-text": "Changed."})
    workflow = queries.get(workflow_id)
    assert workflow.steps[0]["text"] == "One."
    assert "Draft with changes" in owner.page(f"/staff/workflows/{workflow_id}").text
    press(owner, workflow_id, "Save the draft", {"steps-0-text": "One."})
    assert queries.get(workflow_id).draft is None, "changed back"


def test_a_secret_is_write_only_and_follows_its_step(sign_in_as: Any) -> None:
    workflow_id = drafted(CALL, NOTE)
    sealed = draft(workflow_id)[0]["secret"]
    owner = sign_in_as("owner")
    response = owner.get(edit(workflow_id))
    body = response.get_data(as_text=True)
    assert SECRET not in body
    assert sealed not in body
    assert "A secret is kept" in body
    press(owner, workflow_id, "down-0")
    assert draft(workflow_id)[1]["secret"] == sealed
    press(owner, workflow_id, "Save the draft", {"steps-1-secret": "another secret, longer"})
    assert ring().open(draft(workflow_id)[1]["secret"], SEALED_ABOUT) == "another secret, longer"
    for url in (f"/staff/workflows/{workflow_id}", f"/staff/workflows/{workflow_id}/activate"):
        assert "another secret" not in owner.get(url).get_data(as_text=True)


def test_two_steps_never_share_a_secret(sign_in_as: Any) -> None:
    workflow_id = drafted(CALL, {"type": "webhook", "id": "eee", "url": "https://evil.example/"})
    owner = sign_in_as("owner")
    sent = {**_values(owner.page(edit(workflow_id))), "steps-1-id": "ccc", "do": "save"}
    assert owner.post(edit(workflow_id), data=sent).status_code == 303
    assert not draft(workflow_id)[1]["secret"]


def test_an_account_is_found_without_javascript(sign_in_as: Any) -> None:
    account = make.make_account("Acme")
    workflow_id = drafted({"type": "assign_account", "id": "acc"})
    owner = sign_in_as("owner")
    sent = {**_values(owner.page(edit(workflow_id))), "steps-0-account_q": "acm", "find": "steps-0-account"}
    page = Page(owner.post(edit(workflow_id), data=sent))
    assert "Acme" in page.text
    press(owner, workflow_id, "Save the draft", {"steps-0-account": account.id})
    assert draft(workflow_id)[0]["account"] == account.id
    assert "Acme" in owner.page(f"/staff/workflows/{workflow_id}").text
    press(owner, workflow_id, "Save and activate")
    assert queries.get(workflow_id).activated


def test_a_draft_that_somebody_else_saved_is_shown_beside_yours(sign_in_as: Any) -> None:
    workflow_id = drafted(NOTE, OTHER)
    owner, editor = sign_in_as("owner"), sign_in_as("editor")
    mine = _values(owner.page(edit(workflow_id)))
    press(editor, workflow_id, "Save the draft", {"steps-0-text": "Theirs.", "description": "By the editor."})
    response = owner.post(edit(workflow_id), data={**mine, "steps-0-text": "Mine.", "do": "up-1"})
    assert response.status_code == 409
    page = Page(response)
    both = page.testid("versions").text
    assert "Theirs." in both
    assert "Mine." in both
    assert texts(workflow_id) == ["Theirs.", "Two."]
    assert owner.post(edit(workflow_id), data={**_values(page), "do": "save"}).status_code == 303
    assert texts(workflow_id) == ["Mine.", "Two."]


def test_many_steps_ask_no_more_of_the_database(sign_in_as: Any, statements: Any) -> None:
    make.make_role("Members")
    account = make.make_account("Acme")
    kinds = ("send_email", "add_role", "remove_role", "start_workflow", "assign_account")
    given = [{"type": kind, "id": f"{kind[0]}{at}", "account": account.id} for at in range(6) for kind in kinds]
    workflow_id = drafted(*given)
    owner = sign_in_as("owner")
    with statements() as sent:
        assert owner.get(f"/staff/workflows/{workflow_id}").status_code == 200
    assert len(sent) <= 12
    with statements() as sent:
        assert owner.get(edit(workflow_id)).status_code == 200
    assert len(sent) <= 12


def test_a_step_whose_type_is_gone_can_be_taken_away(sign_in_as: Any) -> None:
    workflow_id = drafted({"type": "telegram", "id": "old"}, NOTE)
    owner = sign_in_as("owner")
    assert "no step of this type" in owner.page(edit(workflow_id)).text
    assert press(owner, workflow_id, "Save and activate").status_code == 422
    assert press(owner, workflow_id, "remove-0").status_code == 303
    assert texts(workflow_id) == ["One."]


def test_a_stale_page_costs_nobody_what_they_typed(sign_in_as: Any) -> None:
    workflow_id = drafted(NOTE)
    owner = sign_in_as("owner")
    sent = {**_values(owner.page(edit(workflow_id))), "csrf_token": "x", "steps-0-text": "Long thought.", "do": "save"}
    response = owner.post(edit(workflow_id), data=sent)
    assert response.status_code == 400
    assert "Long thought." in Page(response).text or "Long thought." in response.get_data(as_text=True)
    assert texts(workflow_id) == ["One."]
