from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any
from zoneinfo import available_timezones

import pytest
from flask import Flask

from portal.journal.fields import field
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, transaction
from portal.kernel.errors import Stale
from portal.providers.models import Provider
from portal.settings import services
from portal.settings.models import SiteSettingsRow
from portal.settings.queries import SiteSettings, site
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock
from tests.support.make import PASSWORD, make_provider, set_site
from tests.support.pages import Page

URL = "/staff/settings/"
REFERENCE_NAMES = {
    "Enabled",
    "OpenRegistrationEnabled",
    "InvitationEnabled",
    "LocalLoginEnabled",
    "ExternalLoginEnabled",
    "LocalLoginByEmail",
    "RememberMeEnabled",
    "ResetPasswordEnabled",
    "ResetPasswordRequiresConfirmedEmail",
    "TwoFactorEnabled",
    "RememberBrowserEnabled",
    "LoginButtonAuthenticationType",
}


@pytest.fixture
def owner(sign_in_as: Any) -> Client:
    browser: Client = sign_in_as("owner")
    return browser


@pytest.mark.parametrize("who", ["manager", "editor", "viewer", "nobody", "invitee"])
@pytest.mark.sqlite_only
def test_only_owners_see_and_change_the_settings(sign_in_as: Any, who: str) -> None:
    browser = sign_in_as(who)
    refused = 303 if who in ("nobody", "invitee") else 403
    assert browser.get(URL).status_code == refused
    token = browser.token("/staff/profile" if refused == 403 else "/staff/sign-in")
    answer = browser.post(URL, data={"csrf_token": token, "name": "Mine", "timezone": "UTC", "version": "0"})
    assert answer.status_code == refused
    assert site().version == 0


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "Portal\x0bX-Evil: yes"}, "name"),
        ({"name": "Portal\u2028Bcc: x"}, "name"),
        ({"timezone": ""}, "timezone"),
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"timezone": "/etc/localtime"}, "timezone"),
        ({"timezone": "UTC\x00"}, "timezone"),
        ({"default_expiry_days": "0"}, "default_expiry_days"),
        ({"default_expiry_days": "-1"}, "default_expiry_days"),
        ({"default_expiry_days": "1.5"}, "default_expiry_days"),
        ({"default_expiry_days": "ten"}, "default_expiry_days"),
        ({"default_expiry_days": "3651"}, "default_expiry_days"),
        ({"default_expiry_days": "9" * 40}, "default_expiry_days"),
        ({"default_expiry_days": "٣"}, "default_expiry_days"),
        ({"minimum_password_length": ""}, "minimum_password_length"),
        ({"minimum_password_length": "7"}, "minimum_password_length"),
        ({"minimum_password_length": "65"}, "minimum_password_length"),
        ({"minimum_password_length": "-15"}, "minimum_password_length"),
        ({"local_sign_in": False, "external_sign_in": False, "passkeys": False}, "local_sign_in"),
        ({"local_sign_in": False, "passkeys": False}, "local_sign_in"),
        ({"only_provider": "nobody"}, "only_provider"),
        ({"only_provider": "../sign-in"}, "only_provider"),
    ],
)
@pytest.mark.sqlite_only
def test_what_cannot_be_set_is_refused_beside_the_field(owner: Client, typed: dict[str, Any], field: str) -> None:
    page = Page(owner.post_form(URL, typed))
    assert (page.status, list(page.errors)) == (422, [field])
    assert site().version == 0


@pytest.mark.parametrize("version", ["", "x", "-1", None])
@pytest.mark.sqlite_only
def test_settings_without_their_version_are_refused(owner: Client, version: str | None) -> None:
    assert owner.post_form(URL, {"name": "Changed", "version": version}).status_code == 422
    assert site().version == 0


@pytest.mark.parametrize("saved_before", [False, True])
def test_a_stale_edit_shows_both_versions_and_saves_nothing(owner: Client, saved_before: bool) -> None:
    if saved_before:
        set_site(name="First")
    page = owner.page(URL)
    mine = {name: values[0] for name, values in page.form(URL).values.items()} | {"name": "Mine"}
    assert owner.post_form(URL, {"name": "Theirs", "timezone": "Europe/Berlin"}).status_code == 303
    answer = Page(owner.post(URL, data=mine))
    assert answer.status == 409
    versions = answer.testid("versions").text
    for said in ("Name of the site Theirs Mine", "Time zone Europe/Berlin UTC"):
        assert said in versions
    assert "Open registration" not in versions
    form = answer.form(URL)
    assert form.values["name"] == ["Mine"]
    assert site().name == "Theirs"
    again = {name: values[0] for name, values in form.values.items()}
    assert owner.post(URL, data=again).status_code == 303
    assert (site().name, site().timezone) == ("Mine", "UTC")


def test_of_several_first_edits_at_once_one_succeeds(app: Flask) -> None:
    def save(n: int) -> str:
        with app.app_context():
            try:
                with transaction():
                    services.update(SiteSettings(name=f"Portal {n}"), SYSTEM, clock.now())
            except Stale:
                return "stale"
            return "done"

    with ThreadPoolExecutor(4) as crowd:
        assert sorted(crowd.map(save, range(4))) == ["done", "stale", "stale", "stale"]


def test_what_is_set_is_in_force_and_journalled_with_both_values(owner: Client) -> None:
    typed = {
        "name": "Supplier Portal",
        "timezone": "Europe/Berlin",
        "default_expiry_days": "",
        "open_registration": True,
    }
    answer = owner.post_form(URL, {**typed, "registration_enabled": False, "secret_key": "x", "id": "9"})
    assert location(answer) == URL
    now = site()
    assert (now.name, now.timezone, now.default_expiry_days) == ("Supplier Portal", "Europe/Berlin", None)
    assert (now.registration_enabled, now.open_registration, now.invitation_redemption) == (False, True, True)
    entry = db.session.scalars(db.select(JournalEntry).where(JournalEntry.action == "settings.updated")).one()
    assert entry.detail["changes"] == {
        "name": ["Invitation Portal", "Supplier Portal"],
        "timezone": ["UTC", "Europe/Berlin"],
        "default_expiry_days": [30, None],
        "registration_enabled": [True, False],
        "open_registration": [False, True],
    }
    assert "Supplier Portal" in owner.page("/staff/").title
    assert db.session.scalars(db.select(SiteSettingsRow.id)).all() == [1]


def test_the_form_shows_what_is_set_and_the_reference_names(owner: Client) -> None:
    set_site(name="Supplier Portal", timezone="America/Argentina/Buenos_Aires", default_expiry_days=None)
    page = owner.page(URL)
    values = page.form(URL).values
    assert values["name"] == ["Supplier Portal"]
    assert values["timezone"] == ["America/Argentina/Buenos_Aires"]
    assert values["default_expiry_days"] == [""]
    assert "open_registration" not in values
    shown = {element.text for element in page.all("code", cls="reference-name")}
    assert shown == {f"Registration/{name}" for name in REFERENCE_NAMES}


def test_every_setting_has_a_field_and_every_switch_can_be_turned(owner: Client) -> None:
    names = [one.name for one in fields(SiteSettings)]
    assert set(names) <= owner.page(URL).form(URL).names
    switches = [one.name for one in fields(SiteSettings) if one.type in (bool, "bool")]
    keep = {"local_sign_in", "external_sign_in", "passkeys"}  # turned one by one below: not all may be off
    before = {name: getattr(site(), name) for name in switches}
    apart = {"owners_need_second_factor"}  # which leads this owner, who has none, away from here
    turned = {name: not value for name, value in before.items() if name not in keep | apart}
    assert owner.post_form(URL, {**turned, "minimum_password_length": "8"}).status_code == 303
    assert {name: getattr(site(), name) for name in turned} == turned
    assert site().minimum_password_length == 8
    for name in sorted(keep):
        assert owner.post_form(URL, {name: False}).status_code == 303
        assert not getattr(site(), name)
        assert owner.post_form(URL, {name: True}).status_code == 303
    assert owner.post_form(URL, {"owners_need_second_factor": True}).status_code == 303
    assert location(owner.get(URL)) == "/staff/profile/two-factor"


def test_the_journal_names_each_setting_as_the_page_does(owner: Client) -> None:
    page = owner.page(URL)
    shown = {element.attrs["for"]: element.text.rstrip(" *") for element in page.all("label", for_=None)}
    for name in {one.name for one in fields(SiteSettings)} - {"name", "version"}:
        assert shown[name] == field(name)


def test_the_page_takes_few_statements(owner: Client, statements: Any) -> None:
    make_provider("contoso")
    with statements() as sent:
        owner.page(URL)
    assert len(sent) <= 12


def test_a_provider_behind_sign_in_must_be_on_and_external_sign_in_too(owner: Client) -> None:
    contoso, off = make_provider("contoso").slug, make_provider("fabrikam", for_sign_in=False).slug
    offered = owner.page(URL).form(URL).first("select", name="only_provider").all("option")
    assert [option.attrs["value"] for option in offered] == ["", contoso]
    for typed in ({"only_provider": off}, {"only_provider": contoso, "external_sign_in": False}):
        page = Page(owner.post_form(URL, typed))
        assert (page.status, list(page.errors)) == (422, ["only_provider"])
    assert owner.post_form(URL, {"only_provider": contoso}).status_code == 303
    assert site().only_provider == contoso
    # It was switched off since: it stays in sight, and nothing else can be saved with it.
    with transaction():
        db.session.scalars(db.select(Provider)).first().for_sign_in = False  # type: ignore[union-attr]
    page = owner.page(URL)
    assert page.form(URL).values["only_provider"] == [contoso]
    assert "not switched on" in page.first("select", name="only_provider").text
    assert owner.post_form(URL, {"name": "Changed"}).status_code == 422
    assert owner.post_form(URL, {"name": "Changed", "only_provider": ""}).status_code == 303


def test_a_way_in_must_be_left_that_somebody_can_take(owner: Client, make_app: Any, sign_in_as: Any) -> None:
    only_external = {"local_sign_in": False, "passkeys": False}
    assert "Nobody could sign in" in owner.post_form(URL, only_external).text
    make_provider("contoso")
    assert owner.post_form(URL, only_external).status_code == 303
    assert owner.post_form(URL, {"local_sign_in": True}).status_code == 303
    by_number = make_app(PORTAL_BASE_URL="http://127.0.0.1").test_client()
    by_number.post_form("/staff/sign-in", {"email": "owner@staff.example", "password": PASSWORD})
    only_passkeys = {"local_sign_in": False, "external_sign_in": False, "passkeys": True}
    assert "Nobody could sign in" in by_number.post_form(URL, only_passkeys).text
    assert "bare IP address" in by_number.page(URL).text
    assert owner.post_form(URL, only_passkeys).status_code == 303


def test_without_a_recent_proof_of_who_one_is_nothing_is_changed(owner: Client, frozen_clock: FrozenClock) -> None:
    owner.post_form("/staff/sign-out", page="/staff/")
    owner.post_form("/staff/sign-in", {"email": "owner@staff.example", "password": PASSWORD})
    form = owner.page(URL).form(URL)
    frozen_clock.move(minutes=10, seconds=1)
    asked = owner.get(URL)
    assert (asked.status_code, location(asked).partition("?")[0]) == (303, "/staff/confirm")
    sent = owner.post(URL, data={**{name: values[0] for name, values in form.values.items()}, "name": "Changed"})
    assert (sent.status_code, location(sent).partition("?")[0]) == (303, "/staff/confirm")
    assert site().version == 0


@pytest.mark.parametrize("zone", ["US/Eastern", "Etc/GMT+5", "GMT", "Asia/Calcutta"])
@pytest.mark.sqlite_only
def test_a_zone_under_another_name_survives_an_edit_of_something_else(owner: Client, zone: str) -> None:
    assert zone in available_timezones()
    set_site(timezone=zone)
    assert owner.post_form(URL, {"name": "Changed"}).status_code == 303
    assert site().timezone == zone


def test_saving_without_a_change_writes_no_entry(owner: Client) -> None:
    assert owner.post_form(URL, {}).status_code == 303
    entries = db.session.scalars(db.select(JournalEntry).where(JournalEntry.action == "settings.updated")).all()
    assert entries == []


def test_a_stale_token_keeps_what_was_typed(owner: Client) -> None:
    answer = owner.post(URL, data={"csrf_token": "x", "name": "Typed with care", "timezone": "UTC", "version": "0"})
    assert answer.status_code == 400
    assert "Typed with care" in answer.text


def test_looking_writes_nothing(owner: Client, dump: Any) -> None:
    before = dump()
    owner.get(URL)
    owner.head(URL)
    assert dump() == before
