"""A browser without JavaScript: Flask's test client that reads the form of a page before it posts."""

from collections.abc import Mapping, Sequence
from contextvars import Context
from typing import Any
from urllib.parse import urljoin, urlsplit

from flask.testing import FlaskClient
from flask_sqlalchemy import SQLAlchemy
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.support.pages import Form, Page

HTMX = {"HX-Request": "true"}
Typed = Mapping[str, str | int | bool | Sequence[str | int] | None]


class Client(FlaskClient):
    """One browser. Each request runs in a context of its own, as on a server: what a test holds open beside it
    (the app's context, a database session) is neither seen by the request nor kept back in time by it."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        kwargs.setdefault("buffered", True)
        response: TestResponse = Context().run(super().open, *args, **kwargs)
        self._see_what_changed()
        return response

    def _see_what_changed(self) -> None:
        from flask import has_app_context

        if has_app_context():
            database: SQLAlchemy = self.application.extensions["sqlalchemy"]
            database.session.rollback()

    def page(self, url: str, status: int = 200, **more: Any) -> Page:
        """GET and read a page; it must answer `status`."""
        response = self.get(url, **more)
        assert response.status_code == status, f"GET {url}: {response.status} {response.headers.get('Location', '')}"
        return Page(response)

    def post_form(
        self,
        url: str,
        typed: Typed | None = None,
        *,
        page: str | None = None,
        press: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Open the page that holds the form, type, press its button; follows nothing.

        `page` is where the form stands, if not at `url` itself. What is not typed stays as the form has it. A list
        replaces all values of a name; True ticks, False and None untick or leave the name out. `press` names the
        button by its text or its name; without it the first plain submit button is pressed.
        """
        form = self.page(page or url).form(url, holding=set(typed or {}))
        return self.post(self._target(form, page or url, url), data=filled(form, typed or {}, press), headers=headers)

    def token(self, url: str) -> str:
        """The CSRF token that a form on this page carries, for posts made by hand."""
        tokens = [form.token for form in self.page(url).posts if form.token]
        assert tokens, f"no form with a token at {url}"
        return tokens[0]

    def follow(self, response: TestResponse) -> Page:
        """The page that a 303 leads to."""
        assert response.status_code == 303, response.status
        return self.page(location(response))

    @staticmethod
    def _target(form: Form, page: str, url: str) -> str:
        action = urljoin(page, form.action or url)
        return action if urlsplit(action).path == urlsplit(url).path else url


def filled(form: Form, typed: Typed, press: str | None = None) -> MultiDict[str, str]:
    """What the browser would send after typing into `form`."""
    sent = MultiDict((name, value) for name, values in form.values.items() for value in values)
    for name, value in typed.items():
        sent.setlist(name, _texts(form, name, value))
        if not sent.getlist(name):
            sent.poplist(name)
    button = _button(form, press)
    if button is not None and button.attrs.get("name") and button.attrs["name"] not in typed:
        sent.add(button.attrs["name"], button.attrs.get("value", ""))
    return sent


def _texts(form: Form, name: str, value: object) -> list[str]:
    if value is None or value is False:
        return []
    if value is True:
        boxes = [c for c in form.controls if c.attrs["name"] == name]
        return [boxes[0].attrs.get("value", "on") if boxes else "y"]
    if isinstance(value, (list, tuple, set)):
        return [str(one) for one in value]
    return [str(value)]


def _button(form: Form, press: str | None) -> Any:
    if press is None:
        plain = [b for b in form.buttons if "formnovalidate" not in b.attrs]
        return plain[0] if plain else None
    found = [b for b in form.buttons if press in (b.text, b.attrs.get("name"), b.attrs.get("value"))]
    assert found, f"no button {press!r}; there are {[b.text for b in form.buttons]}"
    return found[0]


def location(response: TestResponse) -> str:
    """Where an answer leads: path and query."""
    parts = urlsplit(response.headers.get("Location", ""))
    return parts.path + (f"?{parts.query}" if parts.query else "")
