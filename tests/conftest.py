"""The fixtures of all tests.

`app`              the application on a fresh, migrated database, with an app context open. A test that uses it (or
                   anything below) runs once on SQLite and once on PostgreSQL; `@pytest.mark.sqlite_only` for pure page
                   tests, `PORTAL_TEST_DATABASES=sqlite` to choose for a whole run, `-m "not postgresql"` likewise.
`client`           a browser nobody is signed in with. CSRF stays on: `client.post_form("/staff/accounts/new",
                   {"name": "Acme"})` opens the page, fills its form and posts; `page="/staff/accounts/1"` where the
                   form stands elsewhere. `client.page(url)` reads a page (tests/support/pages.py),
                   `client.follow(response)` the page after a 303. Each request has a context of its own; records
                   the test holds are read anew after it.
`sign_in_as`       `sign_in_as("owner")` → a new browser, signed in through the real page. Personas: `owner`, `manager`,
                   `editor`, `viewer` (staff), `invitee` (a contact who can sign in and has an open invitation),
                   `stranger` (a contact who can sign in and has none), `nobody` (not signed in). Also takes a
                   StaffMember or a Contact made with `username=…`; everybody's password is `make.PASSWORD`.
`persona`          `persona("manager")` → the record behind a persona (made when first asked for).
`new_client`       `new_client()` → one more browser.
`settings`         the Settings the app was made with. `make_app(PORTAL_BASE_URL="https://…")` → another app on the same
                   database with other settings.
`frozen_clock`     time stands still at 2026-11-20 12:00 UTC until `frozen_clock.move(minutes=5)` or `.set(instant)`.
`statements`       `with statements() as sent: …; assert len(sent) <= 12`
`dump`             `before = dump(); …; assert dump() == before`: all rows of all tables but sessions and rate limits.
`live_server`      `live_server(workers=4)` → `portal web` (gunicorn) on the test's database: `.url`, `.kill()`, `.log`;
                   `live_worker()` → `portal worker` beside it. `live_environment(**more)` → what such processes get.
`smtp`             the SMTP twin of tests/twins/smtp.py.
`openid`           the OpenID provider of tests/twins/openid.py: `add_provider(openid, "openid")` makes the record,
                   `sign_in_at(client, response)` goes there from our start page and gives the callback;
                   `openid.behave(…)`, `openid.user = openid.person(…)`.
`github`           the GitHub of tests/twins/github.py: `github.provider()` makes the record.

Records are made with tests/support/make.py: `make_staff, make_contact, make_account, make_role, make_invitation(…)`.
What asks nothing of its own of a database (ON_SQLITE below) runs on PostgreSQL in `make test-long` only.
Connections beyond this machine fail the test. Warnings are errors. `long` tests run in `make test-long` only.
"""

import os
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import pytest
from argon2 import PasswordHasher
from flask import Flask

from portal.app import create_app
from portal.config import Settings, load
from portal.contacts.models import Contact
from portal.kernel import clock
from portal.kernel.db import db
from portal.staff.models import StaffMember
from portal.web import logs
from tests.support import databases, make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.live import Process, Server, worker
from tests.support.network import only_loopback
from tests.support.postgres import NoPostgres, quick_folder, temporary_postgres
from tests.support.statements import statements as count_statements
from tests.twins.github import GitHubTwin
from tests.twins.github import running as github_running
from tests.twins.openid import OpenIdTwin
from tests.twins.openid import running as openid_running
from tests.twins.smtp import SmtpTwin, running

STAFF_PERSONAS = ("owner", "manager", "editor", "viewer")
CONTACT_PERSONAS = ("invitee", "stranger")
PERSONAS = (*STAFF_PERSONAS, *CONTACT_PERSONAS, "nobody")


ON_SQLITE = (
    *("accounts", "contacts", "email_templates", "journal", "passkeys", "providers", "roles", "settings", "staff"),
    *("browser", "mail", "workflows"),
    *("faults/test_mail_faults.py", "faults/test_slow_server.py", "faults/test_worker_stopped.py"),
    *("redemption/test_cells.py", "redemption/test_requests.py", "redemption/test_second_factor.py"),
    *("redemption/test_sign_up.py", "architecture/test_reading.py"),
)
ON_BOTH = tuple(f"invitations/test_{name}.py" for name in ("bulk", "list", "send", "status", "undo"))


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: much of the time goes in waiting for servers and browsers."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).as_posix() if item.path.is_relative_to(here) else ""
        quick = folder.startswith((*ON_SQLITE, "invitations")) and not folder.startswith(ON_BOTH)
        if quick and item.get_closest_marker("postgresql"):
            item.add_marker(pytest.mark.long)


def required(tool: str) -> bool:
    """Whether the absence of a tool is a failure and not a skip."""
    return tool in os.environ.get("PORTAL_TEST_REQUIRE", "").replace(" ", "").split(",")


def missing(tool: str, how: str) -> None:
    """Skip the running test with one line, or fail where PORTAL_TEST_REQUIRE names the tool."""
    if required(tool):
        pytest.fail(how, pytrace=False)
    pytest.skip(how)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" not in metafunc.fixturenames:
        return
    kinds = os.environ.get("PORTAL_TEST_DATABASES", "sqlite,postgresql").replace(" ", "").split(",")
    if metafunc.definition.get_closest_marker("sqlite_only"):
        kinds = [kind for kind in kinds if kind == "sqlite"]
    marks = {"postgresql": pytest.mark.postgresql}
    cases = [pytest.param(kind, marks=marks[kind]) if kind in marks else kind for kind in kinds]
    metafunc.parametrize("database", cases, indirect=True)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of the run, as environment variables; keys are fresh."""
    key = b64encode(secrets.token_bytes(32)).decode()
    return {
        "PORTAL_INSTANCE": str(tmp_path_factory.mktemp("instance")),
        "PORTAL_SECRET_KEY": secrets.token_hex(32),
        "PORTAL_KEYS": f'{{"current": "test", "keys": {{"test": "{key}"}}}}',
        "PORTAL_BASE_URL": "http://localhost",
        "PORTAL_MAIL_URL": "outbox:",
        "PORTAL_MAIL_FROM": "Portal <portal@portal.example>",
        "PORTAL_TIMEZONE": "UTC",
    }


@pytest.fixture(scope="session")
def _build(environment: dict[str, str]) -> Callable[..., Flask]:
    def build(**more: str) -> Flask:
        app = create_app(load({**environment, **more}))
        app.test_client_class = Client
        app.testing = False  # errors are answered as for everybody else, not raised
        return app

    return build


@pytest.fixture(scope="session")
def _quick_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="portal-test-", dir=quick_folder()))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def _sqlite(_quick_folder: Path, _build: Callable[..., Flask]) -> databases.SQLite:
    return databases.SQLite(_quick_folder, lambda url: _build(PORTAL_DATABASE_URL=url))


@pytest.fixture(scope="session")
def _postgresql(_build: Callable[..., Flask]) -> Iterator[databases.PostgreSQL | NoPostgres]:
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(temporary_postgres())
        except NoPostgres as fault:
            yield fault
            return
        yield databases.PostgreSQL(folder, lambda url: _build(PORTAL_DATABASE_URL=url))


@pytest.fixture
def database(request: pytest.FixtureRequest) -> databases.Database:
    """The fresh database of this test: `.kind`, `.url`."""
    chosen = request.getfixturevalue(f"_{request.param}")
    if isinstance(chosen, NoPostgres):
        missing("postgresql", str(chosen))
    chosen.fresh()
    return chosen


@pytest.fixture(scope="session")
def _apps() -> Iterator[dict[str, Flask]]:
    apps: dict[str, Flask] = {}
    yield apps
    for app in apps.values():
        _let_go(app)


@pytest.fixture
def app(database: databases.Database, _apps: dict[str, Flask], _build: Callable[..., Flask]) -> Iterator[Flask]:
    """The application on a fresh database; one object per run and kind, its configuration restored after each test."""
    if database.url not in _apps:
        _apps[database.url] = _build(PORTAL_DATABASE_URL=database.url)
    app = _apps[database.url]
    config = dict(app.config)
    with app.app_context():
        yield app
        db.session.remove()
    app.config.clear()
    app.config.update(config)
    _let_go(app)


def _let_go(app: Flask) -> None:
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def settings(app: Flask) -> Settings:
    """The settings the app was made with."""
    chosen: Settings = app.config["PORTAL_SETTINGS"]
    return chosen


@pytest.fixture
def make_app(app: Flask, database: databases.Database, _build: Callable[..., Flask]) -> Iterator[Callable[..., Flask]]:
    """Another app on the same database, with other settings."""
    made: list[Flask] = []

    def build(**more: str) -> Flask:
        made.append(_build(**{"PORTAL_DATABASE_URL": database.url, **more}))
        return made[-1]

    yield build
    for other in made:
        _let_go(other)


@pytest.fixture
def new_client(app: Flask) -> Callable[[], Client]:
    """One more browser each time it is called."""
    return lambda: app.test_client()  # type: ignore[return-value]


@pytest.fixture
def client(new_client: Callable[[], Client]) -> Client:
    """A browser nobody is signed in with."""
    return new_client()


@pytest.fixture
def persona(_personas: Callable[[str], StaffMember | Contact]) -> Callable[[str], StaffMember | Contact]:
    """The record behind a persona; made when first asked for."""
    return _personas


@pytest.fixture
def _personas(app: Flask) -> Callable[[str], StaffMember | Contact]:
    made: dict[str, tuple[type[StaffMember] | type[Contact], int]] = {}

    def get(name: str) -> Any:
        if name not in made:
            person = _make_persona(name)
            made[name] = type(person), person.id
        return db.session.get_one(*made[name])

    return get


def _make_persona(name: str) -> StaffMember | Contact:
    if name in STAFF_PERSONAS:
        return make.make_staff(name, name=f"{name.title()} Persona", email=f"{name}@staff.example")
    contact = make.make_contact(name.title(), "Persona", f"{name}@example.org", username=name, verified=True)
    if name == "invitee":
        make.make_invitation(contact, name="For the invitee", sent=True)
        return db.session.get_one(Contact, contact.id)
    return contact


@pytest.fixture
def sign_in_as(
    new_client: Callable[[], Client], _personas: Callable[[str], StaffMember | Contact]
) -> Callable[[str | StaffMember | Contact], Client]:
    """A new browser, signed in through the real page as a persona or as the given person."""

    def sign_in(who: str | StaffMember | Contact) -> Client:
        browser = new_client()
        if who == "nobody":
            return browser
        person = _personas(who) if isinstance(who, str) else who
        if isinstance(person, StaffMember):
            url, typed = "/staff/sign-in", {"email": person.email, "password": make.PASSWORD}
        else:
            url, typed = "/sign-in", {"identifier": make.username_of(person), "password": make.PASSWORD}
        response = browser.post_form(url, typed)
        assert response.status_code == 303, f"signing in answered {response.status}"
        return browser

    return sign_in


@pytest.fixture
def frozen_clock() -> Iterator[FrozenClock]:
    """Time that stands still until the test moves it."""
    frozen = FrozenClock()
    with clock.reading(frozen):
        yield frozen


@pytest.fixture
def statements() -> Callable[[], Any]:
    """Counts the statements sent to the database inside a `with` block."""
    return count_statements


@pytest.fixture
def dump(app: Flask) -> Callable[[], databases.Rows]:
    """The rows of every table but sessions and rate limits."""
    return databases.dump


@pytest.fixture
def live_environment(environment: dict[str, str], database: databases.Database) -> Callable[..., dict[str, str]]:
    """The environment of a real process on the test's database."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}

    def build(**more: str) -> dict[str, str]:
        return {**ours, **environment, "PORTAL_DATABASE_URL": database.url, **more}

    return build


@pytest.fixture
def live_server(
    app: Flask, live_environment: Callable[..., dict[str, str]], tmp_path: Path
) -> Iterator[Callable[..., Server]]:
    """Starts real servers on the test's database; they end with the test."""
    started: list[Process] = []

    def start(workers: int = 2, **more: str) -> Server:
        log = tmp_path / f"server{len(started)}.log"
        started.append(Server(live_environment(**more), log, workers=workers))
        return started[-1]  # type: ignore[return-value]

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def live_worker(
    app: Flask, live_environment: Callable[..., dict[str, str]], tmp_path: Path
) -> Iterator[Callable[..., Process]]:
    """Starts real workers on the test's database; they end with the test."""
    started: list[Process] = []

    def start(**more: str) -> Process:
        started.append(worker(live_environment(**more), tmp_path / f"worker{len(started)}.log"))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def smtp() -> Iterator[SmtpTwin]:
    """A real SMTP server on the loopback interface that behaves as the test tells it to."""
    with running() as twin:
        yield twin


@pytest.fixture
def openid() -> Iterator[OpenIdTwin]:
    """A real OpenID provider on the loopback interface that behaves as the test tells it to."""
    with openid_running() as twin:
        yield twin


@pytest.fixture
def github() -> Iterator[GitHubTwin]:
    """GitHub's endpoints on the loopback interface."""
    with github_running() as twin:
        yield twin


@pytest.fixture(scope="session", autouse=True)
def _passwords() -> Iterator[None]:
    """Argon2 keeps its full cost, but what it found right once in this run is remembered: everybody in the tests has
    the same password, and verifying it a thousand times shows nothing more."""
    verify, right = PasswordHasher.verify, set()

    def remembering(self: PasswordHasher, stored: str | bytes, typed: str | bytes) -> Literal[True]:
        if (stored, typed) not in right:
            verify(self, stored, typed)
            right.add((stored, typed))
        return True

    PasswordHasher.verify = remembering  # type: ignore[method-assign]
    yield
    PasswordHasher.verify = verify  # type: ignore[method-assign]


@pytest.fixture(scope="session", autouse=True)
def _logs() -> None:
    """JSON lines, as in production; shown with a failing test."""
    logs.configure()


@pytest.fixture(scope="session", autouse=True)
def _at_home() -> Iterator[list[str]]:
    with only_loopback() as tried:
        yield tried


@pytest.fixture(autouse=True)
def _stays_at_home(_at_home: list[str]) -> Iterator[None]:
    """Fails a test that tried to reach another machine, even where the attempt was swallowed."""
    _at_home.clear()
    yield
    assert not _at_home, f"tried to reach {_at_home}"
