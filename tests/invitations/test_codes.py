"""The code: masked, shown on demand and noted, copied as a link, found again; never anywhere else."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.invitations import services
from portal.invitations.models import Invitation
from portal.journal.models import JournalEntry
from portal.journal.queries import timeline
from portal.kernel import clock, codes
from portal.kernel.db import db, transaction
from portal.kernel.errors import Forbidden
from tests.support import make
from tests.support.clients import Client
from tests.support.pages import Page

SignIn = Callable[..., Client]

FIND = "/staff/invitations/find"


@pytest.fixture
def invitation(app: Flask):
    return make.make_invitation(
        make.make_contact("Anna", "Weber"), name="Spring", code="7K3M-9QXR-T2VD-8HNC", sent=True
    )


@pytest.fixture
def owner(sign_in_as: SignIn) -> Client:
    return sign_in_as("owner")


def deeds() -> list[str]:
    db.session.rollback()
    return list(
        db.session.scalars(db.select(JournalEntry.action).filter(JournalEntry.action.startswith("invitation.")))
    )


@pytest.mark.parametrize("who", ["viewer", "editor"])
@pytest.mark.parametrize("act", ["show-code", "copy-link"])
def test_without_the_right_there_are_dots_nowhere_and_no_code(
    sign_in_as: SignIn, invitation: Invitation, who: str, act: str
):
    """T51."""
    browser, here = sign_in_as(who), f"/staff/invitations/{invitation.id}"
    page = browser.page(here)
    assert not page.has_button("Show code")
    assert not page.has_button("Copy link")
    assert "8HNC" not in page.html
    assert "••••" not in page.text
    token = browser.token("/staff/invitations/?view=all") if page.posts else ""
    assert browser.get(f"{here}/{act}").status_code == 403
    response = browser.post(f"{here}/{act}", data={"csrf_token": token})
    assert response.status_code == 403
    assert "8HNC" not in response.get_data(as_text=True)
    assert deeds() == []


def test_the_service_refuses_as_well(app: Flask, invitation: Invitation):
    viewer = make.make_staff("viewer").actor(None)
    for act in (services.show_code, services.copy_link):
        with pytest.raises(Forbidden), transaction():
            act(invitation.id, viewer, clock.now())
    with pytest.raises(Forbidden), transaction():
        services.find_by_code("7K3M-9QXR-T2VD-8HNC", viewer, clock.now())


@pytest.mark.parametrize("act", ["show-code", "copy-link"])
def test_who_may_not_give_its_role_does_not_see_its_code_either(sign_in_as: SignIn, app: Flask, act: str):
    """T11: with the code, a manager would redeem what only an owner may give."""
    board = make.make_role("Board", managers_may_grant=False)
    made = make.make_invitation(make.make_contact("Anna", "Weber"), code="7K3M-9QXR-T2VD-8HNC", roles=[board])
    manager, here = sign_in_as("manager"), f"/staff/invitations/{made.id}"
    page = manager.page(here)
    assert not page.has_button("Show code")
    assert not page.has_button("Copy link")
    response = manager.post(f"{here}/{act}", data={"csrf_token": manager.token(here)})
    assert response.status_code == 403
    assert "8HNC" not in response.get_data(as_text=True)
    assert deeds() == []


@pytest.mark.parametrize("act", ["show-code", "copy-link"])
def test_asking_alone_shows_and_notes_nothing(owner: Client, invitation: Invitation, act: str):
    page = owner.page(f"/staff/invitations/{invitation.id}/{act}")
    assert "8HNC" not in page.html
    assert deeds() == []


def test_without_the_token_it_is_not_shown(owner: Client, invitation: Invitation):
    response = owner.post(f"/staff/invitations/{invitation.id}/show-code")
    assert response.status_code == 400
    assert deeds() == []


@pytest.mark.parametrize(
    "typed", ["", " ", "x", "x" * 201, "7K3M-9QXR-T2VD-8HND", "\x00", "😀", "%", "x" * 100_000, "7K3M"]
)
def test_a_code_nobody_has_is_not_found(owner: Client, invitation: Invitation, typed: str):
    response = owner.post_form(FIND, {"code": typed})
    assert response.status_code == 422
    assert "code" in Page(response).errors
    assert deeds() == []


@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_finding_needs_the_right(sign_in_as: SignIn, invitation: Invitation, who: str):
    browser = sign_in_as(who)
    assert browser.get(FIND).status_code == 403
    assert not browser.page("/staff/invitations/").has_button("Find by code")


def test_a_code_in_the_search_finds_nothing(owner: Client, invitation: Invitation):
    for text in ("7K3M-9QXR-T2VD-8HNC", "7K3M9QXRT2VD8HNC", "8HNC", "NC"):
        page = owner.page(f"/staff/invitations/?view=all&q={text}")
        assert "No invitation matches" in page.text


def test_the_code_is_on_no_page_and_in_no_journal(owner: Client, invitation: Invitation):
    owner.post_form(f"/staff/invitations/{invitation.id}/show-code")
    owner.post_form(FIND, {"code": "7k3m9qxrt2vd8hnc"})
    owner.post_form(f"/staff/invitations/{invitation.id}/send")
    here = f"/staff/invitations/{invitation.id}"
    pages = ["/staff/invitations/?view=all", here, f"{here}/edit", f"{here}/send", "/staff/journal/", "/staff/outbox/"]
    for url in [*pages, "/staff/"]:
        html = owner.page(url).html
        assert "9QXR" not in html, url
        assert "7K3M" not in html, url


def test_the_record_shows_only_its_end(owner: Client, invitation: Invitation):
    page = owner.page(f"/staff/invitations/{invitation.id}")
    assert page.testid("code-hint").text == "••••-••••-••••-NC"


def test_showing_answers_once_uncached_and_is_noted(
    owner: Client, invitation: Invitation, persona: Callable[[str], Any]
):
    response = owner.post_form(
        f"/staff/invitations/{invitation.id}/show-code", page=f"/staff/invitations/{invitation.id}"
    )
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert "7K3M-9QXR-T2VD-8HNC" in Page(response).testid("secret").text
    (line,) = timeline("invitation", invitation.id)
    assert (line.action, line.actor) == ("invitation.code-shown", persona("owner").name)
    entry = db.session.get(JournalEntry, line.id)
    assert entry.ip == "127.0.0.1"


def test_a_manager_may_show_it_too(sign_in_as: SignIn, invitation: Invitation):
    response = sign_in_as("manager").post_form(f"/staff/invitations/{invitation.id}/show-code")
    assert "7K3M-9QXR-T2VD-8HNC" in response.get_data(as_text=True)


def test_the_link_to_copy_carries_the_code_at_this_sites_address(owner: Client, invitation: Invitation):
    response = owner.post_form(f"/staff/invitations/{invitation.id}/copy-link")
    assert response.headers["Cache-Control"] == "no-store"
    text = Page(response).testid("secret").text
    assert "http://localhost/redeem?code=7K3M-9QXR-T2VD-8HNC" in text
    assert "/i/" not in text  # a link token is never shown to staff
    assert timeline("invitation", invitation.id)[0].action == "invitation.link-copied"


def test_a_code_of_ones_own_with_odd_signs_is_quoted_in_the_link(owner: Client):
    made = make.make_invitation(make.make_contact(), code="Summer: party/2026 plus")
    text = Page(owner.post_form(f"/staff/invitations/{made.id}/copy-link")).testid("secret").text
    assert "http://localhost/redeem?code=Summer%3A%20party/2026%20plus" in text


@pytest.mark.parametrize("typed", ["7K3M-9QXR-T2VD-8HNC", "7k3m 9qxr t2vd 8hnc", "７Ｋ３Ｍ９ＱＸＲＴ２ＶＤ８ＨＮＣ"])
def test_finding_leads_to_the_record_and_is_noted(owner: Client, invitation: Invitation, typed: str):
    make.make_invitation(make.make_contact())
    response = owner.post_form(FIND, {"code": typed})
    assert response.status_code == 303
    assert response.headers["Location"].endswith(f"/staff/invitations/{invitation.id}")
    assert deeds() == ["invitation.found-by-code"]


def test_after_a_key_rotation_old_codes_are_found_shown_and_still_taken(
    app: Flask, owner: Client, invitation: Invitation
):
    from dataclasses import replace

    from portal.kernel.secrets_ import KeyRing, new_ring

    before = app.config["PORTAL_SETTINGS"]
    fresh = new_ring()
    app.config["PORTAL_SETTINGS"] = replace(before, keys=KeyRing(fresh.current, {**fresh.keys, **before.keys.keys}))
    assert owner.post_form(FIND, {"code": "7K3M9QXRT2VD8HNC"}).status_code == 303
    shown = owner.post_form(f"/staff/invitations/{invitation.id}/show-code")
    assert "7K3M-9QXR-T2VD-8HNC" in shown.get_data(as_text=True)
    typed = {"name": "Again", "type": "group", "code": "7K3M9QXRT2VD8HNC"}
    assert "code" in Page(owner.post_form("/staff/invitations/new", typed)).errors


def test_fifty_saves_of_one_code_at_once_make_one_invitation(app: Flask, database: Any):
    """On PostgreSQL really at once; on SQLite one writer waits for the other."""
    from concurrent.futures import ThreadPoolExecutor

    from portal.invitations.models import Invitation
    from portal.invitations.queries.values import InvitationValues
    from portal.kernel.errors import Invalid

    owner = make.make_staff("owner")
    by, spellings = owner.actor(None), ["Summer-Party-2026", "SUMMER PARTY 2O26", "summerparty2026"]

    def save(number: int) -> str:
        with app.app_context():
            values = InvitationValues(name=f"No {number}", type="group", owner_id=by.id, code=spellings[number % 3])
            try:
                with transaction():
                    services.create(values, by, clock.now())
            except Invalid as refused:
                return ",".join(refused.fields)
            finally:
                db.session.remove()
            return "made"

    with ThreadPoolExecutor(10) as pool:
        outcomes = list(pool.map(save, range(50)))
    assert sorted(set(outcomes)) == ["code", "made"]
    assert outcomes.count("made") == 1
    db.session.rollback()
    (made,) = db.session.scalars(db.select(Invitation))
    assert codes.normalise(make.code_of(made)) == "SUMMERPARTY2026"
