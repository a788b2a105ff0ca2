"""After the right password: the mailed code, and a password of one's own; nobody is signed in before."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from portal.contacts.models import Contact
from portal.identity import messages
from portal.identity.models import Credential, OneTimeLink, RememberedBrowser
from portal.invitations.models import Redemption
from portal.journal.models import JournalEntry
from portal.kernel import clock, passwords
from portal.kernel.db import db, transaction
from portal.mail.models import Message
from portal.mail.outbox import Cancelled
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page

VERIFY, OWN = "/sign-in/verify", "/sign-in/new-password"
NEW = "seven quiet rivers under moonlight"
TYPED = {"identifier": "anna", "password": make.PASSWORD}


@pytest.fixture
def anna(app: Flask) -> Contact:
    make.set_site(two_factor=True)
    return make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)


def mails() -> list[Message]:
    return list(db.session.scalars(db.select(Message).filter_by(kind="second-factor").order_by(Message.id)))


def code() -> str:
    """The digits in the newest mail, as it is written at delivery."""
    made: str = messages.prepare_second_factor(mails()[-1], clock.now()).values["code"]
    assert len(made) == 6
    assert made.isdigit()
    return made


def other_than(right: str) -> str:
    return f"{(int(right) + 1) % 1_000_000:06}"


def begin(browser: Client, **more: Any) -> None:
    answer = browser.post_form("/sign-in", {**TYPED, **more})
    assert location(answer) == VERIFY


def give(browser: Client, digits: str, **more: Any) -> Any:
    return browser.post_form(VERIFY, {"code": digits, **more})


def signed_in(browser: Client) -> bool:
    return not location(browser.get("/welcome")).startswith("/sign-in")


def failures(contact_id: int) -> int:
    return db.session.get_one(Credential, contact_id).failures


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("two_factor", "verified", "asked"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_who_is_asked_for_a_code(client: Client, *, two_factor: bool, verified: bool, asked: bool) -> None:
    make.set_site(two_factor=two_factor)
    make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=verified)
    answer = client.post_form("/sign-in", TYPED)
    assert location(answer) == (VERIFY if asked else "/profile")
    assert signed_in(client) is not asked
    assert len(mails()) == asked


def test_the_code_signs_in_and_works_once(client: Client, new_client: Callable[[], Client], anna: Contact) -> None:
    begin(client)
    assert not signed_in(client)
    digits = code()
    half = client.get_cookie("portal")
    assert half is not None
    assert location(give(client, f" {digits[:3]} {digits[3:]} ")) == "/profile"
    assert signed_in(client)
    replayed = new_client()
    replayed.set_cookie("portal", half.value)
    assert location(replayed.get(VERIFY)) == "/sign-in"
    begin(again := new_client())
    assert code() != digits
    assert give(again, digits).status_code == 422


@pytest.mark.sqlite_only
@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12a456", "١٢٣٤٥٦٧", "-1.5e5"])
def test_what_is_no_code_counts_for_nothing(client: Client, anna: Contact, typed: str) -> None:
    begin(client)
    number = anna.id
    for _ in range(6):
        assert give(client, typed).status_code == 422
    assert failures(number) == 0
    assert location(give(client, code())) == "/profile"


def test_five_wrong_codes_end_it(client: Client, anna: Contact) -> None:
    begin(client)
    digits = code()
    assert [give(client, other_than(digits)).status_code for _ in range(5)] == [422] * 4 + [303]
    assert location(client.get(VERIFY)) == "/sign-in"
    assert db.session.scalars(db.select(OneTimeLink.used_at)).one() is not None
    assert failures(anna.id) == 5
    actions = db.session.scalars(db.select(JournalEntry.action)).all()
    assert actions.count("sign-in.failed") == 5
    assert "sign-in.ok" not in actions


def test_many_tries_at_once_get_no_more_than_five_answers(client: Client, anna: Contact, app: Flask) -> None:
    begin(client)
    digits, token, cookie = code(), client.token(VERIFY), client.get_cookie("portal")
    assert cookie is not None

    def guess(n: int) -> int:
        browser = app.test_client()
        browser.set_cookie("portal", cookie.value)
        typed = other_than(digits) if n < 24 else digits
        return browser.post(VERIFY, data={"csrf_token": token, "code": typed}).status_code

    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(guess, range(25)))
    assert answers.count(422) <= 4
    assert 500 not in answers
    assert db.session.scalar(db.select(JournalEntry.id).filter_by(action="sign-in.ok")) is None


def test_a_right_code_sent_many_times_at_once_signs_in_once(client: Client, anna: Contact, app: Flask) -> None:
    begin(client)
    digits, token, cookie = code(), client.token(VERIFY), client.get_cookie("portal")
    assert cookie is not None

    def enter(_n: int) -> int:
        browser = app.test_client()
        browser.set_cookie("portal", cookie.value)
        return browser.post(VERIFY, data={"csrf_token": token, "code": digits}).status_code

    with ThreadPoolExecutor(5) as crowd:
        assert set(crowd.map(enter, range(5))) <= {303, 400, 422}
    actions = db.session.scalars(db.select(JournalEntry.action)).all()
    assert actions.count("sign-in.ok") == 1


def test_a_known_password_buys_no_endless_guesses(client: Client, anna: Contact, frozen_clock: FrozenClock) -> None:
    number = anna.id
    for _ in range(2):
        begin(client)
        for _try in range(5):
            give(client, other_than(code()))
    assert failures(number) == 10
    assert client.post_form("/sign-in", TYPED).status_code == 429
    frozen_clock.move(seconds=31)
    begin(client)
    assert failures(number) == 10, "the right password alone forgets nothing"
    assert give(client, other_than(code())).status_code == 422
    assert give(client, code()).status_code == 429
    frozen_clock.move(seconds=61)
    assert location(give(client, code())) == "/profile"
    assert failures(number) == 0


@pytest.mark.sqlite_only
def test_a_hundred_failures_stop_the_code_too(client: Client, anna: Contact) -> None:
    with transaction():
        db.session.get_one(Credential, anna.id).failures = 99
    begin(client)
    give(client, other_than(code()))
    assert client.post_form("/sign-in", TYPED).status_code == 422


@pytest.mark.sqlite_only
def test_a_code_lives_ten_minutes(client: Client, anna: Contact, frozen_clock: FrozenClock) -> None:
    begin(client)
    digits = code()
    frozen_clock.move(minutes=10)
    assert give(client, digits).status_code == 422
    with pytest.raises(Cancelled):
        code()
    assert location(client.post_form(f"{VERIFY}/resend", page=VERIFY)) == VERIFY
    assert location(give(client, code())) == "/profile"


@pytest.mark.sqlite_only
def test_whoever_takes_half_an_hour_starts_again(client: Client, anna: Contact, frozen_clock: FrozenClock) -> None:
    begin(client)
    frozen_clock.move(minutes=30)
    assert location(client.get(VERIFY)) == "/sign-in"


def test_a_new_code_ends_the_one_before_and_three_are_all(client: Client, anna: Contact) -> None:
    begin(client)
    first = code()
    for n in range(3):
        assert location(client.post_form(f"{VERIFY}/resend", page=VERIFY)) == VERIFY
        assert len(mails()) == n + 2
    assert give(client, first).status_code == 422 or first == code()
    page = client.page(VERIFY)
    assert "Send me a new code" not in page.text
    token = page.form(VERIFY).token
    assert client.post(f"{VERIFY}/resend", data={"csrf_token": token}).status_code == 303
    assert len(mails()) == 4
    with pytest.raises(Cancelled):
        messages.prepare_second_factor(mails()[0], clock.now())
    assert location(give(client, code())) == "/profile"


@pytest.mark.sqlite_only
def test_no_mailbox_is_filled_by_signing_in(
    new_client: Callable[[], Client], anna: Contact, frozen_clock: FrozenClock
) -> None:
    for _ in range(12):
        begin(new_client())
    answer = new_client().post_form("/sign-in", TYPED)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) <= 3600
    assert len(mails()) == 12


@pytest.mark.sqlite_only
def test_the_code_of_somebody_else_is_none(new_client: Callable[[], Client], anna: Contact) -> None:
    make.make_contact("Bruno", "Costa", "bruno@x.example", username="bruno", verified=True)
    hers, his = new_client(), new_client()
    begin(hers)
    of_anna = code()
    begin(his, identifier="bruno")
    assert code() != of_anna
    assert give(his, of_anna).status_code == 422
    assert not signed_in(his)


@pytest.mark.sqlite_only
def test_half_a_sign_in_opens_nothing(client: Client, anna: Contact, dump: Callable[[], Any]) -> None:
    invitation = make.make_invitation(anna, sent=True)
    client.get("/redeem", query_string={"code": make.code_of(invitation)})
    begin(client)
    for path in ("/profile", "/profile/password", "/welcome"):
        assert location(client.get(path)).startswith("/sign-in?next=")
    before = dump()
    token = client.token(VERIFY)
    assert location(client.post("/redeem/accept", data={"csrf_token": token})) == "/redeem/review"
    for _ in range(3):
        client.get(VERIFY)
        client.head(VERIFY)
    assert dump() == before


@pytest.mark.sqlite_only
def test_without_the_password_there_is_nothing_to_verify(client: Client, anna: Contact) -> None:
    for path in (VERIFY, OWN):
        assert location(client.get(path)) == "/sign-in"
        token = client.token("/sign-in")
        assert location(client.post(path, data={"csrf_token": token, "code": "123456"})) == "/sign-in"
    assert location(client.post(f"{VERIFY}/resend", data={"csrf_token": client.token("/sign-in")})) == "/sign-in"
    assert mails() == []


@pytest.mark.parametrize("shut_out", [{"active": False}, {"epoch": 7}])
def test_whoever_is_shut_out_meanwhile_stays_out(client: Client, anna: Contact, shut_out: dict[str, Any]) -> None:
    begin(client)
    token, digits = client.token(VERIFY), code()
    with transaction():
        person = db.session.get_one(Contact, anna.id)
        for name, value in shut_out.items():
            setattr(person, name, value)
    assert location(client.post(VERIFY, data={"csrf_token": token, "code": digits})) == "/sign-in"
    assert not signed_in(client)


@pytest.mark.sqlite_only
def test_a_code_to_an_address_that_changed_is_worth_nothing(client: Client, anna: Contact) -> None:
    begin(client)
    digits = code()
    with transaction():
        db.session.get_one(Contact, anna.id).email1_key = "new@x.example"
    assert give(client, digits).status_code == 422
    with pytest.raises(Cancelled):
        code()


@pytest.mark.sqlite_only
def test_whoever_was_signed_in_before_is_signed_out(sign_in_as: Callable[..., Client], anna: Contact) -> None:
    bruno = make.make_contact("Bruno", "Costa", username="bruno")
    browser = sign_in_as(bruno)
    token = browser.token("/")
    assert location(browser.post("/sign-in", data={**TYPED, "csrf_token": token})) == VERIFY
    assert not signed_in(browser)
    assert location(give(browser, code())) == "/profile"
    assert "Anna Weber" in browser.page("/").text


def test_the_invitation_waits_and_is_accepted_by_the_code(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    client.get("/redeem", query_string={"code": make.code_of(invitation)})
    review = client.page("/redeem/review")
    assert "Sign in and accept" in review.text
    answer = client.post_form("/sign-in?next=/redeem/review", TYPED)
    assert location(answer) == VERIFY
    assert "Back to the invitation" in client.page(VERIFY).text
    assert client.page(VERIFY).has_button("Sign in and accept")
    assert location(give(client, code())) == "/welcome"
    assert db.session.scalars(db.select(Redemption)).one().signed_in_by == "password"


@pytest.mark.sqlite_only
def test_an_invitation_that_came_in_between_is_not_accepted(client: Client, anna: Contact) -> None:
    seen, other = make.make_invitation(anna, sent=True), make.make_invitation(anna, sent=True)
    codes = make.code_of(seen), make.code_of(other)
    client.get("/redeem", query_string={"code": codes[0]})
    client.get("/redeem/review")
    assert location(client.post_form("/sign-in?next=/redeem/review", TYPED)) == VERIFY
    client.get("/redeem", query_string={"code": codes[1]})
    client.get("/redeem/review")
    assert location(give(client, code())) == "/redeem/review"
    assert db.session.scalars(db.select(Redemption)).all() == []


@pytest.mark.sqlite_only
def test_where_one_was_going_is_kept(client: Client, anna: Contact) -> None:
    assert location(client.post_form("/sign-in?next=/profile/password", TYPED)) == VERIFY
    assert location(give(client, code())) == "/profile/password"
    for _ in range(2):
        client.post_form("/sign-out", page="/")
        assert location(client.post_form("/sign-in?next=//evil.example/", TYPED)) == VERIFY
        assert location(give(client, code())) == "/profile"


@pytest.mark.sqlite_only
def test_staying_signed_in_waits_for_the_code(client: Client, anna: Contact) -> None:
    begin(client, remember=True)
    assert client.get_cookie("portal-stay") is None
    assert give(client, code()).status_code == 303
    assert client.get_cookie("portal-stay") is not None


def test_a_remembered_browser_is_spared_the_code(
    client: Client, new_client: Callable[[], Client], anna: Contact
) -> None:
    begin(client)
    assert give(client, code(), remember_browser=True).status_code == 303
    first = client.get_cookie("portal-known")
    assert first is not None
    for _ in range(3):
        client.post_form("/sign-out", page="/")
        assert location(client.post_form("/sign-in", TYPED)) == "/profile"
    assert db.session.scalars(db.select(RememberedBrowser.purpose)).all() == ["second"]
    begin(new_client())
    copied = new_client()
    copied.set_cookie("portal-known", first.value)
    begin(copied)
    assert db.session.scalars(db.select(RememberedBrowser)).all() == [], "an old cookie was copied: asked again"
    assert signed_in(client)


@pytest.mark.sqlite_only
@pytest.mark.parametrize("why", ["not asked for", "setting", "another person", "password", "30 days", "garbage"])
def test_a_browser_that_is_not_remembered_is_asked(
    client: Client, anna: Contact, frozen_clock: FrozenClock, why: str
) -> None:
    make.make_contact("Bruno", "Costa", "bruno@x.example", username="bruno", verified=True)
    begin(client)
    give(client, code(), remember_browser=why != "not asked for")
    client.post_form("/sign-out", page="/")
    if why == "setting":
        make.set_site(remember_browser=False)
    if why == "password":
        with transaction():
            db.session.get_one(Contact, anna.id).epoch += 1
    if why == "30 days":
        frozen_clock.move(days=30)
    if why == "garbage":
        client.set_cookie("portal-known", "x.\x7f" * 500)
    begin(client, identifier="bruno" if why == "another person" else "anna")
    page = client.page(VERIFY)
    assert ("remember_browser" in page.form(VERIFY).values or "30 days" in page.text) is (why != "setting")


@pytest.mark.sqlite_only
def test_without_the_setting_no_browser_is_remembered(client: Client, anna: Contact) -> None:
    make.set_site(remember_browser=False)
    begin(client)
    token = client.token(VERIFY)
    data = {"csrf_token": token, "code": code(), "remember_browser": "y"}
    assert location(client.post(VERIFY, data=data)) == "/profile"
    assert db.session.scalars(db.select(RememberedBrowser)).all() == []


def test_the_code_is_stored_nowhere(client: Client, anna: Contact, dump: Callable[[], Any]) -> None:
    begin(client)
    digits = code()
    rows = [row for table, found in dump().items() for row in found]
    texts = [value for row in rows for value in row if isinstance(value, str) and not value.startswith("$argon2")]
    assert not [text for text in texts if text == digits or f'"{digits}"' in text]
    assert digits not in str(mails()[0].detail)


@pytest.mark.sqlite_only
def test_what_the_page_shows_of_the_address(client: Client, anna: Contact) -> None:
    begin(client)
    page = client.page(VERIFY)
    assert "a***@x.example" in page.text
    assert "anna@x.example" not in page.text
    assert page.form(VERIFY).values["code"] == [""]


@pytest.mark.sqlite_only
def test_every_failure_costs_the_same_with_a_second_factor(
    new_client: Callable[[], Client], anna: Contact, monkeypatch: pytest.MonkeyPatch, statements: Callable[[], Any]
) -> None:
    make.make_contact(email1="unproven@x.example", username="unproven")
    make.make_contact(username="gone", active=False)
    nothing = make.make_contact("No", "Password", "nothing@x.example", username="nothing", verified=True)
    stopped = make.make_contact(username="stopped")
    with transaction():
        db.session.get_one(Credential, nothing.id).password_hash = None
        db.session.get_one(Credential, stopped.id).failures = 100
    hashes: list[str | None] = []
    verify = passwords.verify_password
    monkeypatch.setattr(
        "portal.identity.services.local.verify_password",
        lambda stored, text: (hashes.append(stored), verify(stored, text))[1],
    )
    sent, texts = {}, set()
    for identifier in (
        "nobody",
        "anna",
        "nobody@x.example",
        "anna@x.example",
        "unproven",
        "gone",
        "nothing",
        "stopped",
    ):
        browser = new_client()
        token = browser.token("/sign-in")
        data = {"csrf_token": token, "identifier": identifier, "password": "this is not the password"}
        with statements() as counting:
            answer = browser.post("/sign-in", data=data)
        assert answer.status_code == 422
        sent[identifier] = len(counting)
        texts.add(Page(answer).first(cls="error-summary").text)
    assert len(hashes) == len(sent)
    assert len(set(sent.values())) == 1, sent
    assert len(texts) == 1
    assert mails() == []


@pytest.fixture
def temporary(app: Flask) -> Contact:
    contact = make.make_contact("Anna", "Weber", "anna@x.example", username="anna", verified=True)
    with transaction():
        db.session.get_one(Credential, contact.id).must_change = True
    return contact


def test_a_temporary_password_is_changed_before_anything_else(client: Client, temporary: Contact) -> None:
    number = temporary.id
    assert location(client.post_form("/sign-in?next=/profile/password", TYPED)) == OWN
    assert not signed_in(client)
    assert location(client.get(VERIFY)) == "/sign-in?next=/profile/password"
    for typed, fault in (
        ({"password": "short", "confirm": "short"}, 422),
        ({"password": NEW, "confirm": "another one"}, 422),
        ({"password": make.PASSWORD, "confirm": make.PASSWORD}, 422),
        ({"password": "anna weber anna weber", "confirm": "anna weber anna weber"}, 422),
    ):
        assert client.post_form(OWN, typed).status_code == fault
    assert db.session.get_one(Credential, number).must_change
    assert location(client.post_form(OWN, {"password": NEW, "confirm": NEW})) == "/profile/password"
    assert signed_in(client)
    held = db.session.get_one(Credential, number)
    assert not held.must_change
    assert db.session.scalars(db.select(Message.kind)).all() == ["password-changed"]
    client.post_form("/sign-out", page="/")
    assert client.post_form("/sign-in", TYPED).status_code == 422
    assert location(client.post_form("/sign-in", {**TYPED, "password": NEW})) == "/profile"


def test_a_temporary_password_set_anew_meanwhile_ends_the_old_one(client: Client, temporary: Contact) -> None:
    assert location(client.post_form("/sign-in", TYPED)) == OWN
    token = client.token(OWN)
    with transaction():
        db.session.get_one(Contact, temporary.id).epoch += 1
    data = {"csrf_token": token, "password": NEW, "confirm": NEW}
    assert location(client.post(OWN, data=data)) == "/sign-in"
    assert db.session.get_one(Credential, temporary.id).must_change


@pytest.mark.sqlite_only
def test_the_code_comes_before_the_new_password(client: Client, temporary: Contact) -> None:
    make.set_site(two_factor=True)
    begin(client, remember=True)
    assert location(client.get(OWN)) == "/sign-in"
    assert location(give(client, code())) == OWN
    assert not signed_in(client)
    assert location(client.get(VERIFY)) == "/sign-in"
    assert location(client.post_form(OWN, {"password": NEW, "confirm": NEW})) == "/profile"
    assert client.get_cookie("portal-stay") is not None


def test_a_temporary_password_accepts_an_invitation_in_the_end(client: Client, temporary: Contact) -> None:
    invitation = make.make_invitation(temporary, sent=True)
    client.get("/redeem", query_string={"code": make.code_of(invitation)})
    client.get("/redeem/review")
    assert location(client.post_form("/sign-in?next=/redeem/review", TYPED)) == OWN
    assert db.session.scalars(db.select(Redemption)).all() == []
    assert location(client.post_form(OWN, {"password": NEW, "confirm": NEW})) == "/welcome"


@pytest.mark.sqlite_only
def test_without_local_sign_in_there_is_no_password_anywhere(client: Client, anna: Contact) -> None:
    begin(client)
    token = client.token(VERIFY)
    make.set_site(local_sign_in=False)
    page = client.page("/sign-in")
    assert "password" not in {name for form in page.posts for name in form.values}
    for path in ("/sign-in", "/sign-up", VERIFY, f"{VERIFY}/resend", OWN):
        assert client.post(path, data={**TYPED, "csrf_token": token, "code": "123456"}).status_code == 404
    for path in (VERIFY, OWN):
        assert client.get(path).status_code == 404


@pytest.mark.sqlite_only
def test_by_address_alone_where_the_site_says_so(client: Client, anna: Contact) -> None:
    make.set_site(two_factor=False, sign_in_by_email_only=True)
    assert "Username" not in client.page("/sign-in").text
    assert client.post_form("/sign-in", TYPED).status_code == 422
    assert location(client.post_form("/sign-in", {**TYPED, "identifier": "anna@x.example"})) == "/profile"


@pytest.mark.sqlite_only
def test_the_one_provider_behind_sign_in(client: Client, anna: Contact) -> None:
    make.make_provider(slug="acme")
    make.set_site(only_provider="acme")
    page = client.page("/sign-in?next=/profile/password")
    assert "password" not in {name for form in page.posts for name in form.values}
    asked = page.link("Sign in with a password instead")
    assert location(client.post_form(asked, TYPED)) == VERIFY
    assert location(give(client, code())) == "/profile/password"
    make.set_site(only_provider="gone")
    client.post_form("/sign-out", page="/")
    assert "password" in client.page("/sign-in").form("/sign-in").values


@pytest.mark.sqlite_only
def test_a_hundred_wrong_passwords_from_twenty_addresses_lock_nobody_out(
    client: Client, anna: Contact, frozen_clock: FrozenClock
) -> None:
    make.set_site(two_factor=False)
    token = client.token("/sign-in")
    data = {"csrf_token": token, "identifier": "anna", "password": "this is not the password"}
    number = anna.id
    for n in range(100):
        client.post("/sign-in", data=data, environ_base={"REMOTE_ADDR": f"192.0.2.{n % 20}"})
    assert failures(number) == 10
    assert client.post_form("/forgot-password", {"identifier": "anna"}).status_code == 303
    frozen_clock.move(minutes=15)
    assert location(client.post_form("/sign-in", TYPED)) == "/profile"
    assert failures(number) == 0
