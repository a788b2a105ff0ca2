from typing import Any

import pytest
from flask import Flask

from portal.journal import labels, queries
from portal.journal.models import JournalEntry
from portal.journal.services import Record, record
from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, transaction
from tests.support.clients import Client
from tests.support.make import make_account, make_contact, make_entry, make_invitation, make_staff
from tests.support.pages import Page, query_of

URL = "/staff/journal/"


@pytest.fixture
def owner(sign_in_as: Any) -> Client:
    browser: Client = sign_in_as("owner")
    return browser


def rows(page: Page) -> list[str]:
    return [row.text for row in page.all("tr")[1:]]


@pytest.mark.parametrize("who", ["manager", "editor", "viewer", "nobody", "invitee"])
@pytest.mark.sqlite_only
def test_only_owners_read_the_journal(sign_in_as: Any, who: str) -> None:
    assert sign_in_as(who).get(URL).status_code == (303 if who in ("nobody", "invitee") else 403)


@pytest.mark.parametrize(
    "query",
    [
        {"after": "x"},
        {"after": "WzFd" * 100},
        {"after": "WyJ4Il0"},
        {"after": "Wy0xXQ"},
        {"group": "%"},
        {"group": "nothing"},
        {"kind": "contact'--"},
        {"id": "x"},
        {"id": "-1"},
        {"id": "9" * 30},
        {"id": "99999999999"},
        {"id": "٣"},
        {"q": "\x00\ud800", "actor": "\x00"},
        {"q": "x" * 5000},
        {"q": "%_\\", "actor": "\\"},
    ],
)
def test_an_address_that_makes_no_sense_is_answered_with_a_page(owner: Client, query: dict[str, str]) -> None:
    from urllib.parse import quote

    text = "&".join(f"{name}={quote(value, errors='surrogatepass')}" for name, value in query.items())
    assert owner.get(f"{URL}?{text}").status_code == 200


def test_each_filter_leaves_what_it_names(owner: Client) -> None:
    anna, ben = make_staff(name="Anna Achieng"), make_staff(name="Ben_100%")
    make_entry("contact.created", ("contact", 1, "Carla Café"), by=anna)
    make_entry("invitation.sent", ("invitation", 1, "Spring"), ("contact", 1, "Carla Café"), by=ben)
    make_entry("invitation.sent", ("invitation", 2, "Autumn"), by=anna)
    make_entry("note", ("contact", 2, "100% Somebody"))
    make_entry("contacting", ("contact", 3, "Not a group of its own"))

    def found(**query: str) -> int:
        return len(rows(owner.page(URL, query_string=query)))

    everything = found()
    assert everything == 6  # and signing in
    assert found(group="contact") == 1
    assert found(group="invitation") == 2
    assert found(group="sign-in") == 1
    assert found(actor="anna") == 2
    assert found(actor="ACHIENG", group="invitation") == 1
    assert found(actor="_100%") == 1
    assert found(actor="%") == 1
    assert found(kind="contact") == 4
    assert found(kind="contact", id="1") == 2
    assert found(kind="invitation", id="1") == 1
    assert found(id="2") == 2
    assert found(q="carla") == 2
    assert found(q="100%") == 1
    assert found(q="spring", kind="contact") == 0
    assert found(q="nobody at all") == 0


def test_pages_hold_fifty_and_miss_and_repeat_nothing(owner: Client) -> None:
    for n in range(120):
        make_entry("contact.created", ("contact", n + 1, f"Contact {n:03}"))
    url, seen, pages = f"{URL}?group=contact", [], 0
    while url:
        page = owner.page(url)
        found = rows(page)
        assert len(found) <= 50
        seen += found
        pages += 1
        make_entry("contact.created", ("contact", 999, "In between"))
        following = [href for text, href in page.links.items() if "Next" in text]
        assert all(query_of(href)["group"] == "contact" for href in following)
        url = following[0] if following else ""
    names = [text.split("Contact ")[-1][:3] for text in seen]
    assert (pages, names) == (3, [f"{n:03}" for n in reversed(range(120))])


def test_a_page_needs_few_statements_however_many_entries(owner: Client, statements: Any) -> None:
    for n in range(60):
        make_entry("invitation.sent", ("invitation", n + 1, "x"), ("contact", n + 1, "y"))
    with statements() as sent:
        owner.page(URL)
    assert len(sent) <= 12


def test_lines_read_well_and_lead_to_the_records(owner: Client, app: Flask) -> None:
    contact, account = make_contact("Anna", "Weber"), make_account("Contoso")
    invitation = make_invitation(contact, name="Spring")
    by = make_staff(name="Olga Owner")
    about = (("invitation", invitation.id, "Spring"), ("contact", contact.id, "Anna Weber"))
    make_entry("redemption.completed", *about, by=by, text="By link")
    make_entry("account.created", ("account", account.id, "Contoso"), by=by)
    make_entry("something.unheard-of", ("unicorn", 7, "Sparkle"), by=by)
    page = owner.page(URL)
    assert "Invite Redemption" in page.text
    assert "something.unheard-of" in page.text
    assert page.link("Spring") == f"/staff/invitations/{invitation.id}"
    assert page.link("Anna Weber") == f"/staff/contacts/{contact.id}"
    assert page.link("Contoso") == f"/staff/accounts/{account.id}"
    assert "Sparkle" in page.text
    assert "Sparkle" not in page.links


def test_what_people_typed_is_text_and_never_markup(owner: Client) -> None:
    evil = "<img src=x onerror=alert(1)>"
    make_entry("note", ("contact", 1, evil), text=evil)
    page = owner.page(URL, query_string={"q": "<img", "actor": ""})
    assert len(rows(page)) == 1
    assert page.all("img") == []


def test_looking_writes_nothing(owner: Client, dump: Any) -> None:
    before = dump()
    owner.get(URL)
    owner.head(URL)
    assert dump() == before


def test_a_timeline_holds_the_entries_of_one_record_newest_first(app: Flask) -> None:
    make_entry("invitation.created", ("invitation", 1, "Spring"))
    make_entry("invitation.sent", ("invitation", 1, "Spring"), ("contact", 1, "Anna"), ("contact", 2, "Ben"))
    make_entry("invitation.sent", ("invitation", 2, "Autumn"), ("contact", 1, "Anna"))
    make_entry("note", ("contact", 1, "Anna"), text="She called")
    lines = queries.timeline("contact", 1)
    assert [line.label for line in lines] == ["Note", "Invitation sent", "Invitation sent"]
    assert [line.text for line in lines] == ["She called", "Autumn", "Ben, Spring"]
    assert [line.actor for line in lines] == ["Portal"] * 3
    assert len(queries.timeline("contact", 1, limit=2)) == 2
    assert queries.timeline("contact", 99) == []
    assert queries.timeline("account", 1) == []


def test_a_timeline_takes_two_statements(app: Flask, statements: Any) -> None:
    for _ in range(30):
        make_entry("note", ("contact", 1, "Anna"), ("invitation", 1, "Spring"))
    with statements() as sent:
        assert len(queries.timeline("contact", 1)) == 30
    assert len(sent) == 2


def test_a_record_is_named_once_per_entry(app: Flask) -> None:
    with transaction():
        record("note", Record("contact", 1, "A"), Record("contact", 1, "A"), by=SYSTEM, now=clock.now())
    assert len(queries.timeline("contact", 1)) == 1


def test_an_entry_belongs_to_the_deed_and_goes_with_it(app: Flask) -> None:
    def broken() -> None:
        with transaction():
            record("note", Record("contact", 1, "A"), by=SYSTEM, now=clock.now())
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        broken()
    with pytest.raises(RuntimeError):
        record("note", Record("contact", 1, "A"), by=SYSTEM, now=clock.now())
    db.session.rollback()
    assert db.session.scalars(db.select(JournalEntry.id)).all() == []


def test_changes_are_told_with_both_values(app: Flask) -> None:
    changes = {"name": ["Old", "New"], "default_expiry_days": [30, None], "open_registration": [False, True], "x": 1}
    assert labels.sentence("", {"changes": changes}) == (
        "Name: Old → New · Default expiry: 30 → none · Open registration: no → yes · x"
    )
    assert labels.sentence("As written", {"changes": changes}) == "As written"
    assert labels.sentence("", {"changes": "odd"}) == ""


@pytest.mark.sqlite_only
def test_every_action_of_the_portal_has_a_label(app: Flask) -> None:
    import re
    from pathlib import Path

    import portal

    root = Path(portal.__file__).parent
    written = re.compile(r'(?:\brecord|_note|_record)\(\s*"([a-z]+(?:[.-][a-z_-]+)*)"')
    actions = {action for file in root.rglob("*.py") for action in written.findall(file.read_text())}
    assert len(actions) > 20
    assert {action for action in actions if labels.label(action).text == action} == set()
    assert {action.partition(".")[0] for action in actions} - {"note"} <= dict(labels.groups()).keys()
