"""What goes wrong is told in plain words, with a reference, and without a word about the inside."""

import re
from collections.abc import Callable
from typing import NoReturn

import pytest
from flask import Flask, abort
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from portal.kernel.db import db
from portal.kernel.errors import Conflict, Forbidden, Gone, Invalid, NotFound, PortalError, Stale, TooFast
from tests.redemption import ways
from tests.support import make
from tests.support.clients import HTMX, Client
from tests.support.pages import Page

pytestmark = pytest.mark.sqlite_only
STATUSES = (400, 403, 404, 405, 409, 410, 413, 422, 429, 500, 503)
INSIDE = re.compile(
    r"Traceback|File \"|/opt/|/srv/|/home/|\.py\b|site-packages|SELECT|INSERT|sqlite|psycopg|sqlalchemy"
    r"|werkzeug|flask|secret-detail",
    re.I,
)
FAULTS: dict[str, Exception] = {
    "bug": RuntimeError("secret-detail SELECT password FROM credential in /srv/portal/app.py"),
    "locked": OperationalError("SELECT secret-detail", {}, Exception("database is locked")),
    "full": OperationalError("INSERT secret-detail", {}, Exception("database or disk is full")),
    "forbidden": Forbidden(),
    "notfound": NotFound(),
    "stale": Stale("Somebody else saved it."),
    "conflict": Conflict("It was sent already."),
    "gone": Gone("It is over."),
    "invalid": Invalid({"name": "Please fill this in."}),
    "toofast": TooFast("Please wait.", 30),
    "plain": PortalError("No."),
}


@pytest.fixture
def faulty(make_app: Callable[..., Flask]) -> Client:
    """A browser on a portal that has a page for every way of failing."""
    app = make_app()

    def fail(how: str) -> NoReturn:
        if how.isdigit():
            abort(int(how))
        raise FAULTS[how]

    for prefix in ("", "/staff"):
        app.add_url_rule(f"{prefix}/fail/<how>", f"fail{prefix.strip('/')}", fail)
    return app.test_client()  # type: ignore[return-value]


@pytest.mark.parametrize("side", ["", "/staff"])
@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_a_page(faulty: Client, side: str, status: int) -> None:
    response = faulty.get(f"{side}/fail/{status}")
    page = Page(response)
    assert response.status_code == status
    assert page.heading
    assert page.title
    assert response.headers["X-Request-ID"] in page.text
    assert [href for href in page.links.values() if href.startswith("/")], "every dead end has a next step"
    assert not INSIDE.search(page.text)


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_a_fragment(faulty: Client, status: int) -> None:
    response = faulty.get(f"/fail/{status}", headers=HTMX)
    assert response.status_code == status
    html = response.get_data(as_text=True)
    assert "<html" not in html
    assert response.headers["X-Request-ID"] in html
    assert Page(html).all(role="alert")


def test_htmx_restoring_its_history_gets_the_page(faulty: Client) -> None:
    response = faulty.get("/fail/404", headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert "<html" in response.get_data(as_text=True)


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("bug", 500),
        ("locked", 503),
        ("full", 503),
        ("forbidden", 403),
        ("notfound", 404),
        ("stale", 409),
        ("conflict", 409),
        ("gone", 410),
        ("invalid", 422),
        ("toofast", 429),
        ("plain", 400),
    ],
)
@pytest.mark.parametrize("headers", [None, HTMX], ids=["page", "fragment"])
def test_nothing_from_the_inside_is_told(faulty: Client, how: str, status: int, headers: dict[str, str] | None) -> None:
    response = faulty.get(f"/fail/{how}", headers=headers)
    assert response.status_code == status
    assert not INSIDE.search(Page(response).text)
    message = str(getattr(FAULTS[how], "message", ""))
    assert message in Page(response).text


@pytest.mark.parametrize(("how", "seconds"), [("locked", "5"), ("full", "5"), ("toofast", "30")])
def test_who_may_come_back_is_told_when(faulty: Client, how: str, seconds: str) -> None:
    response = faulty.get(f"/fail/{how}")
    assert response.headers["Retry-After"] == seconds


def test_a_full_disk_is_called_by_its_name(faulty: Client) -> None:
    assert "storage is full" in Page(faulty.get("/fail/full")).text


def test_a_wrong_verb_is_told_the_right_ones(client: Client) -> None:
    response = client.delete("/redeem")
    assert response.status_code == 405
    assert {verb.strip() for verb in response.headers["Allow"].split(",")} >= {"GET", "POST"}


@pytest.mark.parametrize("url", ["/redeem", "/sign-in", "/staff/sign-in", "/sign-up"])
def test_a_body_over_a_megabyte_is_413(client: Client, url: str) -> None:
    response = client.post(url, data={"code": "x" * 2_000_000})
    assert response.status_code == 413
    assert Page(response).heading


def test_too_many_parts_are_413(client: Client) -> None:
    response = client.post("/redeem", data={f"f{n}": "x" for n in range(2_000)}, content_type="multipart/form-data")
    assert response.status_code == 413


@pytest.mark.parametrize(
    "path", ["/%00", "/%ff%fe", "/a%0d%0ab", "/" + "x" * 4000, "/i/%00", "/i/" + "é" * 43, "/staff/../x"]
)
def test_a_strange_address_is_404(client: Client, path: str) -> None:
    assert client.get(path).status_code in (404, 303)


def test_a_session_that_cannot_be_written_is_a_busy_site_and_no_address_in_the_log(
    make_app: Callable[..., Flask],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    contact = make.make_contact()
    path = ways.link_of(make.make_invitation(contact), contact)
    tries: list[int] = []

    def locked() -> NoReturn:
        tries.append(1)
        raise FAULTS["locked"]

    monkeypatch.setattr("portal.web.sessions.side_transaction", locked)
    app = make_app()
    app.config["PROPAGATE_EXCEPTIONS"] = False
    response = app.test_client().get(path)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert tries == [1], "the page that says so does not wait once more"
    logged = caplog.text + "".join(capfd.readouterr())
    assert path not in logged
    assert path.rpartition("/")[2] not in logged


def test_a_failed_statement_is_logged_without_its_values(app: Flask) -> None:
    with pytest.raises(DBAPIError) as failed:
        db.session.execute(text("SELECT no_such_column WHERE 'x' = :typed"), {"typed": "a secret"})
    assert "a secret" not in str(failed.value)
