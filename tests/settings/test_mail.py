"""The settings of mail: which values can be, and the card on the page."""

from dataclasses import replace
from typing import Any

import pytest

from portal.kernel.db import db
from portal.settings.forms import SettingsForm
from portal.settings.mail_form import MailFields
from portal.settings.queries import SiteSettings, site
from portal.settings.rules import FASTEST_MAIL, MOST_MAIL, mail_faults
from tests.support.clients import Client
from tests.support.make import set_site
from tests.support.pages import Page

URL = "/staff/settings/"
NAMES = ("quiet_from", "quiet_until", "mail_per_minute", "staff_mails_per_day", "site_mails_per_day")
on_the_page = pytest.mark.skipif(not issubclass(SettingsForm, MailFields), reason="the settings page lacks the card")


@pytest.mark.parametrize(
    ("values", "faulty"),
    [
        ({}, None),
        ({"quiet_from": 22, "quiet_until": 7}, None),
        ({"quiet_from": 0, "quiet_until": 23}, None),
        ({"quiet_from": 22}, "quiet_until"),
        ({"quiet_until": 7}, "quiet_from"),
        ({"quiet_from": 7, "quiet_until": 7}, "quiet_until"),
        ({"quiet_from": 24, "quiet_until": 7}, "quiet_from"),
        ({"quiet_from": 7, "quiet_until": -1}, "quiet_until"),
        ({"mail_per_minute": 1}, None),
        ({"mail_per_minute": 0}, "mail_per_minute"),
        ({"mail_per_minute": FASTEST_MAIL + 1}, "mail_per_minute"),
        ({"staff_mails_per_day": -5}, "staff_mails_per_day"),
        ({"site_mails_per_day": MOST_MAIL}, None),
        ({"site_mails_per_day": MOST_MAIL + 1}, "site_mails_per_day"),
    ],
)
def test_what_can_be(app: Any, values: dict[str, int], faulty: str | None) -> None:
    assert list(mail_faults(replace(SiteSettings(), **values))) == ([faulty] if faulty else [])  # type: ignore[arg-type]


def test_everything_is_off_at_first(app: Any) -> None:
    assert [getattr(site(), name) for name in NAMES] == [None] * 5


@pytest.fixture
def owner(sign_in_as: Any) -> Client:
    browser: Client = sign_in_as("owner")
    return browser


@on_the_page
def test_saved_shown_and_taken_away(owner: Client) -> None:
    typed = dict(zip(NAMES, ("22", "0", "120", "50", "1000"), strict=True))
    assert owner.post_form(URL, typed).status_code == 303
    db.session.rollback()
    assert [getattr(site(), name) for name in NAMES] == [22, 0, 120, 50, 1000]
    shown = owner.page(URL).form(URL).values
    assert {name: shown[name] for name in NAMES} == {name: [value] for name, value in typed.items()}
    assert owner.post_form(URL, dict.fromkeys(NAMES, "")).status_code == 303
    db.session.rollback()
    assert [getattr(site(), name) for name in NAMES] == [None] * 5


@on_the_page
@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "typed",
    [
        {"quiet_from": "22", "quiet_until": ""},
        {"quiet_from": "24", "quiet_until": "7"},
        {"quiet_from": "ten", "quiet_until": "7"},
        {"quiet_from": "٧", "quiet_until": "8"},
        {"quiet_from": "7", "quiet_until": "7"},
        {"mail_per_minute": "0"},
        {"mail_per_minute": "fast"},
        {"staff_mails_per_day": "-1"},
        {"site_mails_per_day": "1.5"},
    ],
)
def test_refused_beside_the_field_with_nothing_saved(owner: Client, typed: dict[str, str]) -> None:
    response = owner.post_form(URL, typed)
    assert response.status_code == 422
    assert "Please" in Page(response).text
    db.session.rollback()
    assert site().version == 0


@on_the_page
@pytest.mark.sqlite_only
def test_a_stale_form_shows_what_was_saved(owner: Client) -> None:
    owner.page(URL)
    values = {**owner.page(URL).form(URL).values, "mail_per_minute": "30"}
    set_site(mail_per_minute=60)
    response = owner.post(URL, data=values)
    assert response.status_code == 409
    assert "60" in Page(response).text
