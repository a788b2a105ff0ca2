"""The list of contacts: searching, paging, ticking, and what it costs."""

from typing import Any

import pytest

from portal.contacts import queries
from portal.contacts.queries import Filters
from tests.support import make
from tests.support.clients import location
from tests.support.pages import Page

LIST = "/staff/contacts/"


def names(page: Page) -> list[str]:
    """The names in the table."""
    return [row.first("a").text for row in page.all("th", scope="row")]


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "query",
    [
        "?after=%00",
        "?after=garbage",
        "?after=WyJhIl0",
        "?after=bnVsbA",
        "?after=WyJcdTAwMDAiLDFd",
        "?after=WyJhIiw5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OV0",
        "?after=" + "x" * 5000,
        "?sort=nothing&view=nothing",
        "?account=abc",
        "?q=%00",
        "?q=%ff%fe",
        "?q=" + "x" * 5000,
    ],
    ids=lambda text: text[:24],
)
def test_nonsense_in_the_address_is_the_first_page_or_nothing_found(sign_in_as: Any, query: str) -> None:
    make.make_contact("Anna", "Weber")
    sign_in_as("viewer").page(LIST + query)


@pytest.mark.sqlite_only
def test_an_account_that_does_not_exist_is_not_found(sign_in_as: Any) -> None:
    sign_in_as("viewer").page(LIST + "?account=999", status=404)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("number", ["0", "999", "9" * 30])
def test_a_contact_that_does_not_exist_is_not_found(sign_in_as: Any, number: str) -> None:
    owner = sign_in_as("owner")
    for url in (f"{LIST}{number}", f"{LIST}{number}/edit", f"{LIST}{number}/deactivate"):
        assert owner.get(url).status_code == 404


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("anna", ["Anna Weber"]),
        ("WEB", ["Anna Weber"]),
        ("weber anna", ["Anna Weber"]),
        ("strasse", ["Zoë Straße"]),
        ("ZOË", ["Zoë Straße"]),
        ("zoe@", ["Zoë Straße"]),
        ("ZOE@Müller.example", ["Zoë Straße"]),
        ("xn--mller", ["Zoë Straße"]),
        ("second@other", ["Anna Weber"]),
        ("SECOND", ["Anna Weber"]),
        ("100%", ["100% Real_Name"]),
        ("l_n", ["100% Real_Name"]),
        ("\\", []),
        ("%", ["100% Real_Name"]),
        ("_", ["100% Real_Name"]),
        ("a'b", []),
        ("\x00anna", ["Anna Weber"]),
        ("nobody", []),
    ],
    ids=ascii,
)
def test_a_search_finds_names_and_addresses_by_any_part(app: Any, typed: str, found: list[str]) -> None:
    from portal.contacts.services import ContactValues, create
    from portal.kernel import clock
    from portal.kernel.db import transaction
    from portal.staff.permissions import StaffActor

    owner = make.make_staff("owner").actor(None)
    assert isinstance(owner, StaffActor)
    for values in (
        ContactValues("Anna", "Weber", "anna@example.org", "Second@other.example"),
        ContactValues("Zoë", "Straße", "zoe@müller.example"),
        ContactValues("100%", "Real_Name", "real@example.net"),
    ):
        with transaction():
            create(values, owner, clock.now())
    assert [queries.display_name(row) for row in queries.page(Filters(typed), "").rows] == found
    assert queries.count(Filters(typed)) == len(found)
    assert [option.label for option in queries.options(typed)] == found


@pytest.mark.parametrize("sort", ["name", "newest"])
def test_paging_shows_everybody_once_even_where_names_are_equal(app: Any, sort: str) -> None:
    for _ in range(130):
        make.make_contact("Same", "Name")
    seen: list[int] = []
    after: str | None = ""
    pages = 0
    while after is not None:
        page = queries.page(Filters(sort=sort), after)
        seen += [row.id for row in page.rows]
        after = page.after
        pages += 1
    assert pages == 3
    assert len(seen) == len(set(seen)) == 130
    assert seen == sorted(seen, reverse=sort == "newest")


def test_filters_for_state_and_account_work_together(sign_in_as: Any) -> None:
    acme, other = make.make_account("Acme"), make.make_account("Other")
    make.make_contact("Active", "Acme", account=acme)
    make.make_contact("Inactive", "Acme", account=acme, active=False)
    make.make_contact("Active", "Other", account=other)
    viewer = sign_in_as("viewer")
    assert names(viewer.page(LIST)) == ["Active Acme", "Active Other"]
    assert names(viewer.page(f"{LIST}?account={acme.id}&view=all")) == ["Active Acme", "Inactive Acme"]
    assert names(viewer.page(f"{LIST}?account={acme.id}&view=inactive")) == ["Inactive Acme"]
    assert names(viewer.page(f"{LIST}?view=inactive&q=active")) == ["Inactive Acme"]


@pytest.mark.sqlite_only
def test_the_pager_keeps_the_search(sign_in_as: Any) -> None:
    for _ in range(51):
        make.make_contact("Same", "Name")
    viewer = sign_in_as("viewer")
    first = viewer.page(LIST + "?q=same&view=all")
    assert len(names(first)) == 50
    assert "51 contacts" in first.text
    second = viewer.page(first.link("Next page"))
    assert len(names(second)) == 1
    assert "51 contacts" in second.text
    assert "Next page" not in second.links


@pytest.mark.sqlite_only
def test_a_long_list_is_not_counted_to_its_end(sign_in_as: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.kernel.paging.COUNTED", 3)
    for _ in range(5):
        make.make_contact()
    assert "3+ contacts" in sign_in_as("viewer").page(LIST).text


@pytest.mark.parametrize("rows", [1, 300])
def test_a_page_asks_the_database_little_however_many_rows_there_are(
    sign_in_as: Any, statements: Any, rows: int
) -> None:
    account, role = make.make_account("Acme"), make.make_role()
    for number in range(rows):
        make.make_contact("Anna", f"No{number}", account=account, roles=[role])
    owner = sign_in_as("owner")
    contact_id = queries.page(Filters(), "").rows[0].id
    for url in (
        LIST,
        LIST + "?q=anna&sort=newest",
        f"{LIST}{contact_id}",
        f"{LIST}{contact_id}/edit",
        "/staff/contacts/options?q=anna",
        "/staff/accounts/",
        f"/staff/accounts/{account.id}",
        "/staff/web-roles/",
        f"/staff/web-roles/{role.id}",
    ):
        with statements() as sent:
            owner.page(url)
        assert len(sent) <= 12, (url, sent)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("ids", [[], ["abc"], ["9" * 30], ["1", "2"], ["999"]], ids=str)
def test_an_invitation_is_offered_for_exactly_one_ticked_contact(sign_in_as: Any, ids: list[str]) -> None:
    make.make_contact("Anna")
    make.make_contact("Bea")
    response = sign_in_as("manager").get("/staff/contacts/invite", query_string={"ids": ids, "q": "an"})
    page = Page(response)
    assert response.status_code == 422
    assert "Tick exactly one contact" in page.text
    assert names(page) == ["Anna"]


@pytest.mark.sqlite_only
def test_one_ticked_contact_leads_to_its_invitation(sign_in_as: Any) -> None:
    contact = make.make_contact("Anna")
    manager = sign_in_as("manager")
    form = next(form for form in manager.page(LIST).forms if form.action == "/staff/contacts/invite")
    assert form.method == "get"
    response = manager.get(form.action, query_string={**form.values, "ids": contact.id})
    assert location(response) == f"/staff/invitations/new?contact={contact.id}"


@pytest.mark.sqlite_only
def test_those_who_may_not_create_invitations_have_nothing_to_tick(sign_in_as: Any) -> None:
    make.make_contact("Anna")
    viewer = sign_in_as("viewer")
    page = viewer.page(LIST)
    assert not page.has_button("Create Invitation")
    assert not page.all("input", name="ids")
    assert viewer.get("/staff/contacts/invite?ids=1").status_code == 403


@pytest.mark.sqlite_only
def test_a_picker_offers_active_contacts_and_tells_namesakes_apart(sign_in_as: Any) -> None:
    account = make.make_account("Acme")
    make.make_contact("Anna", "Weber", "anna@example.org", account=account)
    make.make_contact("Anna", "Away", "away@example.org", active=False)
    for _ in range(25):
        make.make_contact("Same", "Name")
    viewer = sign_in_as("viewer")
    page = viewer.page("/staff/contacts/options?name=contacts&multiple=1&contacts_q=anna")
    assert [e.text for e in page.all("label")] == ["Anna Weber anna@example.org · Acme"]
    assert page.first("input").attrs["name"] == "contacts"
    assert len(viewer.page("/staff/contacts/options?name=contacts&q=same").all("input", type="radio")) == 20
    assert not viewer.page("/staff/contacts/options?name=contacts&q=").all("input")
    assert "Nothing found" in viewer.page("/staff/contacts/options?name=contacts&q=zzz").text


def test_what_is_chosen_already_stays_although_it_is_inactive(app: Any) -> None:
    contact = make.make_contact("Anna", "Away", "away@example.org", active=False)
    assert queries.by_ids([contact.id, 999, 10**17])[0].label == "Anna Away"
    assert len(queries.by_ids([contact.id, 999])) == 1


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "first_name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "' or 1"]
)
def test_what_people_type_is_text(sign_in_as: Any, first_name: str) -> None:
    contact = make.make_contact(
        first_name, "X", account=make.make_account(first_name), roles=[make.make_role(first_name)]
    )
    owner = sign_in_as("owner")
    for url in (
        LIST,
        f"{LIST}{contact.id}",
        f"{LIST}{contact.id}/edit",
        f"{LIST}{contact.id}/deactivate",
        f"/staff/accounts/{contact.account_id}",
        "/staff/accounts/",
        "/staff/web-roles/",
        f"/staff/accounts/{contact.account_id}/delete",
        "/staff/contacts/options?q=X",
    ):
        page = owner.page(url)
        assert not page.all("img")
        assert not [e for e in page.all("script") if "src" not in e.attrs]
        assert first_name in page.text
