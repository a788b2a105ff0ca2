"""The list: its views, search, paging, and how little it asks of the database."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from portal.invitations.queries import lists
from portal.kernel import clock, paging
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.pages import Page

SignIn = Callable[..., Client]

LIST = "/staff/invitations/"


@pytest.fixture
def owner(sign_in_as: SignIn, frozen_clock: FrozenClock) -> Client:
    return sign_in_as("owner")


def tab(page: Page) -> str:
    return page.first("nav", cls="tabs").first("a", aria_current="page").text


def names(page: Page) -> list[str]:
    return [cell.all("a")[0].text for cell in page.all("th", scope="row")]


@pytest.mark.parametrize(
    "after",
    ["x", "....", "e30", "bnVsbA", "WzEsMl0", "😀", "A" * 5_000, "WyIiLC0xXQ", "WyJ4IiwxXQ"]
    # Instants that no calendar holds in UTC.
    + [paging.cursor(instant, 3) for instant in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59")],
)
@pytest.mark.parametrize("sort", ["newest", "name", "expiry"])
def test_a_cursor_that_is_none_is_the_first_page(owner: Client, after: str, sort: str):
    make.make_invitation(make.make_contact(), name="Only", sent=True, expires_on=date(2027, 1, 1))
    page = owner.page(LIST, query_string={"sort": sort, "after": after})
    assert page.status == 200


@pytest.mark.parametrize(
    "query",
    [
        "view=x",
        "view=",
        "sort=x",
        "direction=x",
        "q=%00",
        "q=%ff",
        "q=" + "x" * 5_000,
        "q=%25",
        "q=_",
        "q=%5C",
        "q=😀",
        "view=problems",
    ],
)
def test_what_the_address_cannot_mean_becomes_the_usual(owner: Client, query: str):
    assert owner.get(f"{LIST}?{query}").status_code == 200


@pytest.mark.parametrize("text", ["%", "_", "\\", "100%"])
def test_signs_of_the_database_are_plain_characters(owner: Client, text: str):
    make.make_invitation(make.make_contact("Anna"), name="Plain", sent=True)
    make.make_invitation(make.make_contact("Ben"), name=f"With {text} sign", sent=True)
    assert names(owner.page(LIST, query_string={"q": text})) == [f"With {text} sign"]


def test_the_usual_view_is_open_newest_first(owner: Client, frozen_clock: FrozenClock):
    for name, facts in (
        ("New", {}),
        ("Open", {"sent": True}),
        ("Later", {"sent": True}),
        ("Off", {"deactivated": True}),
    ):
        make.make_invitation(make.make_contact(), name=name, **facts)
        frozen_clock.move(seconds=1)
    page = owner.page(LIST)
    assert names(page) == ["Later", "Open"]
    assert tab(page) == "Open 2"


def test_each_view_shows_its_rows_and_counts_them(owner: Client):
    facts = {
        "new": {},
        "open": {"sent": True},
        "completed": {"sent": True, "completed": True, "used": 1},
        "inactive": {"deactivated": True},
        "expired": {"sent": True, "expires_on": date(2026, 11, 19)},
        "expiring": {"expires_on": date(2026, 11, 22)},
    }
    for name, values in facts.items():
        make.make_invitation(make.make_contact(), name=name, **values)
    expected = {
        "new": {"new", "expiring"},
        "open": {"open", "expired"},
        "completed": {"completed"},
        "inactive": {"inactive"},
        "expired": {"expired"},
        "expiring": {"expiring"},
        "all": set(facts),
    }
    for view, held in expected.items():
        page = owner.page(f"{LIST}?view={view}")
        assert set(names(page)) == held
        assert tab(page).endswith(f" {len(held)}")


def test_an_expired_one_stays_in_open_with_a_badge(owner: Client):
    make.make_invitation(make.make_contact(), name="Late", sent=True, expires_on=date(2026, 11, 19))
    page = owner.page(LIST)
    assert "Expired" in page.first("tbody").text
    assert names(page) == ["Late"]


def test_search_finds_name_contact_and_address_and_nothing_else(owner: Client):
    anna = make.make_contact("Änna", "Weber", "anna.weber@fabrikam.example", email2="hidden@other.example")
    make.make_invitation(anna, name="Spring onboarding", sent=True)
    make.make_invitation(make.make_contact("Ben", "Costa"), name="Partner day", sent=True)
    group = make.make_invitation(anna, make.make_contact("Cleo"), name="Group of two", sent=True)
    assert group.type == "group"
    both = ["Group of two", "Spring onboarding"]
    for text in ("änna", "ÄNNA WEBER", "weber änna", "fabrikam", "anna.weber@FABRIKAM.example"):
        assert sorted(names(owner.page(LIST, query_string={"q": text}))) == both, text
    assert names(owner.page(f"{LIST}?q=SPRING")) == ["Spring onboarding"]
    assert names(owner.page(f"{LIST}?q=day+partner")) == ["Partner day"]
    for text in ("hidden", "zzz", "spring weber"):
        assert names(owner.page(LIST, query_string={"q": text})) == []


def test_search_keeps_view_and_words_in_its_tabs(owner: Client):
    page = owner.page(f"{LIST}?view=new&q=anna")
    assert "q=anna" in page.link("Open")
    form = next(form for form in page.forms if form.method == "get")
    assert (form.values["view"], form.values["q"]) == (["new"], ["anna"])


def test_paging_through_the_page_loses_and_repeats_nothing(owner: Client):
    for number in range(120):
        make.make_invitation(make.make_contact(), name=f"No {number:03}", sent=True)
    for query in (
        "sort=name&direction=asc",
        "sort=newest&direction=desc",
        "sort=expiry&direction=asc",
        "q=No&sort=name",
    ):
        seen, url = [], f"{LIST}?{query}"
        while url:
            page = owner.page(url)
            seen += names(page)
            url = page.links.get("Next page")
        assert len(seen) == 120
        assert len(set(seen)) == 120


def test_a_row_that_appears_meanwhile_moves_nobody(owner: Client, frozen_clock: FrozenClock):
    for number in range(60):
        make.make_invitation(make.make_contact(), name=f"No {number:02}", sent=True)
        frozen_clock.move(seconds=1)
    first = owner.page(LIST)
    make.make_invitation(make.make_contact(), name="Newcomer", sent=True)
    second = owner.page(first.link("Next page"))
    assert names(first) + names(second) == [f"No {number:02}" for number in reversed(range(60))]


def test_the_number_of_statements_does_not_grow_with_the_rows(owner: Client, statements: Callable[[], Any]):
    counted = {}
    for rows in (1, 60):
        while len(lists.page(lists.listing("all", "", "", ""), "", clock.now()).rows) < min(rows, 50):
            contacts = [make.make_contact() for _ in range(3)]
            make.make_invitation(*contacts, roles=[make.make_role()], sent=True, expires_on=date(2026, 11, 25))
        for view in lists.VIEWS:
            for sort in lists.SORTS:
                with statements() as sent:
                    owner.page(f"{LIST}?view={view}&sort={sort}")
                assert len(sent) <= 12, (view, sort, sent)
                counted.setdefault((view, sort), set()).add(len(sent))
    assert all(max(numbers) - min(numbers) <= 2 for numbers in counted.values())


@pytest.mark.sqlite_only
def test_no_offset_is_ever_used(owner: Client, statements: Callable[[], Any]):
    for number in range(60):
        make.make_invitation(make.make_contact(), name=f"No {number}", sent=True)
    with statements() as sent:
        owner.page(owner.page(f"{LIST}?sort=name").link("Next page"))
    assert not any("OFFSET 5" in one.upper() for one in sent)


@pytest.mark.sqlite_only
def test_many_are_shown_as_ten_thousand_and_more(owner: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(paging, "COUNTED", 3)
    for _ in range(5):
        make.make_invitation(make.make_contact(), sent=True)
    assert tab(owner.page(LIST)) == "Open 10,000+"


@pytest.mark.sqlite_only
def test_an_empty_view_says_what_it_is_for(owner: Client, sign_in_as: SignIn):
    assert "moves here when its last allowed redemption was used" in owner.page(f"{LIST}?view=completed").text
    assert owner.page(LIST).has_button("New invitation")
    assert not sign_in_as("viewer").page(LIST).has_button("New invitation")


def test_reading_changes_nothing(owner: Client, dump: Callable[[], Any]):
    made = make.make_invitation(make.make_contact(), sent=True).id
    owner.page("/staff/")
    before = dump()
    for url in (
        LIST,
        f"{LIST}?view=all&q=x&sort=expiry",
        f"{LIST}{made}",
        f"{LIST}{made}/edit",
        f"{LIST}new",
        f"{LIST}find",
    ):
        for _ in range(2):
            assert owner.get(url).status_code == 200
            assert owner.head(url).status_code == 200
    assert dump() == before
