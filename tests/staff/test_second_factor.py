"""The second factor of staff: an authenticator app and recovery codes."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pyotp
import pytest

from portal.journal.models import JournalEntry
from portal.kernel.db import db, transaction
from portal.staff import codes, services
from portal.staff.models import RecoveryCode, StaffMember
from portal.web.sessions import ServerSession
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.make import PASSWORD, make_provider, make_staff, set_site
from tests.support.pages import Page
from tests.support.world import set_up_token

SIGN_IN, VERIFY, PAGE = "/staff/sign-in", "/staff/sign-in/verify", "/staff/profile/two-factor"


@pytest.fixture(autouse=True)
def _time(frozen_clock: FrozenClock) -> None:
    """Codes go by time."""


def app_of(member: StaffMember) -> pyotp.TOTP:
    from portal.staff import queries

    return pyotp.TOTP(queries.totp_secret(member))


def shown(app: pyotp.TOTP, now: datetime, steps: int = 0) -> str:
    return app.generate_otp(int(now.timestamp()) // 30 + steps)


def turned_on(member: StaffMember, clock: FrozenClock) -> list[str]:
    """Give them a second factor; the recovery codes."""
    number = member.id
    with transaction():
        services.start_second_factor(number)
    member = db.session.get_one(StaffMember, number)
    with transaction():
        code = shown(app_of(db.session.get_one(StaffMember, number)), clock.now)
        made = services.turn_on_second_factor(number, code, member.actor(None), clock.now)[1]
    clock.move(seconds=60)
    return made


def half_in(client: Client, member: StaffMember, password: str = PASSWORD) -> Any:
    return client.post_form(SIGN_IN, {"email": member.email, "password": password})


def signed_in(client: Client) -> bool:
    return client.get("/staff/").status_code == 200


def actions() -> list[str]:
    return list(db.session.scalars(db.select(JournalEntry.action).order_by(JournalEntry.id)))


def test_setting_it_up(sign_in_as: Any, persona: Any, frozen_clock: FrozenClock) -> None:
    browser = sign_in_as("manager")
    elsewhere = sign_in_as("manager")
    assert browser.get(PAGE).status_code == 200
    assert persona("manager").totp_sealed is None, "looking starts nothing"
    assert browser.post_form(f"{PAGE}/start", page=PAGE).status_code == 303
    page = browser.page(PAGE)
    secret = page.first(data_testid="secret").text.replace(" ", "")
    assert re.fullmatch("[A-Z2-7]{32}", secret)
    assert page.first("img", cls="qr").attrs["src"].startswith("data:image/svg+xml")
    assert secret not in str(persona("manager").totp_sealed)
    wrong = browser.post_form(PAGE, {"code": "000000"})
    assert (wrong.status_code, set(Page(wrong).errors)) == (422, {"code"})
    assert not persona("manager").has_second_factor
    assert signed_in(elsewhere)
    answer = browser.post_form(PAGE, {"code": shown(pyotp.TOTP(secret), frozen_clock.now)})
    assert location(answer) == PAGE
    listed = [one.text for one in browser.page(PAGE).first(data_testid="recovery-codes").all("code")]
    assert len(set(listed)) == 10
    assert not browser.page(PAGE).all(data_testid="recovery-codes"), "shown once"
    assert persona("manager").has_second_factor
    assert not signed_in(elsewhere)
    kept = db.session.scalars(db.select(RecoveryCode.lookup)).all()
    assert len(kept) == 10
    assert not any(code.replace("-", "") in str(kept) for code in listed)
    assert "staff.second-factor-on" in actions()


def test_the_password_alone_lets_nobody_in(client: Client, persona: Any, frozen_clock: FrozenClock) -> None:
    turned_on(persona("manager"), frozen_clock)
    before = actions()
    answer = half_in(client, persona("manager"))
    assert (answer.status_code, location(answer)) == (303, VERIFY)
    for url in ("/staff/", "/staff/profile", PAGE, "/staff/confirm"):
        assert location(client.get(url)).startswith(SIGN_IN)
    assert actions() == before
    assert db.session.scalars(db.select(ServerSession.user)).all() == [None]
    code = shown(app_of(persona("manager")), frozen_clock.now)
    cookie = client.get_cookie("portal-staff")
    answer = client.post_form(VERIFY, {"code": f" {code[:3]} {code[3:]} "})
    assert (answer.status_code, location(answer)) == (303, "/staff/")
    assert signed_in(client)
    assert cookie != client.get_cookie("portal-staff")
    assert actions()[-1] == "sign-in.ok"
    assert location(client.get(VERIFY)) == "/staff/"


def test_it_leads_to_the_page_that_was_asked_for(client: Client, persona: Any, frozen_clock: FrozenClock) -> None:
    turned_on(persona("owner"), frozen_clock)
    asked = location(client.get("/staff/journal/"))
    client.post_form(asked, {"email": persona("owner").email, "password": PASSWORD})
    answer = client.post_form(VERIFY, {"code": shown(app_of(persona("owner")), frozen_clock.now)})
    assert location(answer) == "/staff/journal/"


def test_a_set_up_link_asks_for_the_code_too(client: Client, persona: Any, frozen_clock: FrozenClock) -> None:
    turned_on(persona("manager"), frozen_clock)
    new = "seven quiet rivers under moonlight"
    url = f"/staff/set-up/{set_up_token(persona('manager').id)}"
    answer = client.post_form(url, {"password": new, "confirm": new})
    assert location(answer) == VERIFY
    assert not signed_in(client)


@pytest.mark.parametrize(("steps", "fits"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_half_a_minute_off(
    client: Client, persona: Any, frozen_clock: FrozenClock, steps: int, fits: bool
) -> None:
    turned_on(persona("manager"), frozen_clock)
    frozen_clock.move(minutes=5)
    half_in(client, persona("manager"))
    client.post_form(VERIFY, {"code": shown(app_of(persona("manager")), frozen_clock.now, steps)})
    assert signed_in(client) is fits


def test_a_code_works_once(new_client: Any, persona: Any, frozen_clock: FrozenClock) -> None:
    turned_on(persona("manager"), frozen_clock)
    code = shown(app_of(persona("manager")), frozen_clock.now)
    earlier = shown(app_of(persona("manager")), frozen_clock.now, -1)
    first, second = new_client(), new_client()
    for browser in (first, second):
        half_in(browser, persona("manager"))
    assert first.post_form(VERIFY, {"code": code}).status_code == 303
    for again in (code, earlier):
        assert second.post_form(VERIFY, {"code": again}).status_code == 422
    assert not signed_in(second)


def test_a_recovery_code_works_once_and_however_it_is_typed(
    new_client: Any, persona: Any, frozen_clock: FrozenClock
) -> None:
    made = turned_on(persona("manager"), frozen_clock)
    others = turned_on(make_staff("manager", email="other@staff.example"), frozen_clock)
    first, second = new_client(), new_client()
    for browser in (first, second):
        half_in(browser, persona("manager"))
    assert second.post_form(VERIFY, {"code": others[0]}).status_code == 422
    assert first.post_form(VERIFY, {"code": made[3].lower().replace("-", " ")}).status_code == 303
    assert signed_in(first)
    assert second.post_form(VERIFY, {"code": made[3]}).status_code == 422
    assert "staff.recovery-code-used" in actions()
    assert second.post_form(VERIFY, {"code": made[4]}).status_code == 303


def test_new_recovery_codes_end_the_old_ones(
    sign_in_as: Any, client: Client, persona: Any, frozen_clock: FrozenClock
) -> None:
    browser = sign_in_as("manager")
    browser.post_form(f"{PAGE}/start", page=PAGE)
    browser.post_form(PAGE, {"code": shown(app_of(persona("manager")), frozen_clock.now)})
    old = [one.text for one in browser.page(PAGE).first(data_testid="recovery-codes").all("code")]
    assert browser.post_form(f"{PAGE}/codes", page=PAGE).status_code == 303
    new = [one.text for one in browser.page(PAGE).first(data_testid="recovery-codes").all("code")]
    assert not set(old) & set(new)
    half_in(client, persona("manager"))
    assert client.post_form(VERIFY, {"code": old[0]}).status_code == 422
    assert client.post_form(VERIFY, {"code": new[0]}).status_code == 303


def test_after_five_wrong_codes_the_password_is_asked_for_again(
    client: Client, persona: Any, frozen_clock: FrozenClock
) -> None:
    turned_on(persona("manager"), frozen_clock)
    half_in(client, persona("manager"))
    for _ in range(4):
        assert client.post_form(VERIFY, {"code": "000000"}).status_code == 422
    last = client.post_form(VERIFY, {"code": "000000"})
    assert location(last) == SIGN_IN
    assert location(client.get(VERIFY)) == SIGN_IN


def test_wrong_codes_are_throttled_though_the_password_is_right_each_time(
    client: Client, persona: Any, frozen_clock: FrozenClock
) -> None:
    turned_on(persona("manager"), frozen_clock)
    answers = []
    for _ in range(2):
        half_in(client, persona("manager"))
        answers += [client.post_form(VERIFY, {"code": "000000"}).status_code for _ in range(5)]
    half_in(client, persona("manager"))
    code = shown(app_of(persona("manager")), frozen_clock.now)
    assert client.post_form(VERIFY, {"code": code}).status_code == 429
    assert answers == [422, 422, 422, 422, 303] * 2


def test_the_hundredth_wrong_code_in_a_row_is_the_last(
    client: Client, persona: Any, sign_in_as: Any, frozen_clock: FrozenClock
) -> None:
    made = turned_on(persona("manager"), frozen_clock)
    number = persona("manager").id
    for _ in range(100):
        with transaction():
            services.code_failed(number, frozen_clock.now, None, limited=False)
    assert actions().count("sign-in.stopped") == 1
    half_in(client, persona("manager"))
    for code in (shown(app_of(persona("manager")), frozen_clock.now), made[0]):
        assert client.post_form(VERIFY, {"code": code}).status_code == 422
    owner = sign_in_as("owner")
    assert "Locked" in owner.page(f"/staff/people/{number}").text
    assert owner.post_form(f"/staff/people/{number}/unlock", page=f"/staff/people/{number}").status_code == 303
    assert client.post_form(VERIFY, {"code": made[0]}).status_code == 303
    assert signed_in(client)


def test_half_a_sign_in_lasts_ten_minutes(client: Client, persona: Any, frozen_clock: FrozenClock) -> None:
    turned_on(persona("manager"), frozen_clock)
    half_in(client, persona("manager"))
    form = client.page(VERIFY).form()
    frozen_clock.move(minutes=10)
    code = shown(app_of(persona("manager")), frozen_clock.now)
    answer = client.post(VERIFY, data={"csrf_token": form.token, "code": code})
    assert location(answer) == SIGN_IN
    assert not signed_in(client)


@pytest.mark.parametrize("deed", ["everywhere", "deactivate", "password"])
def test_whoever_is_shut_out_in_between_stays_out(
    client: Client, persona: Any, frozen_clock: FrozenClock, deed: str
) -> None:
    turned_on(persona("manager"), frozen_clock)
    half_in(client, persona("manager"))
    number, by, stored = persona("manager").id, persona("owner").actor(None), persona("manager").password_hash
    form = client.page(VERIFY).form()
    with transaction():
        if deed == "everywhere":
            services.end_sessions(number, by, frozen_clock.now)
        elif deed == "deactivate":
            services.deactivate(number, None, by, frozen_clock.now)
        else:
            services.change_password(number, (stored, "x"), by, frozen_clock.now)
    code = shown(app_of(persona("manager")), frozen_clock.now)
    assert location(client.post(VERIFY, data={"csrf_token": form.token, "code": code})) == SIGN_IN
    assert not signed_in(client)


def test_a_browser_that_owes_nothing_is_led_to_sign_in_and_remembered_nothing_of(client: Client, dump: Any) -> None:
    before = dump()
    assert location(client.get(VERIFY)) == SIGN_IN
    assert dump() == before
    assert db.session.scalars(db.select(ServerSession.id)).all() == []


def test_the_code_is_a_proof_too(sign_in_as: Any, persona: Any, frozen_clock: FrozenClock) -> None:
    browser = sign_in_as("manager")
    browser.post_form(f"{PAGE}/start", page=PAGE)
    browser.post_form(PAGE, {"code": shown(app_of(persona("manager")), frozen_clock.now)})
    frozen_clock.move(minutes=11)
    asked = location(browser.get(PAGE))
    assert asked.startswith("/staff/confirm")
    page = browser.page(asked)
    form = next(form for form in page.posts if "code" in form.names)
    wrong = browser.post(asked, data={"csrf_token": form.token, "code": "000000"})
    assert (wrong.status_code, set(Page(wrong).errors)) == (422, {"code"})
    right = shown(app_of(persona("manager")), frozen_clock.now)
    assert location(browser.post(asked, data={"csrf_token": form.token, "code": right})) == PAGE
    assert browser.get(PAGE).status_code == 200


@pytest.mark.parametrize("url", [f"{PAGE}/start", f"{PAGE}/codes", f"{PAGE}/off"])
def test_changing_it_needs_a_recent_proof(
    sign_in_as: Any, persona: Any, frozen_clock: FrozenClock, dump: Any, url: str
) -> None:
    browser = sign_in_as("manager")
    token = browser.token("/staff/profile")
    frozen_clock.move(minutes=11)
    before = dump()
    assert location(browser.post(url, data={"csrf_token": token})).startswith("/staff/confirm")
    assert dump() == before


def test_turning_it_off(sign_in_as: Any, client: Client, persona: Any, frozen_clock: FrozenClock) -> None:
    browser = sign_in_as("manager")
    browser.post_form(f"{PAGE}/start", page=PAGE)
    browser.post_form(PAGE, {"code": shown(app_of(persona("manager")), frozen_clock.now)})
    assert browser.post_form(f"{PAGE}/off", page=PAGE).status_code == 303
    assert signed_in(browser)
    assert persona("manager").totp_sealed is None
    assert db.session.scalars(db.select(RecoveryCode.id)).all() == []
    assert location(half_in(client, persona("manager"))) == "/staff/"


def test_where_the_site_asks_for_it_an_owner_sets_it_up_before_anything_else(
    sign_in_as: Any, persona: Any, frozen_clock: FrozenClock
) -> None:
    owner, manager = sign_in_as("owner"), sign_in_as("manager")
    set_site(owners_need_second_factor=True)
    assert signed_in(manager)
    for url in ("/staff/", "/staff/people/", "/staff/profile", "/staff/settings/"):
        assert location(owner.get(url)) == PAGE, url
    make_provider("acme", for_staff=True)
    token = owner.token(PAGE)
    link = owner.post("/staff/sign-in/acme", data={"csrf_token": token, "purpose": "link"})
    assert location(link) == PAGE
    assert owner.post_form(f"{PAGE}/start", page=PAGE).status_code == 303
    owner.post_form(PAGE, {"code": shown(app_of(persona("owner")), frozen_clock.now)})
    assert signed_in(owner)
    page = owner.page(PAGE)
    assert not [form for form in page.posts if form.action.endswith("/off")]
    answer = owner.post(f"{PAGE}/off", data={"csrf_token": page.posts[0].token})
    assert answer.status_code == 409
    assert persona("owner").has_second_factor


def test_another_owner_resets_it(sign_in_as: Any, client: Client, persona: Any, frozen_clock: FrozenClock) -> None:
    turned_on(persona("manager"), frozen_clock)
    url = f"/staff/people/{persona('manager').id}"
    owner = sign_in_as("owner")
    assert owner.post_form(f"{url}/reset-two-factor", page=url).status_code == 303
    assert location(half_in(client, persona("manager"))) == "/staff/"
    assert owner.post(f"{url}/reset-two-factor", data={"csrf_token": owner.token(url)}).status_code == 409


@pytest.mark.parametrize("typed", ["", "x" * 41, "١٢٣٤٥٦", "12345", "1234567", "<b>", "\x00"])
def test_whatever_is_no_code_is_refused(client: Client, persona: Any, frozen_clock: FrozenClock, typed: str) -> None:
    turned_on(persona("manager"), frozen_clock)
    half_in(client, persona("manager"))
    assert client.post_form(VERIFY, {"code": typed}).status_code == 422
    assert not signed_in(client)


def test_recovery_codes_hold_fifty_bits_and_are_read_leniently() -> None:
    made = codes.new_recovery_codes()
    assert len(set(made)) == 10
    assert all(re.fullmatch("[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}", code) for code in made)
    assert codes.plain("oil-1 0") == "01110"


@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_ten_who_type_one_code_at_once_one_is_let_in(
    app: Any, persona: Any, frozen_clock: FrozenClock, kind: str
) -> None:
    made, number = turned_on(persona("manager"), frozen_clock), persona("manager").id
    code = made[0] if kind == "recovery" else shown(app_of(persona("manager")), frozen_clock.now)
    db.session.remove()

    def once(_: int) -> bool:
        with app.app_context(), transaction():
            return services.check_code(number, code, frozen_clock.now, None)

    with ThreadPoolExecutor(10) as crowd:
        assert sorted(crowd.map(once, range(10))) == [False] * 9 + [True]
