"""After a hundred wrong passwords in a row, and what owners do about other people's sign-ins."""

from typing import Any

import pytest

from portal.journal.models import JournalEntry
from portal.kernel.db import db, transaction
from portal.staff import services
from portal.staff.models import StaffMember
from portal.web.sessions import ServerSession
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.make import PASSWORD, make_contact, make_passkey, make_staff, set_site
from tests.support.pages import Page
from tests.support.world import set_up_token

WRONG, NEW = "another lamp over loud water", "seven quiet rivers under moonlight"
SIGN_IN = "/staff/sign-in"


def try_in(client: Client, password: str = PASSWORD) -> Any:
    return client.post_form(SIGN_IN, {"email": "manager@staff.example", "password": password})


def fail(member: StaffMember, times: int, clock: FrozenClock) -> None:
    number = member.id
    for _ in range(times):
        with transaction():
            services.sign_in_failed(number, clock.now, None, limited=False)


def failures(persona: Any) -> int:
    found: int = persona("manager").failures
    return found


def test_each_wrong_password_counts_and_the_right_one_forgets_them(
    client: Client, persona: Any, frozen_clock: FrozenClock
) -> None:
    fail(persona("manager"), 98, frozen_clock)
    assert try_in(client, WRONG).status_code == 422
    assert failures(persona) == 99
    assert try_in(client).status_code == 303
    assert failures(persona) == 0


def test_after_a_hundred_the_right_password_is_as_wrong_as_any(
    client: Client, new_client: Any, sign_in_as: Any, persona: Any, frozen_clock: FrozenClock
) -> None:
    inside = sign_in_as("manager")
    fail(persona("manager"), 100, frozen_clock)
    texts = set()
    for browser, password in ((client, PASSWORD), (new_client(), WRONG)):
        answer = try_in(browser, password)
        assert answer.status_code == 422
        texts.add(answer.text.replace(answer.headers["X-Request-ID"], "").replace(Page(answer).form().token, ""))
    assert len(texts) == 1
    assert inside.get("/staff/").status_code == 200, "open sessions go on"
    stops = db.session.scalars(db.select(JournalEntry).filter_by(action="sign-in.stopped")).all()
    assert len(stops) == 1


@pytest.mark.parametrize("url", ["/staff/confirm", "/staff/profile/password"])
def test_it_cannot_be_tried_on_inside_either(
    sign_in_as: Any, persona: Any, frozen_clock: FrozenClock, url: str
) -> None:
    inside = sign_in_as("manager")
    fail(persona("manager"), 100, frozen_clock)
    page = "/staff/profile" if "profile" in url else url
    typed = {"password": PASSWORD} if page == url else {"current": PASSWORD, "password": NEW, "confirm": NEW}
    assert inside.post_form(url, typed, page=page).status_code == 422


def test_where_the_site_has_no_lockout_passwords_may_be_tried_on(
    client: Client, persona: Any, frozen_clock: FrozenClock
) -> None:
    set_site(lockout=False)
    fail(persona("manager"), 150, frozen_clock)
    assert try_in(client).status_code == 303


def test_an_owner_unlocks(client: Client, sign_in_as: Any, persona: Any, frozen_clock: FrozenClock) -> None:
    assert failures(persona) == 0
    for _ in range(10):
        try_in(client, WRONG)
    assert client.post_form(SIGN_IN, {"email": "manager@staff.example", "password": PASSWORD}).status_code == 429
    fail(persona("manager"), 90, frozen_clock)
    owner, page = sign_in_as("owner"), f"/staff/people/{persona('manager').id}"
    assert "Locked" in owner.page("/staff/people/").text
    assert owner.post_form(f"{page}/unlock", page=page).status_code == 303
    assert failures(persona) == 0
    assert try_in(client).status_code == 303, "the waiting ended, too"


def test_a_set_up_link_unlocks(client: Client, persona: Any, frozen_clock: FrozenClock) -> None:
    fail(persona("manager"), 100, frozen_clock)
    url = f"/staff/set-up/{set_up_token(persona('manager').id)}"
    assert location(client.post_form(url, {"password": NEW, "confirm": NEW})) == "/staff/"
    assert failures(persona) == 0


def test_nobody_is_counted_for_an_address_that_is_nobodys(client: Client, persona: Any, app: Any) -> None:
    persona("manager")
    client.post_form(SIGN_IN, {"email": "nobody@staff.example", "password": WRONG})
    assert set(db.session.scalars(db.select(StaffMember.failures))) == {0}


@pytest.mark.parametrize(
    "deed", ["unlock", "end-sessions", "reset-two-factor", "identities/1/remove", "passkeys/1/remove"]
)
@pytest.mark.parametrize("who", ["manager", "viewer"])
def test_only_owners_do(sign_in_as: Any, persona: Any, dump: Any, who: str, deed: str) -> None:
    browser, number = sign_in_as(who), persona("owner").id
    token = browser.token("/staff/profile")
    before = dump()
    assert browser.post(f"/staff/people/{number}/{deed}", data={"csrf_token": token}).status_code == 403
    assert dump() == before


def test_an_owner_signs_somebody_out_everywhere(sign_in_as: Any, persona: Any) -> None:
    browsers = [sign_in_as("manager") for _ in range(2)]
    owner, page = sign_in_as("owner"), f"/staff/people/{persona('manager').id}"
    assert owner.post_form(f"{page}/end-sessions", page=page).status_code == 303
    assert [browser.get("/staff/").status_code for browser in browsers] == [303, 303]


def test_an_owner_removes_a_passkey_and_its_sessions_end(sign_in_as: Any, persona: Any) -> None:
    key = make_passkey(make_contact(), contact_id=None, staff_id=persona("manager").id)
    inside, owner = sign_in_as("manager"), sign_in_as("owner")
    page = f"/staff/people/{persona('manager').id}"
    other = make_staff(email="other@staff.example").id
    token = owner.token(page)
    wrong = owner.post(f"/staff/people/{other}/passkeys/{key.id}/remove", data={"csrf_token": token})
    assert wrong.status_code == 404
    assert owner.post_form(f"{page}/passkeys/{key.id}/remove", page=page).status_code == 303
    assert inside.get("/staff/").status_code == 303
    assert "My laptop" not in owner.page(page).first("main").text.partition("Timeline")[0]


def test_the_sessions_on_ones_own_profile(sign_in_as: Any, persona: Any) -> None:
    here, there = sign_in_as("manager"), sign_in_as("manager")
    other = sign_in_as("viewer")
    listed = here.page("/staff/profile").first(data_testid="sessions")
    assert len(listed.all("li")) == 2
    assert listed.text.count("This browser") == 1
    forms = [form for form in here.page("/staff/profile").posts if "/profile/sessions/" in form.action]
    end = next(form.action for form in forms if form.action.endswith("/end"))
    assert other.post(end, data={"csrf_token": other.token("/staff/profile")}).status_code == 404
    assert here.post(end, data={"csrf_token": forms[0].token}).status_code == 303
    assert [here.get("/staff/").status_code, there.get("/staff/").status_code] == [200, 303]
    assert other.get("/staff/").status_code == 200


def test_signing_out_everywhere_else_keeps_this_browser(sign_in_as: Any, persona: Any) -> None:
    here, there = sign_in_as("manager"), sign_in_as("manager")
    assert here.post_form("/staff/profile/sessions/end-others", page="/staff/profile").status_code == 303
    assert [here.get("/staff/").status_code, there.get("/staff/").status_code] == [200, 303]
    assert len(db.session.scalars(db.select(ServerSession.user)).all()) == 2


@pytest.mark.parametrize("deed", ["edit", "link", "activate"])
def test_changing_people_needs_a_recent_proof(
    sign_in_as: Any, persona: Any, frozen_clock: FrozenClock, dump: Any, deed: str
) -> None:
    owner, number = sign_in_as("owner"), persona("manager").id
    token = owner.token(f"/staff/people/{number}")
    frozen_clock.move(minutes=11)
    before = dump()
    answer = owner.post(f"/staff/people/{number}/{deed}", data={"csrf_token": token, "role": "owner"})
    assert location(answer).startswith("/staff/confirm")
    assert dump() == before


@pytest.mark.parametrize(
    "page", ["/staff/profile", "/staff/people/", "person", "/staff/confirm", "/staff/profile/two-factor"]
)
def test_the_pages_ask_the_database_little(sign_in_as: Any, persona: Any, statements: Any, page: str) -> None:
    owner = sign_in_as("owner")
    url = f"/staff/people/{persona('manager').id}" if page == "person" else page
    for _ in range(3):
        sign_in_as("manager")
    with statements() as sent:
        assert owner.get(url).status_code == 200
    assert len(sent) <= 12, sent
