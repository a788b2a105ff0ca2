"""What people typed stays text in a mail, and a template is data that cannot run away."""

import re
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from liquid.exceptions import LiquidError

from portal.mail import templates
from portal.mail.dates import LastDay
from portal.mail.placeholders import KNOWN, harmless, is_link

LINK = "http://localhost/i/" + "Ab3_" * 10 + "xyz"
LANGUAGES = ("en", "de", "fr", "es", "ar")
BERLIN = ZoneInfo("Europe/Berlin")
WHEN = datetime(2026, 12, 5, 16, 7, tzinfo=BERLIN)
_INVITATION = {
    "site_name": "Portal",
    "inviter_name": "Bert Köhler",
    "owner_name": "Olga Owner",
    "contact_name": "Anna Weber",
    "contact_first_name": "Anna",
    "invitation_name": "Spring",
    "link": LINK,
    "code": "7K3M-9QXR-T2VD-8HNC",
    "redeem_url": "http://localhost/redeem",
    "expires_text": LastDay(date(2026, 12, 20), BERLIN),
    "account_name": "Weber & Söhne",
    "role_names": ["Supplier", "Reader"],
    "personal_message": "Please have a look.\nIt takes a minute.",
}
_TO_OWNER = {
    "site_name": "Portal",
    "owner_name": "Olga Owner",
    "contact_name": "Anna Weber",
    "invitation_name": "Spring",
    "account_name": "Weber & Söhne",
    "role_names": ["Supplier", "Reader"],
    "when": WHEN,
    "words": "I was on holiday.\nCould I have another link?",
    "link": "http://localhost/staff/invitations/7",
}
SAMPLE: dict[str, dict[str, Any]] = {
    "invitation": _INVITATION,
    "reminder": _INVITATION,
    "redeemed": _TO_OWNER,
    "declined": _TO_OWNER,
    "request": _TO_OWNER,
    "digest": {
        "site_name": "Portal",
        "owner_name": "Olga Owner",
        "link": "http://localhost/staff/invitations/",
        "items": ["Anna Weber accepted “Spring”.", "Ben Carter declined “Autumn”."],
    },
    "message": {
        "site_name": "Portal",
        "contact_name": "Anna Weber",
        "contact_first_name": "Anna",
        "name": "Anna",
        "link": "http://localhost/profile",
        "account_name": "Weber & Söhne",
        "role_names": ["Supplier", "Reader"],
    },
    "test-mail": {"site_name": "Portal", "name": "Olga", "link": "http://localhost/staff/outbox/7"},
    "welcome": {"site_name": "Portal", "name": "Anna", "link": "http://localhost/profile"},
    "reset-password": {"site_name": "Portal", "name": "Anna", "link": LINK, "minutes": 30},
    "confirm-email": {"site_name": "Portal", "name": "Anna", "link": LINK, "hours": 72},
    "second-factor": {"site_name": "Portal", "name": "Anna", "code": "042617", "minutes": 10},
    "password-changed": {"site_name": "Portal", "name": "Anna", "when": "today"},
    "sign-in-replaced": {"site_name": "Portal", "name": "Anna", "when": "today"},
    "sign-in-changed": {
        "site_name": "Portal",
        "name": "Anna",
        "when": "today",
        "what": "identity-linked",
        "which": "Google",
    },
    "staff-sign-in-changed": {
        "site_name": "Portal",
        "name": "Olga",
        "when": "today",
        "what": "identity-linked",
        "which": "Google",
    },
    "change-email": {"site_name": "Portal", "name": "Anna", "link": LINK, "hours": 24},
    "set-password": {"site_name": "Portal", "name": "Anna", "link": LINK, "hours": 72, "username": "anna"},
}
HOSTILE = (
    "<a href=//evil>x</a> http://evil.example www.evil.example https:evil.example evil。example {{ link }} {% if %}"
)
NEEDED = ("site_name", "link", "minutes", "hours", "inviter_name", "contact_name", "code", "items", "what")
pytestmark = pytest.mark.sqlite_only


@pytest.fixture(autouse=True)
def _app(app: Flask) -> None:
    """An app, for the base address."""


@pytest.mark.parametrize("name", KNOWN)
def test_a_hostile_value_makes_no_link(name: str) -> None:
    typed = {key: _hostile(key, value) for key, value in SAMPLE[name].items()}
    for language in LANGUAGES:
        made = templates.render(name, typed, language)
        addresses = re.findall(r'href="([^"]*)"', made.html)
        assert all(address.startswith("http://localhost/") for address in addresses)
        for part in (made.subject, made.text, re.sub(r"<[^>]*>", " ", made.html)):
            assert not re.search(r"://(?!localhost)|\bwww\.\S|evil\.\S|//evil|<a", part)


def _hostile(key: str, value: Any) -> Any:
    if isinstance(value, list):
        return [HOSTILE]
    typed = isinstance(value, str) and not is_link(key) and key != "site_name"
    return f"{HOSTILE}\n{HOSTILE}" if typed else value


def test_a_link_to_elsewhere_is_refused() -> None:
    for link in ("https://evil.example/i/x", "http://localhost.evil.example/", "//evil.example", "javascript:1"):
        with pytest.raises(ValueError, match="leads away"):
            templates.render("welcome", {**SAMPLE["welcome"], "link": link})


def test_an_unknown_value_is_refused() -> None:
    with pytest.raises(ValueError, match="no placeholder"):
        templates.render("welcome", {**SAMPLE["welcome"], "password": "x"})


@pytest.mark.parametrize("name", KNOWN)
def test_every_message_is_complete_without_what_is_optional(name: str) -> None:
    for language in LANGUAGES:
        for names in (NEEDED, NEEDED[:1], ()):
            made = templates.render(name, {key: SAMPLE[name][key] for key in names if key in SAMPLE[name]}, language)
            assert "None" not in made.text
            assert made.subject
            assert "\n\n\n" not in made.text
            assert "\n\n\n" not in templates.render(name, SAMPLE[name], language).text


@pytest.mark.parametrize("name", KNOWN)
def test_every_message_says_who_sent_it_and_shows_its_link_bare(name: str) -> None:
    for language in LANGUAGES:
        made = templates.render(name, SAMPLE[name], language)
        assert "Portal" in made.html
        assert "Portal" in made.text
        if "link" in SAMPLE[name]:
            assert f"    {SAMPLE[name]['link']}\n" in made.text
            assert made.html.count(SAMPLE[name]["link"]) >= 3, "the button, the bare link and its text"
            assert made.links[0] == SAMPLE[name]["link"]


def test_the_invitation_has_link_code_and_end() -> None:
    made = templates.render("invitation", SAMPLE["invitation"])
    for part in (made.html, made.text):
        for words in ("7K3M-9QXR-T2VD-8HNC", LINK, "http://localhost/redeem", "Europe/Berlin", "Supplier", "Reader"):
            assert words in part
    assert made.secrets == (LINK.rpartition("/")[2], "7K3M-9QXR-T2VD-8HNC")
    assert "7K3M" not in made.subject


def test_no_file_of_a_mail_reaches_elsewhere() -> None:
    for path in templates.ROOT.rglob("*.*"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"(src|href)=\"(?!\{\{)", source)
        assert "<script" not in source
        assert "<img" not in source
        assert not re.search(r"https?://(?!www\.w3\.org/1999/xhtml)", source)


PAYLOADS = [
    "{{ ''.__class__.__mro__ }}",
    "{% include '/etc/passwd' %}",
    "{% render '/etc/passwd' %}",
    "{% capture a %}x{% endcapture %}",
    "{% for i in (1..1000000000) %}x{% endfor %}",
    "{% for i in (1..1999) %}{% for j in (1..1999) %}x{% endfor %}{% endfor %}",
    "{% assign a = name %}{% for i in (1..1900) %}{% assign a = a | append: a %}{% endfor %}",
    "{{ name | replace: 'a', name }}",
    "{{ name | safe }}",
    "{{ name | times: 100000 }}",
    "{{ contact.password_hash }}",
]


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_template_cannot_run_away(payload: str) -> None:
    began = time.process_time()
    with pytest.raises((LiquidError, TypeError)):
        templates._html.from_string(payload).render(name="aaaa")
    assert time.process_time() - began < 5


def test_what_is_typed_is_escaped() -> None:
    made = templates._html.from_string("{{ name }}").render(name="<b>&\"'")
    assert "<b>" not in made


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("Dr.Weber", "Dr. Weber"),
        ("J.R.R. Tolkien", "J.R.R. Tolkien"),
        ("St. John", "St. John"),
        ("anna@example.org", "anna@example.org"),
        ("www.evil.example/in@example.org", "www. evil. example/in@example. org"),
        ("evil.example/?x@example.org", "evil. example/?x@example. org"),
        ("Weber & Söhne GmbH & Co. KG", "Weber & Söhne GmbH & Co. KG"),
        ("http://evil.example", "http: / /evil. example"),
        ("<script", "script"),
        ("x" * 500, "x" * 200),
    ],
)
def test_names_are_left_alone_and_addresses_broken(typed: str, shown: str) -> None:
    assert harmless(typed) == shown


def test_the_templates_are_where_the_code_is() -> None:
    assert Path(templates.__file__).parent.parent.parent / "templates" / "mail" == templates.ROOT


@pytest.mark.parametrize(("typed", "shown"), [("anna.weber", "anna.weber"), ("evil.com", "evil. com")])
def test_a_username_stands_as_it_is_typed_unless_it_looks_like_an_address(typed: str, shown: str) -> None:
    made = templates.render("set-password", {**SAMPLE["set-password"], "username": typed})
    assert shown in made.text
