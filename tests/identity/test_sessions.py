"""Where somebody is signed in: they see it, and can end it there; nobody else can."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.identity.models import RememberedBrowser
from portal.journal.models import JournalEntry
from portal.kernel.db import db
from portal.web import devices
from portal.web.sessions import ServerSession
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.databases import Rows

PAGE = "/profile/devices/"
SignInAs = Callable[[Contact], Client]


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


def handles(browser: Client) -> list[str]:
    return [f.values["device"][0] for f in browser.page(PAGE).posts if "device" in f.names]


def end(browser: Client, handle: str) -> int:
    data = {"csrf_token": browser.token(PAGE), "device": handle}
    return browser.post("/profile/devices/end", data=data).status_code


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0", "Firefox on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605 Version/17.5 Safari/605.1", "Safari on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Version/17.0 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Linux; Android 14) Chrome/128.0 Mobile Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/128.0 Safari/537.36 Edg/128.0", "Edge on Windows"),
        ("curl/8.0", "Another browser"),
        ("", "Another browser"),
    ],
)
@pytest.mark.sqlite_only
def test_browsers_are_called_by_their_names(app: object, agent: str, name: str) -> None:
    assert devices.browser(agent) == name


@pytest.mark.sqlite_only
def test_it_lists_ones_own_sessions_alone_and_no_secret(sign_in_as: SignInAs, anna: Contact) -> None:
    ben = make.make_contact("Ben", username="ben")
    sign_in_as(ben)
    here, _there = sign_in_as(anna), sign_in_as(anna)
    page = here.page(PAGE)
    assert len(page.testid("devices").all("li")) == 2
    assert page.testid("devices").text.count("This one") == 1
    assert len(handles(here)) == 1
    for row in db.session.scalars(db.select(ServerSession)):
        assert row.id not in here.get(PAGE).text
    assert here.get_cookie("portal").value not in here.get(PAGE).text  # type: ignore[union-attr]


def test_signing_out_there(sign_in_as: SignInAs, anna: Contact) -> None:
    here, there, third = (sign_in_as(anna) for _ in range(3))
    (kept,) = [h for h in handles(here) if h not in handles(there)]  # the one that is `there`, seen from here
    assert end(here, kept) == 303
    assert location(there.get("/profile")) == "/sign-in?next=/profile"
    assert [browser.get("/profile").status_code for browser in (here, third)] == [200, 200]
    assert db.session.scalars(db.select(JournalEntry).filter_by(action="credential.signed-out-there")).one()


@pytest.mark.sqlite_only
def test_it_ends_the_remembered_browser_too(sign_in_as: SignInAs, anna: Contact) -> None:
    here, there = sign_in_as(anna), sign_in_as(anna)
    kept = make.make_remembered(anna).id
    with there.session_transaction() as session:
        session["stay"] = kept
    for handle in handles(here):
        end(here, handle)
    assert db.session.get(RememberedBrowser, kept) is None


@pytest.mark.sqlite_only
def test_somebody_elses_session_is_not_there(sign_in_as: SignInAs, anna: Contact, dump: Callable[[], Rows]) -> None:
    ben = make.make_contact("Ben", username="ben")
    his, second = sign_in_as(ben), sign_in_as(ben)
    kept = make.make_remembered(ben)
    mine = sign_in_as(anna)
    foreign = handles(second)[0]
    before = dump()
    assert end(mine, foreign) == end(mine, "") == end(mine, "0" * 32) == 404
    data = {"csrf_token": mine.token(PAGE)}
    assert mine.post(f"/profile/devices/remembered/{kept.id}/forget", data=data).status_code == 404
    assert dump() == before
    assert his.get("/profile").status_code == 200


def test_everywhere_else(sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock) -> None:
    here, there = sign_in_as(anna), sign_in_as(anna)
    make.make_remembered(anna)
    make.make_remembered(anna, purpose="second")
    frozen_clock.move(minutes=11)
    before = here.get_cookie("portal").value  # type: ignore[union-attr]
    assert location(here.post_form("/profile/devices/end-others", {}, page=PAGE)) == PAGE
    assert here.get("/profile").status_code == 200
    assert here.get_cookie("portal").value != before  # type: ignore[union-attr]
    assert there.get("/profile").status_code == 303
    assert not db.session.scalars(db.select(RememberedBrowser)).all()
    # It is no proof of who is there.
    assert location(here.get("/profile/email")).startswith("/sign-in/again")


@pytest.mark.sqlite_only
def test_ones_own_remembered_browser_stays(sign_in_as: SignInAs, anna: Contact) -> None:
    here, mine = sign_in_as(anna), make.make_remembered(anna)
    with here.session_transaction() as session:
        session["stay"] = mine.id
    here.post_form("/profile/devices/end-others", {}, page=PAGE)
    kept = db.session.get_one(RememberedBrowser, mine.id)
    assert kept.epoch == db.session.get_one(Contact, anna.id).epoch == 1
    assert "This one" in here.page(PAGE).testid("remembered").text


@pytest.mark.sqlite_only
def test_forgetting_a_browser(sign_in_as: SignInAs, anna: Contact) -> None:
    here, kept = sign_in_as(anna), make.make_remembered(anna).id
    make.make_remembered(anna, epoch=7)  # of a time before: it is not shown
    assert len(here.page(PAGE).testid("remembered").all("li")) == 1
    here.post_form(f"/profile/devices/remembered/{kept}/forget", {}, page=PAGE)
    assert db.session.get(RememberedBrowser, kept) is None


@pytest.mark.sqlite_only
def test_sessions_that_are_over_are_not_listed(
    sign_in_as: SignInAs, anna: Contact, frozen_clock: FrozenClock, statements: Callable[[], object]
) -> None:
    sign_in_as(anna)
    frozen_clock.move(hours=25)
    here = sign_in_as(anna)
    assert len(here.page(PAGE).testid("devices").all("li")) == 1
    with statements() as sent:  # type: ignore[attr-defined]
        here.get(PAGE)
    assert len(sent) <= 12
