import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from flask import Flask

from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import SYSTEM, Actor
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict, Invalid, Stale
from portal.staff import queries, services
from portal.staff.models import StaffMember
from portal.staff.services import StaffValues, people
from portal.web.sessions import ServerSession
from tests.support.clients import Client, location
from tests.support.make import make_contact, make_invitation, make_staff
from tests.support.pages import Page

NEW = {"email": "nina@staff.example", "name": "Nina New", "role": "manager"}


def get(number: int) -> StaffMember:
    return db.session.get_one(StaffMember, number)


@pytest.fixture
def owner(sign_in_as: Any) -> Client:
    browser: Client = sign_in_as("owner")
    return browser


@pytest.mark.parametrize("who", ["manager", "editor", "viewer", "nobody", "invitee"])
@pytest.mark.sqlite_only
def test_only_owners_see_and_change_people(sign_in_as: Any, persona: Any, who: str) -> None:
    number = persona("owner").id
    browser = sign_in_as(who)
    refused = 303 if who in ("nobody", "invitee") else 403
    for url in ("", "new", f"{number}", f"{number}/edit", f"{number}/deactivate"):
        assert browser.get(f"/staff/people/{url}").status_code == refused
    token = browser.token("/staff/profile") if refused == 403 else browser.token("/staff/sign-in")
    for url in ("new", f"{number}/edit", f"{number}/deactivate", f"{number}/activate", f"{number}/link"):
        answer = browser.post(f"/staff/people/{url}", data={**NEW, "csrf_token": token, "version": "1"})
        assert answer.status_code == refused
    assert get(number).role == "owner"
    assert queries.by_email("nina@staff.example") is None


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"email": ""}, "email"),
        ({"email": "nina"}, "email"),
        ({"email": "Nina <nina@staff.example>"}, "email"),
        ({"email": "nina@staff.example\x00"}, "email"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "Nina http://evil"}, "name"),
        ({"role": ""}, "role"),
        ({"role": "root"}, "role"),
        ({"role": None}, "role"),
    ],
)
@pytest.mark.sqlite_only
def test_a_person_that_cannot_be_added_is_refused_beside_the_field(owner: Client, typed: Any, field: str) -> None:
    page = Page(owner.post_form("/staff/people/new", {**NEW, **typed}))
    assert (page.status, list(page.errors)) == (422, [field])
    assert len(queries.rows()) == 1


def test_an_address_belongs_to_one_person_in_any_spelling(owner: Client) -> None:
    page = Page(owner.post_form("/staff/people/new", {**NEW, "email": "OWNER@STAFF.example"}))
    assert page.status == 422
    assert "Owner Persona" in page.errors["email"]


def test_adding_shows_the_set_up_link_once_and_keeps_it_out_of_address_and_cookie(
    owner: Client, client: Client
) -> None:
    answer = owner.post_form("/staff/people/new", {**NEW, "password_hash": "x", "active": "", "epoch": "5"})
    assert answer.status_code == 303
    first = owner.get(location(answer))
    shown = re.search(r"http://[^\s<\"]+/staff/set-up/[\w-]{43}", first.text)
    assert shown
    assert first.headers["Cache-Control"] == "no-store"
    assert "set-up" not in str(answer.headers)
    assert "/staff/set-up/" not in owner.get(location(answer)).text
    path = shown[0].partition("//")[2].partition("/")[2]
    assert client.get(f"/{path}").status_code == 200
    kept = db.session.scalars(db.select(ServerSession.data)).all()
    assert "set-up/" not in str(kept)
    entries = db.session.scalars(db.select(JournalEntry).where(JournalEntry.action.like("staff.%"))).all()
    assert {entry.action for entry in entries} == {"staff.added", "staff.link-created"}
    assert shown[0].rsplit("/", 1)[1] not in str([(entry.text, entry.detail) for entry in entries])


def test_the_link_is_not_readable_in_the_database_while_it_waits_to_be_shown(owner: Client) -> None:
    owner.post_form("/staff/people/new", NEW)
    assert "set-up/" not in str(db.session.scalars(db.select(ServerSession.data)).all())


def test_of_several_who_add_the_same_address_at_once_one_succeeds(app: Flask) -> None:
    def add(n: int) -> str:
        with app.app_context():
            try:
                with transaction():
                    services.add(services.StaffValues("nina@staff.example", f"Nina {n}", "viewer"), SYSTEM, clock.now())
            except Invalid:
                return "refused"
            return "done"

    with ThreadPoolExecutor(4) as crowd:
        assert sorted(crowd.map(add, range(4))) == ["done", "refused", "refused", "refused"]


def test_another_persons_page_does_not_show_the_link(owner: Client, persona: Any) -> None:
    answer = owner.post_form("/staff/people/new", NEW)
    assert "/staff/set-up/" not in owner.get(f"/staff/people/{persona('manager').id}").text
    owner.head(location(answer))
    assert "/staff/set-up/" in owner.get(location(answer)).text


def test_a_person_who_does_not_exist_is_not_found(owner: Client) -> None:
    token = owner.token("/staff/profile")
    for url in ("999", "999/edit", "999/deactivate", f"{2**31}", "9" * 30):
        assert owner.get(f"/staff/people/{url}").status_code == 404
    for url in ("999/edit", "999/deactivate", "999/activate", "999/link"):
        data = {**NEW, "csrf_token": token, "version": "1"}
        assert owner.post(f"/staff/people/{url}", data=data).status_code == 404


@pytest.mark.parametrize("version", ["", "x", "-1", "1.5", "9" * 12, None])
@pytest.mark.sqlite_only
def test_an_edit_without_its_version_is_refused(owner: Client, persona: Any, version: str | None) -> None:
    number = persona("viewer").id
    answer = owner.post_form(f"/staff/people/{number}/edit", {"name": "Changed", "version": version})
    assert answer.status_code == 422
    assert get(number).name == "Viewer Persona"


def test_a_stale_edit_shows_both_versions_and_saves_nothing(owner: Client, persona: Any) -> None:
    number = persona("viewer").id
    url = f"/staff/people/{number}/edit"
    token = owner.token(url)
    assert owner.post_form(url, {"name": "Theirs", "role": "editor"}).status_code == 303
    mine = {"csrf_token": token, "version": "1", "name": "Mine", "email": "viewer@staff.example", "role": "viewer"}
    answer = owner.post(url, data=mine)
    page = Page(answer)
    assert page.status == 409
    assert "Theirs" in page.text
    assert "Template editor" in page.text
    assert page.form(url).values["name"] == ["Mine"]
    assert (get(number).name, get(number).role) == ("Theirs", "editor")
    again = {name: values[0] for name, values in page.form(url).values.items()}
    assert owner.post(url, data=again).status_code == 303
    assert get(number).name == "Mine"


def test_the_last_owner_keeps_the_role(owner: Client, persona: Any) -> None:
    number = persona("owner").id
    make_staff("owner", active=False)
    make_staff("owner", password=None)
    page = Page(owner.post_form(f"/staff/people/{number}/edit", {"role": "viewer"}))
    assert page.status == 422
    assert "last owner" in page.errors["role"]
    make_staff("owner")
    assert owner.post_form(f"/staff/people/{number}/edit", {"role": "viewer"}).status_code == 303
    assert owner.get("/staff/").status_code == 303


def test_nobody_deactivates_the_last_owner_or_themselves(owner: Client, persona: Any) -> None:
    number = persona("owner").id
    make_staff("owner", password=None)
    with transaction(), pytest.raises(Conflict, match="last owner"):
        services.deactivate(number, None, Actor("system", None, "Somebody"), clock.now())
    make_staff("owner")
    answer = owner.post_form(f"/staff/people/{number}/deactivate")
    assert answer.status_code == 409
    assert "yourself" in answer.text
    assert get(number).active
    assert not owner.page(f"/staff/people/{number}").has_button("Deactivate")


def test_two_owners_cannot_take_the_role_from_each_other_at_once(app: Flask) -> None:
    one, two = make_staff("owner"), make_staff("owner")
    pairs = [(one.id, two.actor(None), two.email), (two.id, one.actor(None), one.email)]
    emails = {one.id: one.email, two.id: two.email}

    def demote(pair: tuple[int, Actor, str]) -> str:
        number, by, _email = pair
        with app.app_context():
            try:
                with transaction():
                    values = services.StaffValues(emails[number], "Somebody", "viewer")
                    services.change(number, values, 1, by, clock.now())
            except Invalid:
                return "refused"
            return "done"

    with ThreadPoolExecutor(2) as crowd:
        assert sorted(crowd.map(demote, pairs)) == ["done", "refused"]


def test_of_two_edits_at_once_the_second_is_stale(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    by, number = make_staff("owner").actor(None), make_staff("manager").id
    both, check = Barrier(2, timeout=1), people._check

    def slowly(*values: Any) -> None:
        with suppress(BrokenBarrierError):  # the other one waits for its turn, or refuses by itself
            both.wait()
        check(*values)

    def edit(name: str) -> str:
        with app.app_context():
            try:
                with transaction():
                    services.change(number, StaffValues(f"{name}@staff.example", name, "manager"), 1, by, clock.now())
            except Stale:
                return "stale"
            return "saved"

    monkeypatch.setattr(people, "_check", slowly)
    with ThreadPoolExecutor(2) as crowd:
        assert sorted(crowd.map(edit, ["one", "two"])) == ["saved", "stale"]


def test_changes_are_journalled_with_both_values(owner: Client, persona: Any) -> None:
    number = persona("viewer").id
    owner.post_form(f"/staff/people/{number}/edit", {"name": "Vera", "email": "vera@staff.example", "role": "manager"})
    entry = db.session.scalars(db.select(JournalEntry).where(JournalEntry.action == "staff.changed")).one()
    assert entry.detail["changes"] == {
        "email": ["viewer@staff.example", "vera@staff.example"],
        "name": ["Viewer Persona", "Vera"],
        "role": ["viewer", "manager"],
    }
    assert entry.actor_name == "Owner Persona"
    assert get(number).email_key == "vera@staff.example"


def test_saving_without_a_change_says_nothing_and_ends_no_session(
    owner: Client, persona: Any, sign_in_as: Any, dump: Any
) -> None:
    theirs, number = sign_in_as("viewer"), persona("viewer").id
    before = dump()
    assert owner.post_form(f"/staff/people/{number}/edit", {}).status_code == 303
    assert dump() == before
    assert theirs.get("/staff/").status_code == 200


def test_deactivating_asks_first_and_says_what_happens(owner: Client, persona: Any, dump: Any) -> None:
    number = persona("manager").id
    before = dump()
    page = owner.page(f"/staff/people/{number}/deactivate")
    assert "Manager Persona" in page.heading
    assert dump() == before


def test_somebody_without_invitations_leaves_and_comes_back(owner: Client, persona: Any, sign_in_as: Any) -> None:
    theirs, number = sign_in_as("viewer"), persona("viewer").id
    answer = owner.post_form(f"/staff/people/{number}/deactivate")
    assert location(answer) == f"/staff/people/{number}"
    assert theirs.get("/staff/").status_code == 303
    token = owner.token("/staff/profile")
    again = owner.post(f"/staff/people/{number}/deactivate", data={"csrf_token": token})
    assert again.status_code == 409
    assert owner.post_form(f"/staff/people/{number}/activate", page=f"/staff/people/{number}").status_code == 303
    assert owner.post(f"/staff/people/{number}/activate", data={"csrf_token": token}).status_code == 409
    assert sign_in_as("viewer").get("/staff/").status_code == 200
    assert theirs.get("/staff/").status_code == 303


@pytest.fixture
def handed(app: Flask) -> Iterator[list[tuple[int, int | None, str]]]:
    """What was asked of the invitations' slice, in place of it."""
    calls: list[tuple[int, int | None, str]] = []

    def hand_over(staff_id: int, to_staff_id: int | None, by: Actor, now: datetime) -> int:
        calls.append((staff_id, to_staff_id, by.name))
        return 3

    before = {name: app.extensions.get(name) for name in ("hand_over", "open_invitations")}
    app.extensions.update(hand_over=hand_over, open_invitations=lambda staff_id: 3)
    yield calls
    for name, value in before.items():
        if value is None:
            del app.extensions[name]
        else:
            app.extensions[name] = value


def test_open_invitations_must_be_decided_upon(owner: Client, persona: Any, handed: Any) -> None:
    number = persona("manager").id
    url = f"/staff/people/{number}/deactivate"
    heir, viewer, gone = make_staff("manager"), make_staff("viewer"), make_staff("manager", active=False)
    page = owner.page(url)
    assert "3 open invitations" in page.text
    offered = [option.attrs["value"] for option in page.first("select").all("option")]
    assert set(offered) == {str(heir.id), str(persona("owner").id)}
    for typed in (
        {"to": str(heir.id)},
        {"invitations": "nothing", "to": str(heir.id)},
        {"invitations": "hand-over", "to": None},
        {"invitations": "hand-over", "to": str(viewer.id)},
        {"invitations": "hand-over", "to": str(gone.id)},
        {"invitations": "hand-over", "to": str(number)},
        {"invitations": "hand-over", "to": "x"},
    ):
        assert owner.post_form(url, typed).status_code == 422
    assert get(number).active
    assert handed == []


@pytest.mark.parametrize("choice", ["hand-over", "deactivate"])
def test_open_invitations_go_with_the_deactivation(owner: Client, persona: Any, handed: Any, choice: str) -> None:
    number, heir = persona("manager").id, make_staff("manager").id
    answer = owner.post_form(f"/staff/people/{number}/deactivate", {"invitations": choice, "to": str(heir)})
    assert answer.status_code == 303
    assert not get(number).active
    assert handed == [(number, heir if choice == "hand-over" else None, "Owner Persona")]


def test_when_handing_over_fails_nobody_is_deactivated(app: Flask, owner: Client, persona: Any, handed: Any) -> None:
    def refuse(*_: object) -> int:
        raise Conflict("not now")

    app.extensions["hand_over"] = refuse
    number = persona("manager").id
    answer = owner.post_form(f"/staff/people/{number}/deactivate", {"invitations": "deactivate"})
    assert answer.status_code == 409
    assert get(number).active


def test_the_five_open_invitations_of_somebody_who_leaves_are_inactive(owner: Client, persona: Any) -> None:
    from portal.invitations.models import Invitation

    manager = persona("manager")
    for _ in range(5):
        make_invitation(make_contact(), owner=manager, sent=True)
    url = f"/staff/people/{manager.id}/deactivate"
    assert "5 open invitations" in owner.page(url).text
    assert owner.post_form(url, {"invitations": "deactivate"}).status_code == 303
    found = db.session.scalars(db.select(Invitation)).all()
    assert all(invitation.deactivated_at and invitation.deactivated_why for invitation in found)


def test_an_heir_owns_the_invitations(owner: Client, persona: Any) -> None:
    from portal.invitations.models import Invitation

    manager, heir = persona("manager"), make_staff("manager")
    invitation = make_invitation(make_contact(), owner=manager, sent=True)
    typed = {"invitations": "hand-over", "to": str(heir.id)}
    assert owner.post_form(f"/staff/people/{manager.id}/deactivate", typed).status_code == 303
    found = db.session.get_one(Invitation, invitation.id)
    assert (found.owner_id, found.deactivated_at) == (heir.id, None)


def test_another_address_ends_set_up_links(owner: Client, client: Client, persona: Any) -> None:
    answer = owner.post_form("/staff/people/new", NEW)
    link = re.search(r"/staff/set-up/[\w-]{43}", owner.get(location(answer)).text)
    assert link
    assert owner.post_form(f"{location(answer)}/edit", {"email": "else@staff.example"}).status_code == 303
    assert client.get(link[0]).status_code == 410


def test_who_may_own_and_who_is_active_with_a_permission(app: Flask) -> None:
    manager, viewer, gone = make_staff("manager"), make_staff("viewer"), make_staff("owner", active=False)
    assert [queries.may_own(one.id) for one in (manager, viewer, gone)] == [True, False, False]
    assert not queries.may_own(999)
    assert [one.id for one in queries.active_with("send")] == [manager.id]


def test_the_pages_need_few_statements(owner: Client, statements: Any) -> None:
    for _ in range(20):
        make_staff("viewer")
    with statements() as sent:
        owner.page("/staff/people/")
    assert len(sent) <= 12


def test_looking_writes_nothing(owner: Client, persona: Any, dump: Any) -> None:
    number = persona("viewer").id
    before = dump()
    for url in ("", "new", f"{number}", f"{number}/edit", f"{number}/deactivate"):
        owner.get(f"/staff/people/{url}")
        owner.head(f"/staff/people/{url}")
    assert dump() == before
