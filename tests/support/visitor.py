"""A browser without JavaScript that talks to a running server: it keeps cookies, reads forms, follows when told."""

from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from flask import has_app_context

from portal.kernel.db import db
from tests.support.clients import Typed, filled
from tests.support.pages import Page

WITHIN_SECONDS = 30


class Visitor:
    """One person at one browser. Paths are those of the site at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str) -> requests.Response:
        """GET, following nothing."""
        return self._seen(self.session.get(urljoin(self.url, path), allow_redirects=False, timeout=WITHIN_SECONDS))

    def page(self, path: str) -> Page:
        """GET and read a page, led on as a browser is."""
        response = self.session.get(urljoin(self.url, path), timeout=WITHIN_SECONDS)
        assert response.ok, f"GET {path}: {response.status_code}"
        return Page(response.text)

    def post(self, path: str, data: Any, headers: dict[str, str] | None = None) -> requests.Response:
        """POST, following nothing."""
        whole = urljoin(self.url, path)
        response = self.session.post(whole, data, headers=headers, allow_redirects=False, timeout=WITHIN_SECONDS)
        return self._seen(response)

    def post_form(
        self, path: str, typed: Typed, *, page: str | None = None, press: str | None = None
    ) -> requests.Response:
        """Fill the form that posts to `path`, on that page or on another, and press its button."""
        form = self.page(page or path).form(path, holding=set(typed))
        data = [(name, value) for name, values in filled(form, typed, press).lists() for value in values]
        return self.post(path, data)

    @staticmethod
    def _seen(response: requests.Response) -> requests.Response:
        """Let the test's own database session read what the request changed."""
        if has_app_context():
            db.session.rollback()
        return response


def path_of(response: requests.Response) -> str:
    """Where an answer leads."""
    return urlsplit(response.headers.get("Location", "")).path
