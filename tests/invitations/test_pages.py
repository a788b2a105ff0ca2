"""The record, and what other pages show of invitations: contents, buttons by right, statements."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from flask import Flask

from portal.invitations.queries import summaries
from portal.kernel import clock
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock

SignIn = Callable[..., Client]


@pytest.fixture
def owner(sign_in_as: SignIn, frozen_clock: FrozenClock) -> Client:
    return sign_in_as("owner")


def full(**more: Any):
    contacts = [make.make_contact("Anna", "Weber"), make.make_contact("Ben", "Costa")]
    made = make.make_invitation(
        *contacts,
        name="Spring",
        owner=make.make_staff("manager", name="Ingrid Sommer"),
        roles=[make.make_role("Member")],
        account=make.make_account("Fabrikam"),
        workflow=make.shipped_workflow(),
        inviter=make.make_contact("Ines", "Ott"),
        max_redemptions=5,
        expires_on=date(2026, 11, 25),
        sent=True,
        **more,
    )
    return made, contacts


def test_the_record_says_everything(owner: Client):
    made, (anna, _ben) = full()
    made_id = made.id
    make.make_redemption(made, anna, proof="code", ip="203.0.113.9", new_contact=True)
    text = owner.page(f"/staff/invitations/{made_id}").text
    for word in (
        "Spring",
        "Group",
        "Ingrid Sommer",
        "Ines Ott",
        "Fabrikam",
        "Member",
        "Welcome",
        "Anyone with the code",
        "1 of 5",
        "203.0.113.9",
        "by the typed code",
        "New contact",
        "Nov 25, 2026",
    ):
        assert word in text, word


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("who", "buttons"),
    [
        ("owner", {"Edit", "Show code", "Copy link", "Deactivate", "Delete", "Send Invitation"}),
        ("manager", {"Edit", "Show code", "Copy link", "Deactivate", "Delete", "Send Invitation"}),
        ("editor", set()),
        ("viewer", set()),
    ],
)
def test_the_command_bar_shows_what_one_may(sign_in_as: SignIn, who: str, buttons: set[str]):
    made = make.make_invitation(make.make_contact()).id
    page = sign_in_as(who).page(f"/staff/invitations/{made}")
    offered = {"Edit", "Show code", "Copy link", "Deactivate", "Activate", "Delete", "Send Invitation"}
    assert {button for button in offered if page.has_button(button)} == buttons


@pytest.mark.sqlite_only
def test_the_command_bar_follows_the_status(owner: Client):
    contact = make.make_contact()
    off = make.make_invitation(contact, deactivated=True).id
    page = owner.page(f"/staff/invitations/{off}")
    assert page.has_button("Activate")
    assert not page.has_button("Deactivate")
    assert not page.has_button("Send Invitation")
    late = make.make_invitation(contact, sent=True, expires_on=date(2026, 11, 19)).id
    page = owner.page(f"/staff/invitations/{late}")
    assert "has expired" in page.text
    assert not page.has_button("Send Invitation")


def test_a_contacts_page_lists_invitations_and_redemptions(owner: Client):
    made, (anna, ben) = full()
    done = make.make_invitation(anna, name="Done before")
    make.make_redemption(done, anna)
    page = owner.page(f"/staff/contacts/{anna.id}")
    table = page.testid("contact-invitations").text
    assert "Spring" in table
    assert "Done before" in table
    assert "Done before" in page.testid("contact-redemptions").text
    assert page.link("Create Invitation").endswith(f"/staff/invitations/new?contact={anna.id}")
    assert page.link("Send Invitation").endswith(f"/staff/invitations/{made.id}/send")
    assert owner.page(f"/staff/contacts/{ben.id}").has_button("Send Invitation")


@pytest.mark.sqlite_only
def test_an_inactive_contact_is_not_invited(owner: Client):
    gone = make.make_contact("Gone", active=False)
    make.make_invitation(gone)
    page = owner.page(f"/staff/contacts/{gone.id}")
    assert not page.has_button("Create Invitation")
    assert not page.has_button("Send Invitation")


@pytest.mark.sqlite_only
def test_who_may_not_is_offered_nothing_on_a_contacts_page(sign_in_as: SignIn):
    anna = make.make_contact("Anna")
    make.make_invitation(anna)
    page = sign_in_as("viewer").page(f"/staff/contacts/{anna.id}")
    assert not page.has_button("Create Invitation")
    assert not page.has_button("Send Invitation")


def test_role_and_account_pages_list_the_invitations(owner: Client):
    made, _contacts = full()
    role_id = make.db.session.scalars(make.db.select(make.InvitationWebRole)).one().web_role_id
    assert "Spring" in owner.page(f"/staff/web-roles/{role_id}").text
    assert "Spring" in owner.page(f"/staff/accounts/{made.account_id}").text


def test_the_overview_shows_the_funnel_and_what_runs_out(owner: Client, frozen_clock: FrozenClock):
    made, (anna, _ben) = full()
    make.make_redemption(made, anna)
    make.make_invitation(make.make_contact(), name="Not sent")
    make.make_invitation(make.make_contact(), name="Long ago", sent=True, created_at=make.at("2026-09-01 00:00"))
    assert summaries.funnel(clock.now()) == (2, 1, 1)
    page = owner.page("/staff/")
    assert page.testid("funnel").first("tbody").text == "Created 2 Sent 1 Redeemed 1"
    assert "Spring" in page.text
    assert "style=" not in page.html


def test_an_empty_site_has_an_empty_funnel(owner: Client):
    assert summaries.funnel(clock.now()) == (0, 0, 0)
    assert owner.page("/staff/").testid("funnel").first("tbody").text == "Created 0 Sent 0 Redeemed 0"


def test_pages_ask_a_bounded_number_of_questions(owner: Client, statements: Callable[[], Any]):
    counted: dict[str, set[int]] = {}
    for size in (2, 40):
        contacts = [make.make_contact(f"No {number}") for number in range(size)]
        roles = [make.make_role() for _ in range(3)]
        made = make.make_invitation(
            *contacts,
            roles=roles,
            account=make.make_account(),
            inviter=contacts[0],
            workflow=make.shipped_workflow(),
            expires_on=date(2026, 11, 25),
        )
        made_id, contact_id = made.id, contacts[0].id
        make.make_redemption(made, contacts[0])
        owner.post_form(f"/staff/invitations/{made_id}/send")
        for page in ("", "/edit", "/send", "/deactivate"):
            with statements() as sent:
                owner.page(f"/staff/invitations/{made_id}{page}")
            assert len(sent) <= 12, (page, sent)
            counted.setdefault(page, set()).add(len(sent))
        with statements() as sent:
            owner.page(f"/staff/contacts/{contact_id}")
        assert len(sent) <= 12, sent
    assert all(len(numbers) == 1 for numbers in counted.values()), counted


@pytest.mark.sqlite_only
def test_a_large_group_is_shown_in_part(owner: Client):
    made = make.make_invitation(*[make.make_contact(f"No {number:03}") for number in range(101)]).id
    page = owner.page(f"/staff/invitations/{made}")
    assert "No 099" in page.text
    assert "No 100" not in page.text
    assert "The first 100 by name are shown." in page.text


@pytest.mark.sqlite_only
def test_people_not_signed_in_are_led_to_the_sign_in(client: Client, app: Flask):
    made = make.make_invitation(make.make_contact()).id
    for path in ("", "new", "find", f"{made}", f"{made}/edit", f"{made}/send", f"{made}/show-code"):
        response = client.get(f"/staff/invitations/{path}")
        assert response.status_code == 303
        assert "/staff/sign-in" in response.headers["Location"]
