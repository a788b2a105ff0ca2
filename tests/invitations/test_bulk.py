"""The same act on the ticked rows: a dialog first, then the deed, once."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from werkzeug.test import TestResponse

from portal.invitations.models import Invitation
from portal.kernel.db import db
from portal.mail.models import Message
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.pages import Page

SignIn = Callable[..., Client]

BULK = "/staff/invitations/bulk"


@pytest.fixture
def owner(sign_in_as: SignIn, frozen_clock: FrozenClock) -> Client:
    return sign_in_as("owner")


def post(browser: Client, action: str, ids: Iterable[Any], **more: Any):
    token = browser.token("/staff/invitations/find") if "csrf_token" not in more else more.pop("csrf_token")
    return browser.post(BULK, data={"csrf_token": token, "action": action, "ids": list(ids), **more})


def confirm(browser: Client, dialog: TestResponse):
    """Press the button of the dialog an answer holds."""
    return browser.post(BULK, data=Page(dialog).form(BULK).values)


def messages() -> list[Message]:
    db.session.rollback()
    return list(db.session.scalars(db.select(Message)))


def three() -> list[int]:
    return [make.make_invitation(make.make_contact(name), name=f"For {name}").id for name in ("Anna", "Ben", "Cleo")]


@pytest.mark.sqlite_only
@pytest.mark.parametrize("action", ["", "remind-me", "assign-owner", "delete", "SEND"])
def test_an_act_that_is_none(owner: Client, action: str):
    assert post(owner, action, three(), confirm=1).status_code == 422
    assert messages() == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize("ids", [[], ["x"], ["-1"], ["99999999999999999999"]])
def test_nothing_ticked(owner: Client, ids: list[str]):
    assert post(owner, "send", ids).status_code == 422


@pytest.mark.sqlite_only
def test_more_than_a_page_holds(owner: Client):
    assert post(owner, "deactivate", range(1, 202), confirm=1).status_code == 422


def test_without_the_token(owner: Client):
    assert post(owner, "deactivate", three(), confirm=1, csrf_token="").status_code == 400


@pytest.mark.sqlite_only
@pytest.mark.parametrize("action", ["send", "deactivate", "activate"])
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_without_the_right(sign_in_as: SignIn, who: str, action: str, dump: Callable[[], Any]):
    ids, browser = three(), sign_in_as(who)
    assert "data-bulk-row" not in browser.page("/staff/invitations/?view=all").html
    before = dump()
    token = browser.token("/staff/invitations/?view=all")
    assert post(browser, action, ids, confirm=1, csrf_token=token).status_code == 403
    assert dump() == before


def test_the_dialog_says_what_happens_and_writes_nothing(owner: Client, dump: Callable[[], Any]):
    ids = [*three(), make.make_invitation(make.make_contact("Silent", email1=None), name="For Silent").id]
    ids.append(make.make_invitation(make.make_contact(), name="Dead", deactivated=True).id)
    owner.token("/staff/invitations/find")
    before = dump()
    response = post(owner, "send", ids)
    assert response.status_code == 200
    page = Page(response)
    assert "3 e-mails will be sent." in page.text
    plans = page.testid("plans").text
    assert "Silent has no e-mail address" in plans
    assert "Dead Not sent: This invitation is inactive" in plans
    assert dump() == before


def test_the_dialog_asks_the_same_few_questions_for_any_number(owner: Client, statements: Callable[[], Any]):
    few, many = three(), [make.make_invitation(make.make_contact(), roles=[make.make_role()]).id for _ in range(20)]
    counted = []
    for ids in (few, many):
        token = owner.token("/staff/invitations/find")
        with statements() as sent:
            assert post(owner, "send", ids, csrf_token=token).status_code == 200
        counted.append(len(sent))
    assert counted[0] == counted[1] <= 12


def test_confirmed_it_sends_each_once(owner: Client):
    dialog = post(owner, "send", three(), view="new")
    page = owner.follow(confirm(owner, dialog))
    assert any("3 e-mails are on their way" in toast for toast in page.toasts)
    assert len(messages()) == 3
    assert all(one.sent_at for one in db.session.scalars(db.select(Invitation)))


def test_pressed_twice_it_sends_once(owner: Client):
    """T47."""
    dialog = post(owner, "send", three())
    for press in range(2):
        page = owner.follow(confirm(owner, dialog))
        assert any(("on their way" if press == 0 else "queued already") in toast for toast in page.toasts)
    assert len(messages()) == 3


def test_when_all_have_had_three_it_is_too_fast(owner: Client):
    ids = three()
    for invitation_id in ids:
        for contact_id in [invitation_id]:
            contact = db.session.get(type(make.make_contact()), contact_id)
            for _ in range(3):
                make.make_message(contact=contact, about_kind="invitation", about_id=invitation_id, state="sent")
    response = post(owner, "send", ids, confirm=1, send_key="again")
    assert response.status_code == 429
    assert "Retry-After" in response.headers
    assert len(messages()) == 9


def test_one_that_may_not_be_given_is_left_out(sign_in_as: SignIn):
    admin = make.make_role("Admin", managers_may_grant=False)
    boss = make.make_staff("owner")
    powerful = make.make_invitation(make.make_contact("Eve"), owner=boss, roles=[admin]).id
    plain = make.make_invitation(make.make_contact("Anna"), owner=boss).id
    manager = sign_in_as("manager")
    page = manager.follow(confirm(manager, post(manager, "send", [powerful, plain])))
    assert any("1 e-mail is on its way. 1 invitation was not sent." in toast for toast in page.toasts)
    assert [m.about_id for m in messages()] == [plain]


def test_nothing_sendable_has_no_button(owner: Client):
    silent = make.make_invitation(make.make_contact(email1=None)).id
    dialog = post(owner, "send", [silent])
    assert not Page(dialog).has_button("OK")
    page = owner.follow(post(owner, "send", [silent], confirm=1))
    assert any("Nothing was sent" in toast for toast in page.toasts)
    assert db.session.get(Invitation, silent).sent_at is None


def test_those_that_vanished_are_passed_over(owner: Client):
    ids = three()
    assert post(owner, "deactivate", [*ids, 999_999], confirm=1).status_code == 303
    assert all(one.deactivated_at for one in db.session.scalars(db.select(Invitation)))


def test_deactivate_and_activate(owner: Client):
    ids = three()
    dialog = post(owner, "deactivate", ids, view="all")
    assert "For Ben" in Page(dialog).testid("changed").text
    page = owner.follow(confirm(owner, dialog))
    assert any("3 invitations deactivated" in toast for toast in page.toasts)
    page = owner.follow(confirm(owner, post(owner, "activate", ids[:2], view="inactive")))
    assert any("2 invitations activated" in toast for toast in page.toasts)
    states = {one.id: one.deactivated_at is not None for one in db.session.scalars(db.select(Invitation))}
    assert states == {ids[0]: False, ids[1]: False, ids[2]: True}


def test_it_leads_back_to_the_view_it_came_from(owner: Client):
    response = post(owner, "deactivate", three(), confirm=1, view="new")
    assert response.headers["Location"].endswith("?view=new")
    response = post(owner, "activate", [1], confirm=1, view="//evil.example")
    assert response.headers["Location"].endswith("?view=open")


def test_the_ticked_rows_of_a_page_are_sent_through_its_own_form(owner: Client):
    ids = three()
    page = owner.page("/staff/invitations/?view=new")
    form = {**page.form(BULK).values, "ids": [str(one) for one in ids[:2]], "action": "send"}
    response = owner.post(BULK, data=form)
    assert response.status_code == 200
    assert "2 e-mails will be sent." in Page(response).text


def test_over_htmx_the_dialog_is_a_fragment(owner: Client):
    token = owner.token("/staff/invitations/find")
    data = {"csrf_token": token, "action": "send", "ids": three()}
    html = owner.post(BULK, data=data, headers={"HX-Request": "true", "HX-Target": "dialog"}).get_data(as_text=True)
    assert "<html" not in html
    assert 'id="dialog-heading"' in html
