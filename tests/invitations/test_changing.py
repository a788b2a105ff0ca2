"""More time, another code, another recipient: each says its effect first, and has just that."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from portal.invitations import links, queries, services
from portal.invitations.models import Invitation
from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import letters
from portal.mail.models import Message
from portal.mail.outbox import Cancelled
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock

SignIn = Callable[..., Client]
DIALOGS = ("extend", "new-code", "change-recipient")


@pytest.fixture
def owner(sign_in_as: SignIn) -> Client:
    return sign_in_as("owner")


def here(invitation_id: int, act: str = "") -> str:
    return f"/staff/invitations/{invitation_id}{act and '/' + act}"


def fresh(invitation_id: int) -> Invitation:
    db.session.rollback()
    return db.session.get_one(Invitation, invitation_id, populate_existing=True)


def sent(invitation_id: int, by: Any, key: str = "k") -> None:
    with transaction():
        services.send(invitation_id, key=key, by=by, now=clock.now())


@pytest.mark.sqlite_only
@pytest.mark.parametrize("act", DIALOGS)
@pytest.mark.parametrize("who", ["viewer", "editor"])
def test_without_the_right(sign_in_as: SignIn, who: str, act: str) -> None:
    made = make.make_invitation(make.make_contact(), sent=True).id
    assert sign_in_as(who).get(here(made, act)).status_code == 403


@pytest.mark.sqlite_only
@pytest.mark.parametrize("act", [*DIALOGS, "activate"])
def test_nobody_lets_work_what_gives_a_role_that_they_may_not_give(
    sign_in_as: SignIn, dump: Callable[[], Any], act: str
) -> None:
    """T11: with a code of their own choice they could redeem it themselves."""
    board = make.make_role("Board", managers_may_grant=False)
    yesterday = clock.now().date() - timedelta(days=1)
    made = make.make_invitation(make.make_contact(), sent=True, roles=[board], expires_on=yesterday).id
    if act == "activate":
        with transaction():
            db.session.get_one(Invitation, made).deactivated_at = clock.now()
    manager, other = sign_in_as("manager"), make.make_contact()
    values: dict[str, dict[str, Any]] = {
        "extend": {"expires_on": ""},
        "new-code": {"code": "MANAGERS-OWN-7"},
        "change-recipient": {"contact": other.id},
    }
    token = manager.token("/staff/profile")
    before = dump()
    posted = manager.post(here(made, act), data={"csrf_token": token, **values.get(act, {})})
    assert posted.status_code == 403
    assert dump() == before
    assert f"/{made}/{act}" not in manager.get(here(made)).get_data(as_text=True)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("act", ["extend", "activate"])
def test_ticked_ones_that_give_such_a_role_stay_as_they_are(sign_in_as: SignIn, act: str) -> None:
    board = make.make_role("Board", managers_may_grant=False)
    plain = make.make_invitation(make.make_contact(), sent=True, deactivated=True).id
    powerful = make.make_invitation(make.make_contact(), sent=True, deactivated=True, roles=[board]).id
    manager = sign_in_as("manager")
    asked = {"csrf_token": manager.token("/staff/profile"), "action": act, "ids": [plain, powerful], "view": "all"}
    dialog = manager.post("/staff/invitations/bulk", data=asked).get_data(as_text=True)
    assert f'value="{plain}"' in dialog
    assert f'value="{powerful}"' not in dialog
    manager.post("/staff/invitations/bulk", data={**asked, "confirm": "1", "expires_on": "2031-01-31"})
    assert (fresh(plain).version, fresh(powerful).version) == (2, 1)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("act", DIALOGS)
def test_looking_at_the_dialog_does_nothing(owner: Client, dump: Callable[[], Any], act: str) -> None:
    made = make.make_invitation(make.make_contact(), sent=True).id
    owner.page("/staff/")
    before = dump()
    owner.page(here(made, act))
    assert dump() == before


@pytest.mark.parametrize("day", ["2026-11-19", "9999-01-01", "tomorrow", "1969-12-31"])
def test_a_day_that_is_over_or_none_is_refused(owner: Client, frozen_clock: FrozenClock, day: str) -> None:
    made = make.make_invitation(make.make_contact(), sent=True, expires_on=date(2026, 12, 1)).id
    response = owner.post_form(here(made, "extend"), {"expires_on": day})
    assert response.status_code == 422
    assert fresh(made).expires_on == date(2026, 12, 1)


def test_a_completed_one_is_not_extended(owner: Client) -> None:
    made = make.make_invitation(make.make_contact(), sent=True, completed=True).id
    assert owner.post_form(here(made, "extend"), {"expires_on": ""}).status_code == 409


def test_an_expired_one_works_again_with_its_link_and_code(
    owner: Client, client: Client, frozen_clock: FrozenClock
) -> None:
    contact = make.make_contact()
    yesterday = frozen_clock.now.date() - timedelta(days=1)
    made = make.make_invitation(contact, sent=True, expires_on=yesterday)
    link, code, made_id = ways.link_of(made, contact), make.code_of(made), made.id
    assert ways.type_code(client, code).status_code == 404
    assert location(owner.post_form(here(made_id, "extend"), {"expires_on": "2026-12-24"})) == here(made_id)
    assert fresh(made_id).expires_at == datetime(2026, 12, 25, tzinfo=frozen_clock.now.tzinfo)
    assert ways.type_code(client, code).status_code == 303
    client.get(link)
    assert client.get("/redeem/review").status_code == 200
    assert timeline("invitation", made_id)[0].action == "invitation.extended"


def test_ticked_ones_are_extended_together(owner: Client) -> None:
    one, two = (make.make_invitation(make.make_contact(), sent=True).id for _ in range(2))
    full = make.make_invitation(make.make_contact(), sent=True, completed=True).id
    page = "/staff/invitations/?view=all"
    token = owner.token(page)
    asked = {"csrf_token": token, "action": "extend", "ids": [one, two, full], "view": "all"}
    dialog = owner.post("/staff/invitations/bulk", data=asked)
    assert dialog.status_code == 200
    refused = owner.post("/staff/invitations/bulk", data={**asked, "confirm": "1", "expires_on": "1999-01-01"})
    assert refused.status_code == 422
    done = owner.post("/staff/invitations/bulk", data={**asked, "confirm": "1", "expires_on": "2031-01-31"})
    assert done.status_code == 303
    assert [fresh(i).expires_on for i in (one, two, full)] == [date(2031, 1, 31), date(2031, 1, 31), None]


@pytest.mark.parametrize("typed", ["short", "AAAAAAAAAA"])
def test_a_weak_code_is_refused(owner: Client, typed: str) -> None:
    made = make.make_invitation(make.make_contact(), sent=True)
    made_id, lookup = made.id, made.code_lookup
    assert owner.post_form(here(made_id, "new-code"), {"code": typed}).status_code == 422
    assert fresh(made_id).code_lookup == lookup


def test_a_new_code_ends_the_old_one_and_every_link(owner: Client, client: Client) -> None:
    contact = make.make_contact()
    made = make.make_invitation(contact, sent=True)
    made_id, link, code = made.id, ways.link_of(made, contact), make.code_of(made)
    assert "stops working" in owner.page(here(made_id, "new-code")).text
    assert location(owner.post_form(here(made_id, "new-code"), {"code": ""})) == here(made_id)
    assert client.get(link).status_code == 404
    assert ways.type_code(client, code).status_code == 404
    assert ways.type_code(client, make.code_of(fresh(made_id))).status_code == 303
    assert timeline("invitation", made_id)[0].action == "invitation.code-replaced"


def test_the_recipient_of_a_group_or_of_what_was_redeemed_stays(owner: Client) -> None:
    other = make.make_contact()
    group = make.make_invitation(make.make_contact(), make.make_contact(), sent=True).id
    anna = make.make_contact()
    single = make.make_invitation(anna, sent=True)
    make.make_redemption(single, anna)
    for made_id in (group, single.id):
        page = owner.page(here(made_id, "change-recipient"))
        assert "stays" in page.text
        posted = owner.post(
            here(made_id, "change-recipient"),
            data={"csrf_token": owner.token("/staff/invitations/find"), "contact": other.id},
        )
        assert posted.status_code == 409


def test_the_new_recipient_must_be_another_active_contact(owner: Client) -> None:
    anna, gone = make.make_contact(), make.make_contact(active=False)
    made_id = make.make_invitation(anna, sent=True).id
    for contact_id in (anna.id, gone.id, 999_999, ""):
        posted = owner.post_form(here(made_id, "change-recipient"), {"contact": contact_id})
        assert posted.status_code == 422
    assert queries.invited_ids(made_id) == [anna.id]


def test_changing_the_recipient_ends_link_code_and_waiting_mail(app: Flask, owner: Client, client: Client) -> None:
    anna, bert = make.make_contact("Anna", "Weber"), make.make_contact("Bert", "Maier")
    made = make.make_invitation(anna, name="Anna Weber", sent=True)
    made_id, link, code, bert_id = made.id, ways.link_of(made, anna), make.code_of(made), bert.id
    sent(made_id, make.any_owner().actor(None))
    assert location(owner.post_form(here(made_id, "change-recipient"), {"contact": bert.id})) == here(made_id)
    assert queries.invited_ids(made_id) == [bert_id]
    assert fresh(made_id).name == "Bert Maier", "the name was the contact's, as it was prefilled"
    assert client.get(link).status_code == 404
    assert ways.type_code(client, code).status_code == 404
    [message] = db.session.query(Message)
    with pytest.raises(Cancelled):
        letters.write(message.id, clock.now())
    row = queries.invitee(made_id, bert_id)
    assert row is not None
    found = links.resolve(links.token(fresh(made_id), row, bert))
    assert found is not None


def test_another_recipient_through_the_edit_form_ends_link_and_code_too(owner: Client, client: Client) -> None:
    """Whoever was invited before knows the code, and could enter as who is invited now."""
    anna, bert = make.make_contact("Anna"), make.make_contact("Bert")
    made = make.make_invitation(anna, sent=True)
    made_id, link, code = made.id, ways.link_of(made, anna), make.code_of(made)
    page = owner.follow(owner.post_form(here(made_id, "edit"), {"contacts": [bert.id]}))
    assert any("the old one and all links stopped" in toast for toast in page.toasts)
    assert client.get(link).status_code == 404
    assert ways.type_code(client, code).status_code == 404
    assert ways.type_code(client, make.code_of(fresh(made_id))).status_code == 303
    assert "old code" in timeline("invitation", made_id)[0].text


def test_what_was_redeemed_gets_no_other_recipient_through_the_edit_form_either(owner: Client) -> None:
    anna, bert = make.make_contact("Anna"), make.make_contact("Bert")
    made = make.make_invitation(anna, sent=True)
    make.make_redemption(made, anna)
    made_id, anna_id = made.id, anna.id
    assert owner.post_form(here(made_id, "edit"), {"contacts": [bert.id]}).status_code == 422
    assert queries.invited_ids(made_id) == [anna_id]


@pytest.mark.parametrize("by_link", [True, False])
@pytest.mark.parametrize("act", ["new-code", "change-recipient", "edit"])
def test_who_stands_at_the_review_page_meanwhile_gets_in_no_more(
    owner: Client, client: Client, act: str, by_link: bool
) -> None:
    anna, bert = make.make_contact("Anna"), make.make_contact("Bert")
    made = make.make_invitation(anna, sent=True)
    made_id, link, code = made.id, ways.link_of(made, anna), make.code_of(made)
    assert (client.get(link) if by_link else ways.type_code(client, code)).status_code == 303
    form = client.page("/redeem/review").form("/sign-up")
    typed = {name: values[0] for name, values in form.values.items() if values}
    typed |= {"csrf_token": form.token, "username": "annaweber", "password": make.PASSWORD}
    change: Any = {"new-code": {}, "change-recipient": {"contact": bert.id}, "edit": {"contacts": [bert.id]}}[act]
    assert owner.post_form(here(made_id, act), change).status_code == 303
    assert location(client.post("/sign-up", data=typed)) == "/redeem/review"
    assert client.get("/redeem/review").status_code == 410
    assert fresh(made_id).used == 0


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("message", "x" * 2001),
        ("message", "Look at https://evil.example now"),
        ("message", "see www.evil.example"),
        ("language", "xx"),
    ],
)
def test_a_message_that_looks_like_fraud_is_refused(owner: Client, field: str, value: str) -> None:
    made = make.make_invitation(make.make_contact()).id
    response = owner.post_form(here(made, "edit"), {field: value})
    assert response.status_code == 422
    assert fresh(made).message == ""


def test_personal_words_stand_in_the_mail_as_text(owner: Client) -> None:
    made = make.make_invitation(make.make_contact("Anna")).id
    words = "Dear Anna,\nwelcome <b>aboard</b>!"
    owner.post_form(here(made, "edit"), {"message": words, "language": "de"})
    assert (fresh(made).message, fresh(made).language) == (words, "de")
    sent(made, make.any_owner().actor(None))
    [message] = db.session.query(Message)
    letters.write(message.id, clock.now())
    from portal.invitations.messages import prepare_invitation
    from portal.mail import templates

    prepared = prepare_invitation(db.session.get_one(Message, message.id), clock.now())
    assert prepared.language == "de"
    made_mail = templates.render("invitation", prepared.values)
    assert "Dear Anna,<br" in made_mail.html
    assert "<b>" not in made_mail.html
    assert "Dear Anna,\nwelcome aboard" in made_mail.text
