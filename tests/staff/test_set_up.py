from base64 import urlsafe_b64encode
from typing import Any

import pytest
from flask import Flask

from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict
from portal.staff import services
from portal.staff.models import SetUpLink, StaffMember
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.make import PASSWORD, make_staff
from tests.support.pages import Page

CHOSEN = "seven kites over red roofs"
OWNER = {"email": "olga@staff.example", "name": "Olga Owner", "password": CHOSEN, "confirm": CHOSEN}
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def link_for(member: StaffMember | None = None) -> str:
    number = member.id if member else None
    with transaction():
        return services.create_set_up_link(number, SYSTEM, clock.now())


def test_no_change_of_a_token_is_accepted(client: Client, app: Flask) -> None:
    """Each position with several other symbols, the last one with all: it has more than one spelling."""
    head, token = link_for().rsplit("/", 1)
    tries = {token[:i] + c + token[i + 1 :] for i in range(43) for c in "Aa0-_z"} - {token}
    tries |= {token[:-1] + c for c in ALPHABET} - {token}
    tries |= {token + "A", token[:-1], token + "=", token.swapcase(), urlsafe_b64encode(b"\0" * 32).decode()[:43], "x"}
    assert {client.get(f"{head}/{forged}").status_code for forged in tries} == {404}
    assert client.get(f"{head}/{token}").status_code == 200


def test_the_token_of_one_link_does_not_open_another(client: Client, app: Flask) -> None:
    from portal.settings.queries import ring
    from portal.staff import links

    link_for(make_staff(password=None))
    link = db.session.scalars(db.select(SetUpLink)).one()
    for other in (link.id + 1, link.id - 1):
        assert client.get(f"/staff/set-up/{links.token(ring(), link.public_id, other)}").status_code == 404
    assert client.get(f"/staff/set-up/{ring().token(link.public_id, 'other purpose', link.id)}").status_code == 404


def test_a_link_works_once(client: Client, new_client: Any, app: Flask) -> None:
    url = link_for()
    assert client.post_form(url, OWNER).status_code == 303
    late = new_client()
    assert late.get(url).status_code == 410
    token = late.token("/staff/sign-in")
    answer = late.post(url, data={**OWNER, "email": "other@staff.example", "csrf_token": token})
    assert answer.status_code == 410
    assert db.session.scalars(db.select(StaffMember.email)).all() == ["olga@staff.example"]


def test_a_link_lives_72_hours(client: Client, app: Flask, frozen_clock: FrozenClock) -> None:
    member = make_staff(password=None)
    url = link_for(member)
    frozen_clock.move(hours=72, seconds=-1)
    assert client.get(url).status_code == 200
    token = client.token(url)
    frozen_clock.move(seconds=1)
    assert client.get(url).status_code == 410
    answer = client.post(url, data={"csrf_token": token, "password": CHOSEN, "confirm": CHOSEN})
    assert answer.status_code == 410
    assert db.session.get_one(StaffMember, member.id).password_hash is None


def test_a_new_link_ends_the_one_before_but_nobody_elses(client: Client, app: Flask) -> None:
    one, other = make_staff(password=None), make_staff(password=None)
    first, elsewhere, second = link_for(one), link_for(other), link_for(one)
    assert [client.get(url).status_code for url in (first, elsewhere, second)] == [410, 200, 200]


def test_the_link_of_somebody_deactivated_is_over(client: Client, app: Flask) -> None:
    member, by = make_staff("manager", password=None), make_staff().actor(None)
    url = link_for(member)
    with transaction():
        services.deactivate(member.id, None, by, clock.now())
    assert client.get(url).status_code == 410
    with transaction(), pytest.raises(Conflict):
        services.create_set_up_link(member.id, SYSTEM, clock.now())


def test_a_site_with_an_owner_gets_no_first_one(client: Client, app: Flask) -> None:
    url = link_for()
    make_staff("viewer")
    assert client.get(url).status_code == 410
    with transaction(), pytest.raises(Conflict):
        services.create_set_up_link(None, SYSTEM, clock.now())


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ({"email": ""}, {"email"}),
        ({"email": "not an address"}, {"email"}),
        ({"email": "a@x.example,b@x.example"}, {"email"}),
        ({"name": "  "}, {"name"}),
        ({"name": "x" * 101}, {"name"}),
        ({"name": "www.evil.example"}, {"name"}),
        ({"name": "Olga\x0bX-Evil: yes"}, {"name"}),
        ({"password": "short", "confirm": "short"}, {"password"}),
        ({"password": "olga owner 2026", "confirm": "olga owner 2026"}, {"password"}),
        ({"confirm": "something else entirely"}, {"confirm"}),
        ({"password": "x" * 300, "confirm": "x" * 300}, {"password"}),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_wrong_is_said_beside_the_field_and_uses_up_nothing(
    client: Client, app: Flask, typed: dict[str, str], fields: set[str]
) -> None:
    url = link_for()
    answer = client.post_form(url, {**OWNER, **typed})
    page = Page(answer)
    assert (page.status, set(page.errors)) == (422, fields)
    assert CHOSEN not in page.html
    assert db.session.scalars(db.select(StaffMember)).all() == []
    assert client.post_form(url, OWNER).status_code == 303


def test_an_address_that_somebody_has_is_refused(client: Client, app: Flask) -> None:
    make_staff(email="olga@staff.example", password=None, name="Somebody Waiting")
    page = Page(client.post_form(link_for(), {**OWNER, "email": "OLGA@staff.example"}))
    assert page.status == 422
    assert "email" in page.errors


def test_looking_at_the_link_changes_nothing(client: Client, app: Flask, dump: Any) -> None:
    url = link_for()
    before = dump()
    for _ in range(3):
        assert client.get(url).status_code == 200
        assert client.head(url).status_code == 200
        client.options(url)
        client.post(url)
    assert dump() == before


def test_the_first_owner_is_made_and_signed_in(client: Client, app: Flask, frozen_clock: FrozenClock) -> None:
    answer = client.post_form(link_for(), {**OWNER, "role": "viewer", "id": "7", "active": ""})
    assert (answer.status_code, location(answer)) == (303, "/staff/")
    owner = db.session.scalars(db.select(StaffMember)).one()
    assert (owner.name, owner.role, owner.active, owner.signed_in_at) == ("Olga Owner", "owner", True, frozen_clock.now)
    assert "Welcome" in client.page("/staff/").text
    actions = db.session.scalars(db.select(JournalEntry.action).order_by(JournalEntry.id)).all()
    assert actions == ["staff.link-created", "staff.added", "staff.set-up", "sign-in.ok"]


def test_an_invited_person_sets_their_password_and_keeps_their_role(
    client: Client, app: Flask, new_client: Any
) -> None:
    make_staff()
    member = make_staff("viewer", password=None, email="vera@staff.example")
    url = link_for(member)
    page = client.page(url)
    assert "vera@staff.example" in page.text
    assert not {"email", "name", "role"} & page.form(url).names
    answer = client.post_form(url, {"password": CHOSEN, "confirm": CHOSEN})
    assert location(answer) == "/staff/"
    assert client.get("/staff/people/").status_code == 403
    typed = {"email": "vera@staff.example", "password": CHOSEN}
    assert new_client().post_form("/staff/sign-in", typed).status_code == 303


def test_a_link_for_somebody_with_a_password_replaces_it_and_ends_their_sessions(
    client: Client, sign_in_as: Any, persona: Any
) -> None:
    open_session = sign_in_as("manager")
    url = link_for(persona("manager"))
    assert client.post_form(url, {"password": CHOSEN, "confirm": CHOSEN}).status_code == 303
    assert open_session.get("/staff/").status_code == 303
    old = {"email": "manager@staff.example", "password": PASSWORD}
    client.post_form("/staff/sign-out", page="/staff/")
    assert client.post_form("/staff/sign-in", old).status_code == 422
