"""Every text a person can see comes through gettext: with a pretend language, nothing on a page stays English."""

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import flask_babel
import pytest
from babel.support import NullTranslations
from flask import Flask

from tests.support import make
from tests.support.clients import Client
from tests.support.pages import Element, Page
from tests.support.world import Target, World, build, pages

pytestmark = pytest.mark.sqlite_only
TRANSLATED = re.compile(r"⟦[^⟦⟧]*⟧")
ADDRESS = re.compile(r"\S+@\S+|https?://\S+|<\S+>")
WORD = re.compile(r"[A-Za-z]{3,}")
DATES = re.compile(r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b")
READ_ATTRIBUTES = ("title", "alt", "placeholder", "aria-label", "data-text", "data-label", "data-done")
GIVEN = ("time", "code", "kbd", "pre", "option", "textarea", "bdi")
"""Not the portal's words: dates, codes, names of time zones and languages in a list, texts that are being edited."""
SHIPPED = (
    "Portal",
    "Authenticated Users",
    "Anonymous Users",
    "Welcome",
    "Note on the timeline",
    "by hand.",
    "Send Invitation",
    "Mails an invitation",
    "Sends the new member",
    "Writes a note",
)
"""What ships in the database is data: an owner may rename it."""


TEMPLATES = {
    text for row in import_module("portal.migrations.versions.0004_mail_and_workflows").TEMPLATES for text in row[1:]
}
"""Names and descriptions of the shipped e-mail templates, which are data too."""


class Pretend(NullTranslations):
    """Puts every message into brackets."""

    def ugettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ungettext(self, singular: str, plural: str, number: int) -> str:
        return f"⟦{singular if number == 1 else plural}⟧"

    def upgettext(self, context: str, message: str) -> str:
        return f"⟦{message}⟧"

    gettext, ngettext, pgettext = ugettext, ungettext, upgettext


@pytest.fixture
def pretending(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def translations(*_: Any, **__: Any) -> Pretend:
        return Pretend()

    monkeypatch.setattr(flask_babel.Domain, "get_translations", translations)
    monkeypatch.setattr(flask_babel, "get_translations", translations)


def greek(label: str) -> str:
    """A name in letters that cannot be taken for English, another for each label."""
    return "".join(chr(0x3B1 + (ord(c) % 24)) for c in label)


def seen(element: Element) -> Iterator[str]:
    for name in READ_ATTRIBUTES:
        if element.attrs.get(name):
            yield element.attrs[name]
    for child in element.children:
        if isinstance(child, str):
            yield child
        elif child.tag not in ("script", "style", "template", *GIVEN):
            yield from seen(child)


def untranslated(page: Page) -> set[str]:
    body = page.all("body")[:1] or [page.root]
    left = set()
    for text in seen(body[0]):
        bare = text
        while TRANSLATED.search(bare):
            bare = TRANSLATED.sub(" ", bare)
        bare = DATES.sub(" ", ADDRESS.sub(" ", bare))
        if WORD.search(bare) and not any(name in bare for name in SHIPPED) and bare.strip() not in TEMPLATES:
            left.add(" ".join(text.split()))
    return left


def site(app: Flask) -> tuple[World, list[Target]]:
    world = build(greek)
    make.set_site(name=greek("The site"))
    return world, pages(app, world)


@pytest.mark.parametrize("persona", ["owner", "invitee", "nobody"])
def test_nothing_stays_english(app: Flask, pretending: None, sign_in_as: Callable[[Any], Client], persona: str) -> None:
    _, found = site(app)
    person = make.make_staff("owner", name=greek("Persona")) if persona == "owner" else persona
    if persona == "invitee":
        person = make.make_contact(greek("In"), greek("Vitee"), username=greek("invitee"))  # type: ignore[assignment]
    browser = sign_in_as(person)
    answers = ((target.url, browser.get(target.url)) for target in found)
    # What a mail said is in its reader's language, not in that of the page around it.
    shown = ((u, r) for u, r in answers if r.mimetype == "text/html" and r.status_code != 303 and "/body" not in u)
    left = {url: words for url, r in shown if (words := untranslated(Page(r)))}
    assert not left


@pytest.mark.parametrize(
    "url", ["/staff/contacts/new", "/staff/accounts/new", "/staff/web-roles/new", "/staff/people/new"]
)
def test_the_words_of_a_refusal_are_translated(
    app: Flask, pretending: None, sign_in_as: Callable[[Any], Client], url: str
) -> None:
    make.set_site(name=greek("The site"))
    browser = sign_in_as(make.make_staff("owner", name=greek("Persona")))
    response = browser.post_form(url, {"email1": "nonsense", "email": "nonsense", "name": None, "first_name": None})
    assert response.status_code == 422
    assert not untranslated(Page(response))


def test_the_test_would_notice(app: Flask) -> None:
    assert untranslated(Page("<body><p>Plain English</p></body>")) == {"Plain English"}
    assert not untranslated(Page("<body><p title='⟦Hello⟧'>⟦Hi ⟦there⟧ %(n)s⟧ αβγ a@b.example</p></body>"))
