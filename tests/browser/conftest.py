"""A real browser on the real portal: `visit()` opens a window, `site` is the portal with its worker beside it.

Every window fails its test when the page logged an error, broke the content policy, or asked for a file that was
not there; a test that provokes one says so with `window.expected.add("503")`.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from portal.contacts.models import Contact
from portal.staff.models import StaffMember
from tests.conftest import missing
from tests.support import make
from tests.support.databases import Shared, SQLite
from tests.support.live import Server, worker

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = "no Chromium: apt-get install chromium, or set CHROMIUM=/path/to/chromium"
WAIT_MS = 10_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))  # one browser and one portal for all of them


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for the whole run."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if not found:
        missing("chromium", HOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


class Window:
    """A browser window with its own cookies. `.page` is Playwright's page; `.url("/path")` an address of the site."""

    def __init__(self, context: BrowserContext, site: Server) -> None:
        self.context, self.site = context, site
        self.expected: set[str] = set()
        self.faults: list[str] = []
        context.set_default_timeout(WAIT_MS)
        self.page: Page = context.new_page()
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("response", self._response)

    def url(self, path: str) -> str:
        return self.site.url + path

    def open(self, path: str) -> Page:
        """Go to a page of the site and give it back."""
        self.page.goto(self.url(path))
        return self.page

    def sign_in(self, who: StaffMember | Contact) -> None:
        """Through the real page."""
        staff = isinstance(who, StaffMember)
        page = self.open("/staff/sign-in" if staff else "/sign-in")
        page.fill("input[name=email]" if staff else "input[name=identifier]", _identifier(who))
        page.fill("input[name=password]", make.PASSWORD)
        page.locator("main form button[type=submit]").first.click()
        page.wait_for_url("**/staff/" if staff else "**/profile")

    def text(self) -> str:
        """What can be read on the page."""
        return self.page.locator("body").inner_text()

    def complaints(self) -> list[str]:
        """What went wrong and was not expected."""
        return [fault for fault in self.faults if not any(word in fault for word in self.expected)]

    def _console(self, message: ConsoleMessage) -> None:
        # What a page answers is judged by its status below; the console repeats every 4xx in words of its own.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _response(self, response: Response) -> None:
        if response.status >= 500 or (response.status >= 400 and "/static/" in response.url):
            self.faults.append(f"{response.status} {response.url}")


def _identifier(who: StaffMember | Contact) -> str:
    return who.email if isinstance(who, StaffMember) else make.username_of(who)


@pytest.fixture(scope="session")
def _portal(
    chromium: Browser,
    environment: dict[str, str],
    _sqlite: SQLite,
    _build: Callable[..., Flask],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Shared, Server]]:
    """One server and one worker for all windows of the run, on a database that is emptied before each test."""
    database = Shared(_sqlite, _sqlite.file.with_name("browser.db"), lambda url: _build(PORTAL_DATABASE_URL=url))
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    logs = tmp_path_factory.mktemp("browser")
    # A folder of its own: by the lock files in it, workers of the same database notice each other's death.
    told = {**ours, **environment, "PORTAL_DATABASE_URL": database.url, "PORTAL_INSTANCE": str(logs)}
    server = Server(told, logs / "server", workers=1, host="localhost")
    work = worker({**told, "PORTAL_BASE_URL": server.url}, logs / "worker")
    yield database, server
    work.stop()
    server.stop()


@pytest.fixture
def database(request: pytest.FixtureRequest, _portal: tuple[Shared, Server]) -> Shared:
    """The emptied database that server and worker are running on."""
    _portal[0].fresh()
    return _portal[0]


@pytest.fixture
def site(app: Flask, _portal: tuple[Shared, Server]) -> Server:
    """The portal, served by gunicorn, with its worker."""
    return _portal[1]


@pytest.fixture
def visit(chromium: Browser, site: Server) -> Iterator[Callable[..., Window]]:
    """Opens windows: `visit(javascript=False, scheme="dark", width=390)`."""
    opened: list[Window] = []

    def window(*, javascript: bool = True, scheme: Any = "light", width: int = 1280, height: int = 900) -> Window:
        context = chromium.new_context(
            java_script_enabled=javascript,
            color_scheme=scheme,
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
        )
        opened.append(Window(context, site))
        return opened[-1]

    yield window
    complaints = [complaint for window in opened for complaint in window.complaints()]
    for window in opened:
        window.context.close()
    assert not complaints
