"""What goes wrong, as a page or as a fragment; the words are for people, the details for the log."""

import structlog
from flask import Flask, Response, g, make_response, render_template, request
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError
from werkzeug.exceptions import HTTPException, InternalServerError

from portal.kernel.db import db
from portal.kernel.errors import PortalError, TooFast
from portal.web.htmx import wanted

log = structlog.get_logger("web")
BUSY_RETRY_AFTER = 5


def init(app: Flask) -> None:
    """Bind an answer to every kind of failure."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(CSRFError, _stale_token)
    app.register_error_handler(PortalError, _refused)
    app.register_error_handler(ObjectDeletedError, _vanished)
    app.register_error_handler(StaleDataError, _vanished)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(Exception, _unexpected)
    # Flask's own line names the address, which may hold a secret; `_http` logs what went wrong.
    app.log_exception = lambda exc_info: None  # type: ignore[method-assign]


def answer(status: int, message: str = "", retry_after: int | None = None) -> Response:
    """The error page for `status`; `message` takes the place of the usual words."""
    title, usual = words(status)
    g.without_database = status >= 500
    template = "errors/_fragment.html" if wanted() else "errors/page.html"
    body = render_template(
        template,
        status=status,
        title=title,
        message=message or usual,
        request_id=g.get("request_id", ""),
        retry_after=retry_after,
        next_url="/staff/" if request.path.startswith("/staff") else "/",  # url_for needs a host that is trusted
        next_label=_("Go to the start page"),
    )
    response = make_response(body, status)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    return response


def words(status: int) -> tuple[str, str]:
    """Title and usual text for a status."""
    known = {
        400: (_("That did not arrive as expected"), _("Please go back, reload the page and try again.")),
        403: (_("You may not do this"), _("Ask an owner of this site if you think you should be able to.")),
        404: (_("There is nothing here"), _("The address may be mistyped, or what was here is gone.")),
        405: (_("That is not possible here"), _("Please use the buttons on the page.")),
        409: (_("Something changed in the meantime"), _("Please reload the page and look at it again.")),
        410: (_("This is over"), _("What was here is no longer available.")),
        413: (_("That is too large"), _("Please send less.")),
        415: (_("That did not arrive as expected"), _("Please use the form on the page.")),
        422: (_("That cannot be accepted"), _("Please check what you entered.")),
        429: (_("Too many tries"), _("Please wait a moment before you try again.")),
        500: (_("Something broke on our side"), _("It has been noted. Please try again in a moment.")),
        503: (_("The site is busy"), _("Nothing was saved. Please try again in a few seconds.")),
    }
    return known.get(status, known[400] if status < 500 else known[500])


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return make_response(error.response)
    # What fails after the view, as the session is written, comes in this wrapping.
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, Exception):
        inner = error.original_exception
        return _database(inner) if isinstance(inner, DBAPIError) else _unexpected(inner)
    status = error.code or 500
    response = answer(status)
    for name, value in error.get_headers(request.environ):
        if name.lower() == "allow":
            response.headers[name] = value
    return response


def _stale_token(error: CSRFError) -> Response:
    return answer(
        400, _("This page was open for too long, or in two windows. Please go back, reload it and try again.")
    )


def _refused(error: PortalError) -> Response:
    db.session.rollback()
    retry_after = error.retry_after if isinstance(error, TooFast) else None
    return answer(error.status, error.message, retry_after)


def _vanished(error: Exception) -> Response:
    db.session.rollback()
    return answer(409)


def _database(error: DBAPIError) -> Response:
    db.session.rollback()
    if isinstance(error, (OperationalError, InterfaceError)) or error.connection_invalidated:
        full = "full" in str(error.orig)
        log.error("database.unavailable", reason="full" if full else "locked or away", error=type(error.orig).__name__)
        message = _("The storage is full. Nothing was saved.") if full else ""
        return answer(503, message, BUSY_RETRY_AFTER)
    return _unexpected(error)


def _unexpected(error: Exception) -> Response:
    db.session.rollback()
    log.exception("web.failure", path=request.url_rule.rule if request.url_rule else None)
    return answer(500)
