"""The view of open invitations that did not reach somebody they invite."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from portal.invitations.models import Invitation
from portal.invitations.queries import lists, summaries
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import queries as mail
from tests.support import make
from tests.support.clients import Client
from tests.support.make import Contact


def failed(invitation: Invitation, contact: Contact, **more: object) -> int:
    values = {"about_kind": "invitation", "about_id": invitation.id, "state": "failed", **more}
    return make.make_message("invitation", contact=contact, **values).id  # type: ignore[arg-type]


def shown() -> set[str]:
    db.session.rollback()
    now = clock.now()
    rows = {row.name for row in lists.page(lists.listing("problems", "", "", ""), "", now).rows}
    assert lists.counts(now)["problems"] == summaries.waiting().problems == len(rows)
    return rows


def test_those_whose_latest_message_failed_or_came_back(app: Flask) -> None:
    anna, bert = make.make_contact("Anna"), make.make_contact("Bert")
    failed(make.make_invitation(anna, name="Refused", sent=True), anna)
    failed(make.make_invitation(anna, name="Came back", sent=True), anna, bounced_at=clock.now())
    group = make.make_invitation(anna, bert, name="One of two", sent=True)
    failed(group, bert)
    failed(group, bert, state="cancelled")
    fine = make.make_invitation(anna, name="Arrived", sent=True)
    failed(fine, anna, state="sent")
    waits = make.make_invitation(anna, name="Waits", sent=True)
    failed(waits, anna, state="deferred")
    assert shown() == {"Refused", "Came back", "One of two"}


@pytest.mark.parametrize("state", ["queued", "sending", "sent", "deferred"])
def test_a_newer_message_settles_it(app: Flask, state: str) -> None:
    anna = make.make_contact()
    invitation = make.make_invitation(anna, name="Sent again", sent=True)
    failed(invitation, anna)
    assert shown() == {"Sent again"}
    assert mail.undelivered(("invitation", invitation.id), anna.id)
    failed(invitation, anna, state=state)
    assert shown() == set()
    assert not mail.undelivered(("invitation", invitation.id), anna.id)


def test_only_open_ones_and_only_those_still_invited(app: Flask) -> None:
    anna, bert = make.make_contact(), make.make_contact()
    failed(make.make_invitation(anna, deactivated=True, sent=True), anna)
    failed(make.make_invitation(anna, completed=True, sent=True), anna)
    failed(make.make_invitation(anna, sent=False), anna)
    failed(make.make_invitation(anna, sent=True), bert)
    redeemed = make.make_invitation(anna, bert, sent=True)
    failed(redeemed, anna)
    make.make_redemption(redeemed, anna, proof="code")
    declined = make.make_invitation(bert, sent=True)
    failed(declined, bert)
    declined_id, bert_id = declined.id, bert.id
    with transaction():
        row = db.session.get_one(make.InvitedContact, (declined_id, bert_id))
        row.declined_at = clock.now()
    notice = make.make_invitation(anna, sent=True)
    make.make_message("redeemed", contact=anna, about_kind="invitation", about_id=notice.id, state="failed")
    assert shown() == set()


def test_an_expired_one_is_still_a_problem(app: Flask) -> None:
    anna, before = make.make_contact(), clock.now() - timedelta(days=1)
    failed(make.make_invitation(anna, name="Too late", sent=True, expires_at=before), anna)
    assert shown() == {"Too late"}


@pytest.mark.parametrize("sort", lists.SORTS)
def test_it_is_sorted_searched_and_paged_like_every_view(app: Flask, sort: str) -> None:
    anna = make.make_contact("Anna")
    for number in range(60):
        failed(make.make_invitation(anna, name=f"Number {number}", sent=True), anna)
    now, seen, after = clock.now(), [], ""
    for _ in range(2):
        page = lists.page(lists.listing("problems", "anna", sort, ""), after, now)
        seen += [row.name for row in page.rows]
        after = page.after or ""
    assert (len(seen), len(set(seen)), after) == (60, 60, "")


@pytest.mark.sqlite_only
def test_tab_overview_and_record_lead_to_it(app: Flask, sign_in_as: Callable[[str], Client]) -> None:
    anna = make.make_contact("Anna")
    invitation = make.make_invitation(anna, name="For Anna", sent=True)
    viewer = sign_in_as("viewer")
    assert "has reached everybody" in viewer.page("/staff/invitations/?view=problems").text
    number = failed(invitation, anna, answer="550 5.1.1 no such user")
    [tab] = [a for a in viewer.page("/staff/invitations/").all("a") if a.text.startswith("Problems")]
    assert tab.text == "Problems 1"
    assert "For Anna" in viewer.page(tab.attrs["href"]).text
    links = [a.attrs.get("href") for a in viewer.page("/staff/").all("a")]
    assert "/staff/invitations/?view=problems" in links
    links = [a.attrs.get("href") for a in viewer.page(f"/staff/invitations/{invitation.id}").all("a")]
    assert f"/staff/outbox/{number}" in links
    assert f"/staff/outbox/?invitation={invitation.id}" in links
    links = [a.attrs.get("href") for a in viewer.page(f"/staff/contacts/{anna.id}").all("a")]
    assert f"/staff/outbox/?contact={anna.id}" in links
