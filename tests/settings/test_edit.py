from concurrent.futures import ThreadPoolExecutor
from typing import Any
from zoneinfo import available_timezones

import pytest
from flask import Flask

from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.db import db, transaction
from portal.kernel.errors import Stale
from portal.settings import services
from portal.settings.models import SiteSettingsRow
from portal.settings.queries import site
from tests.support.clients import Client, location
from tests.support.make import set_site
from tests.support.pages import Page

URL = "/staff/settings/"


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
    assert "Theirs" in answer.text
    assert "Europe/Berlin" in answer.text
    form = answer.form(URL)
    assert form.values["name"] == ["Mine"]
    assert site().name == "Theirs"
    again = {name: values[0] for name, values in form.values.items()}
    assert owner.post(URL, data=again).status_code == 303
    assert (site().name, site().timezone) == ("Mine", "UTC")


def test_of_several_first_edits_at_once_one_succeeds(app: Flask) -> None:
    def save(n: int) -> str:
        with app.app_context():
            values = services.SettingsValues(f"Portal {n}", "UTC", None, True, False, True)
            try:
                with transaction():
                    services.update(values, 0, SYSTEM, clock.now())
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
    for name in ("Registration/Enabled", "Registration/OpenRegistrationEnabled", "Registration/InvitationEnabled"):
        assert name in page.text


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
