"""What visitors can do: the one function that says so, and the real pages, over every combination of the switches."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, product

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.invitations.models import Invitation
from portal.kernel.db import db, transaction
from portal.providers.models import Provider
from portal.settings import queries
from portal.settings.queries import SiteSettings
from portal.settings.status import WAYS, Availability, Ground, availability
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.pages import Page

pytestmark = pytest.mark.sqlite_only
REGISTRATION = ("registration_enabled", "open_registration", "invitation_redemption")
SIGNING_IN = ("local_sign_in", "external_sign_in", "passkeys")
SWITCHES = (*REGISTRATION, *SIGNING_IN, "password_reset")
ALL = frozenset(WAYS)
NONE: frozenset[str] = frozenset()
Switches = dict[str, bool]


def combinations(*switches: str) -> Iterator[Switches]:
    """Every combination of these switches; the others are on."""
    for values in product((True, False), repeat=len(switches)):
        yield dict.fromkeys(SWITCHES, True) | dict(zip(switches, values, strict=True))


@pytest.fixture
def provider(app: Flask) -> Provider:
    return make.make_provider("contoso")


@pytest.fixture
def newcomer(app: Flask) -> tuple[Invitation, Contact]:
    contact = make.make_contact("New", "Comer", "new@x.example")
    return make.make_invitation(contact, sent=True), contact


@pytest.fixture
def member(app: Flask) -> tuple[Invitation, Contact]:
    contact = make.make_contact("Old", "Member", "member@x.example", username="member", verified=True)
    return make.make_invitation(contact, sent=True), contact


def offered(page: Page, *, new: bool) -> frozenset[str]:
    """The ways of signing in, or of creating a sign-in, that a page shows."""
    password = "/sign-up" if new else "/sign-in"
    typed = [form for form in page.posts if form.action in (password, "") and "password" in form.names]
    led = [href for href in page.links.values() if href.partition("?")[0] == password and not typed]
    through = [form for form in page.posts if form.action == "/sign-in/contoso"]
    passkeys = page.all("button", data_passkey="create" if new else "get")
    return frozenset(way for way, shown in zip(WAYS, (typed or led, through, passkeys), strict=True) if shown)


def review(browser: Client, invited: tuple[Invitation, Contact]) -> Page | None:
    """The review page that a mailed link leads to; None where there is none."""
    opened = browser.get(ways.link_of(*invited))
    assert opened.status_code in (303, 404)
    assert browser.get("/redeem").status_code == (200 if opened.status_code == 303 else 404)
    return browser.page("/redeem/review") if opened.status_code == 303 else None


def seen(
    new_client: Callable[[], Client], newcomer: tuple[Invitation, Contact], member: tuple[Invitation, Contact]
) -> Availability:
    """What the pages offer."""
    first, known, visitor = (new_client() for _ in range(3))
    for_new, for_known = review(first, newcomer), review(known, member)
    registering = visitor.get("/sign-up")
    assert registering.status_code in (200, 303, 404)
    assert location(registering) in ("", "/redeem")
    signing_in = visitor.page("/sign-in")
    reset = visitor.get("/forgot-password").status_code
    assert ("/forgot-password" in signing_in.html) == (reset == 200)
    return Availability(
        redeem_as_newcomer=offered(for_new, new=True) if for_new else NONE,
        redeem_with_sign_in=offered(for_known, new=False) if for_known else NONE,
        register=offered(Page(registering), new=True) if registering.status_code == 200 else NONE,
        sign_in=offered(signing_in, new=False),
        reset=reset == 200,
    )


def differences(
    cases: Iterator[Switches],
    new_client: Callable[[], Client],
    newcomer: tuple[Invitation, Contact],
    member: tuple[Invitation, Contact],
) -> list[str]:
    """Where the pages show something else than the function says."""
    found = []
    for switches in cases:
        make.set_site(**switches)
        says, shows = availability(queries.site(), queries.ground()), seen(new_client, newcomer, member)
        off = [name for name, on in switches.items() if not on]
        found += [
            f"without {off}: {name} is {getattr(shows, name)}, not {getattr(says, name)}"
            for name in vars(says)
            if getattr(says, name) != getattr(shows, name)
        ]
    return found


def test_the_pages_offer_what_the_table_says_for_every_combination(
    provider: Provider,
    new_client: Callable[[], Client],
    newcomer: tuple[Invitation, Contact],
    member: tuple[Invitation, Contact],
) -> None:
    assert differences(combinations(*SWITCHES), new_client, newcomer, member) == []


@pytest.mark.parametrize("on", [(), ("for_sign_in",), ("for_registration",)])
def test_whatever_the_provider_is_on_for(
    provider: Provider,
    on: tuple[str, ...],
    new_client: Callable[[], Client],
    newcomer: tuple[Invitation, Contact],
    member: tuple[Invitation, Contact],
) -> None:
    with transaction():
        held = db.session.get_one(Provider, provider.id)
        held.for_sign_in, held.for_registration = "for_sign_in" in on, "for_registration" in on
    assert differences(combinations("external_sign_in", "local_sign_in"), new_client, newcomer, member) == []


def test_where_no_passkey_can_be(
    make_app: Callable[..., Flask], newcomer: tuple[Invitation, Contact], member: tuple[Invitation, Contact]
) -> None:
    app = make_app(PORTAL_BASE_URL="http://127.0.0.1")

    def browser() -> Client:
        made: Client = app.test_client()  # type: ignore[assignment]
        return made

    links = [review(browser(), invited) for invited in (newcomer, member)]
    assert all(page is not None and not page.all("button", data_passkey=None) for page in links)
    assert "passkey" not in offered(browser().page("/sign-in"), new=False)
    with app.app_context():
        assert not queries.passkeys_possible()


@pytest.mark.parametrize("off", [("registration_enabled",), ("invitation_redemption",), REGISTRATION])
def test_with_registration_off_people_who_have_a_sign_in_still_sign_in(
    off: tuple[str, ...], new_client: Callable[[], Client], member: tuple[Invitation, Contact]
) -> None:
    make.set_site(**dict.fromkeys(off, False))
    browser = new_client()
    for page in ("/redeem", "/redeem?code=AAAA-BBBB-CCCC", "/register", "/redeem/review", ways.link_of(*member)):
        assert browser.get(page).status_code == 404, page
    answer = browser.post_form("/sign-in", {"identifier": "member", "password": make.PASSWORD})
    assert (answer.status_code, location(answer)) == (303, "/profile")


def test_without_passwords_none_is_taken_and_none_is_chosen(
    new_client: Callable[[], Client],
    provider: Provider,
    newcomer: tuple[Invitation, Contact],
    member: tuple[Invitation, Contact],
    dump: Callable[[], object],
) -> None:
    invited, visitor = new_client(), new_client()
    review(invited, newcomer)
    tokens = {invited: invited.token("/redeem/review"), visitor: visitor.token("/sign-in")}
    make.set_site(local_sign_in=False, open_registration=True)
    before = dump()
    typed = {**ways.STRANGER, "identifier": "member"}
    for browser, token in tokens.items():
        for url in ("/sign-in", "/sign-up", "/forgot-password"):
            assert browser.post(url, data={"csrf_token": token, **typed}).status_code == 404, url
    assert dump() == before


def test_ten_registrations_an_hour_from_one_address(new_client: Callable[[], Client], app: Flask) -> None:
    make.set_site(open_registration=True)

    def register(number: int, ip: str) -> int:
        browser = new_client()
        typed = {**ways.STRANGER, "username": f"newcomer{number}", "email": f"new{number}@x.example"}
        sent = {"csrf_token": browser.token("/sign-up"), "seen": "", **typed}
        return browser.post("/sign-up", data=sent, environ_overrides={"REMOTE_ADDR": ip}).status_code

    assert [register(number, "198.51.100.1") for number in range(11)] == [303] * 10 + [429]
    assert register(11, "198.51.100.2") == 303
    contact = make.make_contact()
    invited = new_client()
    ways.open_link(invited, make.make_invitation(contact, sent=True), contact)
    token = invited.token("/redeem/review")
    sent = {"csrf_token": token, **ways.NEW}
    answer = invited.post("/sign-up", data=sent, environ_overrides={"REMOTE_ADDR": "198.51.100.1"})
    assert (answer.status_code, location(answer)) == (303, "/welcome")


ON = SiteSettings(open_registration=True)
EVERYTHING = Ground(provider_signs_in=True, provider_registers=True, passkeys_possible=True)


@pytest.mark.parametrize(
    ("changed", "ground", "expected"),
    [
        ({}, EVERYTHING, Availability(ALL, ALL, ALL, ALL, True)),
        ({"open_registration": False}, EVERYTHING, Availability(ALL, ALL, NONE, ALL, True)),
        ({"invitation_redemption": False}, EVERYTHING, Availability(NONE, NONE, ALL, ALL, True)),
        ({"registration_enabled": False}, EVERYTHING, Availability(NONE, NONE, NONE, ALL, True)),
        ({"password_reset": False}, EVERYTHING, Availability(ALL, ALL, ALL, ALL, False)),
        ({"local_sign_in": False}, EVERYTHING, Availability(*[ALL - {"password"}] * 4, False)),
        ({"external_sign_in": False}, EVERYTHING, Availability(*[ALL - {"provider"}] * 4, True)),
        ({"passkeys": False}, EVERYTHING, Availability(*[ALL - {"passkey"}] * 4, True)),
        ({}, replace(EVERYTHING, passkeys_possible=False), Availability(*[ALL - {"passkey"}] * 4, True)),
        (
            {},
            replace(EVERYTHING, provider_registers=False),
            Availability(ALL - {"provider"}, ALL, ALL - {"provider"}, ALL, True),
        ),
        (
            {},
            replace(EVERYTHING, provider_signs_in=False),
            Availability(*[ALL - {"provider"}] * 4, True),
        ),
    ],
    ids=map(str, count()),
)
def test_what_each_switch_takes_away(changed: Switches, ground: Ground, expected: Availability) -> None:
    assert availability(replace(ON, **changed), ground) == expected
