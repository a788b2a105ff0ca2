"""Every template speaks five languages: the same placeholders, dates as the language tells them, and Arabic that reads
from the right whatever names stand in it."""

import re
import unicodedata
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from portal.mail import dates, templates
from portal.mail.framing import Letter, frame
from portal.mail.placeholders import KNOWN
from portal.mail.texts import ROOT, shipped
from tests.mail.test_templates import LANGUAGES, LINK, SAMPLE, WHEN
from tests.support import make

OTHERS = LANGUAGES[1:]
PARTS = ("subject.txt", "html", "txt")
ISOLATED = re.compile("\u2068[^\u2069]*\u2069")
INFORMAL = {
    "de": r"\b(du|dich|dir|dein\w*|euch|euer|eure\w*)\b",
    "fr": r"\b(tu|te|toi|ton|ta|tes)\b",
    "es": r"\b(tú|tus?|ti|contigo|vosotr[oa]s|vuestr[oa]s?)\b",
}
pytestmark = pytest.mark.sqlite_only


@pytest.fixture(autouse=True)
def _app(app: Flask) -> None:
    """An app, for the base address."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_template_ships_in_every_language(language: str) -> None:
    held = {path.name for path in (ROOT / language).iterdir()}
    assert {f"{name}.{part}" for name in KNOWN for part in PARTS} <= held


@pytest.mark.parametrize("name", KNOWN)
def test_what_english_fills_in_the_others_fill_in_too(name: str) -> None:
    for language in OTHERS:
        for part in PARTS:
            used = _names(name, language, part) | ({"name"} & _names(name, "en", part))
            missing = _names(name, "en", part) - used - {"contact_first_name", "contact_name"}
            assert not missing, f"{language}/{name}.{part} lacks {missing}"
            assert used <= set(KNOWN[name])
        told = _cases(name, "en")
        assert _cases(name, language) == told


def _names(name: str, language: str, part: str) -> set[str]:
    source = _read(name, language, part)
    inside = " ".join(re.findall(r"\{[{%](.*?)[%}]\}", source))
    return {known for known in KNOWN[name] if re.search(rf"\b{known}\b", re.sub(r"'[^']*'|\"[^\"]*\"", "", inside))}


def _cases(name: str, language: str) -> set[str]:
    return set(re.findall(r"when ['\"]([\w-]+)['\"]", _read(name, language, "txt") + _read(name, language, "html")))


def _read(name: str, language: str, part: str) -> str:
    return Path(ROOT / language / f"{name}.{part}").read_text(encoding="utf-8")


@pytest.mark.parametrize("language", OTHERS)
def test_nothing_was_left_in_english(language: str) -> None:
    for name in KNOWN:
        made, english = templates.render(name, SAMPLE[name], language), templates.render(name, SAMPLE[name])
        assert made.subject != english.subject
        assert f'lang="{language}"' in made.html
        assert not re.search(r"\b(the|you|your|with|there|this)\b", _prose(made.text)), name


@pytest.mark.parametrize("language", INFORMAL)
def test_strangers_are_addressed_formally(language: str) -> None:
    for name in KNOWN:
        for part in PARTS:
            text = re.sub(r"\{[{%].*?[%}]\}|<[^>]*>", " ", _read(name, language, part))
            assert not re.search(INFORMAL[language], text, re.IGNORECASE), f"{name}.{part}"


def test_french_keeps_its_signs_with_their_words() -> None:
    for name in KNOWN:
        text = templates.render(name, SAMPLE[name], "fr").text
        assert not re.search(r"[ \w][?!;»]|« | :", _prose(text)), name


def _prose(text: str) -> str:
    """Without what the sample filled in, and without addresses."""
    text = re.sub(r"https?://\S+", "", text)
    for values in SAMPLE.values():
        for value in values.values():
            for typed in value if isinstance(value, list) else [value]:
                for line in str(typed).splitlines():
                    text = text.replace(line, "")
    return text


@pytest.mark.parametrize("name", KNOWN)
def test_arabic_reads_from_the_right_whatever_stands_in_it(name: str) -> None:
    made = templates.render(name, SAMPLE[name], "ar")
    assert '<html lang="ar" dir="rtl"' in made.html
    assert made.html.count('dir="rtl"') == 2, "once where mail programs may strip it, once where they do not"
    for line in (made.subject, *made.text.splitlines()):
        if any(unicodedata.bidirectional(sign) == "AL" for sign in line):
            own = ISOLATED.sub("", line)
            assert _first_direction(own) == "AL", f"a mail program would set this line from the left: {line}"
            assert not re.search(r"[A-Za-z]{3,}", re.sub(r"Owner|SPF|DKIM|DMARC|HTML", "", own)), line
    for line in made.text.splitlines():
        if "http://" in line:
            assert line == line.strip().join(("    ", "")), "no sign next to an address, which would go along with it"
    assert not re.search(r'(?<!dir="ltr">)http://localhost[^<"]*</a>', re.sub(r' style="[^"]*"', "", made.html))


def _first_direction(text: str) -> str:
    return next((found for sign in text if (found := unicodedata.bidirectional(sign)) in ("L", "R", "AL")), "")


def test_arabic_letters_are_not_pulled_apart() -> None:
    made = templates.render("invitation", SAMPLE["invitation"], "ar")
    heading = re.search(r"<h1[^>]*>", made.html)
    assert heading
    assert "letter-spacing" not in heading.group()


def test_an_arabic_name_turns_nothing_in_a_german_line() -> None:
    made = templates.render("invitation", {**SAMPLE["invitation"], "inviter_name": "أمل منصور"}, "de")
    assert made.subject == "\u2068أمل منصور\u2069 lädt Sie zu Portal ein"
    assert "\u2068" not in templates.render("invitation", SAMPLE["invitation"], "de").text
    code, link = SAMPLE["invitation"]["code"], LINK
    arabic = templates.render("invitation", SAMPLE["invitation"], "ar")
    assert f"    {code}\n" in arabic.text, "what is copied holds nothing unseen"
    assert f"    {link}\n" in arabic.text
    assert arabic.secrets == (link.rpartition("/")[2], code)


@pytest.mark.parametrize("name", KNOWN)
def test_it_arrives_as_it_was_written(name: str) -> None:
    for language in LANGUAGES:
        made = templates.render(name, SAMPLE[name], language)
        sender, to = "portal@portal.example", "anna@example.org"
        letter = Letter("<m1@portal.example>", "Portal", sender, to, None, made.subject, WHEN, made.text, made.html)
        arrived = message_from_bytes(frame(letter), policy=default)
        assert arrived["subject"] == made.subject
        body = arrived.get_body(("plain",))
        assert body
        assert body.get_content().replace("\r\n", "\n") == made.text


@pytest.mark.parametrize(
    ("language", "moment", "last_day"),
    [
        ("en", "December 5, 2026, 4:07\xa0PM (Europe/Berlin)", "December 5, 2026, end of day (America/New York)"),
        ("de", "5. Dezember 2026, 16:07\xa0Uhr (Europe/Berlin)", "5. Dezember 2026, 24\xa0Uhr (America/New York)"),
        ("fr", "5 décembre 2026 à 16:07 (Europe/Berlin)", "5 décembre 2026 inclus (America/New York)"),
        ("es", "5 de diciembre de 2026, 16:07 (Europe/Berlin)", "5 de diciembre de 2026 inclusive (America/New York)"),
        ("ar", "5 ديسمبر 2026، 4:07 م (Europe/Berlin)", "نهاية يوم 5 ديسمبر 2026 (America/New York)"),
        ("xx", "December 5, 2026, 4:07\xa0PM (Europe/Berlin)", "December 5, 2026, end of day (America/New York)"),
    ],
)
def test_days_and_moments_are_told_in_the_language(language: str, moment: str, last_day: str) -> None:
    instant = datetime(2026, 12, 5, 15, 7, 59, tzinfo=UTC)
    assert dates.told(instant.astimezone(ZoneInfo("Europe/Berlin")), language) == moment
    assert dates.told(dates.LastDay(date(2026, 12, 5), ZoneInfo("America/New_York")), language) == last_day
    assert dates.told("2026-12-05", language) == "2026-12-05"


def test_the_language_of_the_text_counts_where_it_fell_back_to_english() -> None:
    made = templates.render("redeemed", SAMPLE["redeemed"], "pt")
    assert (made.language, "December 5, 2026" in made.text) == ("en", True)


@pytest.mark.parametrize(("minutes", "words"), [(3, "3 دقائق"), (10, "10 دقائق"), (11, "11 دقيقة"), (30, "30 دقيقة")])
def test_arabic_counts_minutes_as_it_should(minutes: int, words: str) -> None:
    made = templates.render("reset-password", {**SAMPLE["reset-password"], "minutes": minutes}, "ar")
    assert words in made.text


def test_a_personal_message_keeps_its_lines_and_stays_text() -> None:
    typed = "Grüße,\n\nBert <b>K</b>\nhttp://evil.example"
    for language in LANGUAGES:
        for name in ("invitation", "reminder"):
            made = templates.render(name, {**SAMPLE[name], "personal_message": typed}, language)
            assert re.search(r'<p class="message" dir="auto"[^>]*>Grüße,<br>\s*<br>\s*Bert K<br>', made.html)
            assert "Grüße,\n\nBert K\nhttp: / /evil. example" in made.text


def test_the_words_of_a_contact_are_quoted_to_the_owner() -> None:
    for language in LANGUAGES:
        for name in ("declined", "request"):
            made = templates.render(name, SAMPLE[name], language)
            assert "I was on holiday.\nCould I have another link?" in made.text
            assert "I was on holiday.<br>" in made.html
            silent = templates.render(name, {**SAMPLE[name], "words": ""}, language)
            assert 'class="message"' not in silent.html


def test_a_notice_comes_in_the_language_of_the_contact(app: Flask) -> None:
    from portal.identity.messages import prepare_notice

    make.set_site(timezone="Europe/Berlin")
    contact = make.make_contact("Anna", "Weber", "anna@example.org", language="de")
    instant = datetime(2026, 12, 5, 15, 7, tzinfo=UTC)
    message = make.make_message(contact=contact, kind="password-changed", created_at=instant)
    prepared = prepare_notice(message, instant)
    made = templates.render(prepared.template, prepared.values, prepared.language)
    assert "am 5. Dezember 2026, 16:07\xa0Uhr (Europe/Berlin) geändert" in made.text
    assert shipped("password-changed", "de").language == "de"
