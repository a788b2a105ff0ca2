"""What guards every answer: headers, hosts, cross-site requests, the CSRF check."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, request, session
from flask_wtf.csrf import CSRFError

from portal.web.extensions import csrf

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": (
        "accelerometer=(), camera=(), geolocation=(), gyroscope=(), microphone=(), payment=(), usb=(), "
        "browsing-topics=()"
    ),
    "Cache-Control": "no-store",
}
HSTS = "max-age=63072000; includeSubDomains"
PRIVATE = (
    *("/staff", "/redeem", "/i/", "/register"),
    *("/reset-password", "/set-password", "/confirm-email", "/change-email"),
)

V = TypeVar("V", bound=Callable[..., object])


def refills_form(view: V) -> V:
    """Mark a view whose FlaskForm checks the CSRF token itself, so that a stale token costs nobody what they typed."""
    view.refills_form = True  # type: ignore[attr-defined]
    return view


def init(app: Flask) -> None:
    """Bind the guards to every request and answer of the app."""
    app.before_request(_read_session)
    app.before_request(_refuse_cross_site)
    app.before_request(_check_csrf)
    app.after_request(_headers)


def _read_session() -> None:
    """A session that could not be read must not look like nobody's."""
    fault = getattr(session, "fault", None)
    if fault is not None:
        raise fault


def _refuse_cross_site() -> None:
    if request.method not in SAFE and request.headers.get("Sec-Fetch-Site") == "cross-site":
        abort(403)


def _check_csrf() -> None:
    if request.method in SAFE or request.endpoint is None:
        return
    try:
        csrf.protect()
    except CSRFError:
        view = current_app.view_functions.get(request.endpoint)
        if not getattr(view, "refills_form", False):
            raise
        g.csrf_failed = True


def _headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.headers.get("X-Frame-Options") == "":
        del response.headers["X-Frame-Options"]
    response.vary.update(("Cookie", "HX-Request"))
    if request.path.startswith(PRIVATE):
        response.headers["X-Robots-Tag"] = "noindex, nofollow"
    if current_app.config["PORTAL_SETTINGS"].https:
        response.headers["Strict-Transport-Security"] = HSTS
    return response


def local_target(target: str | None, default: str) -> str:
    """`target` if it leads to a page of this site, else `default`.

    Browsers drop tabs and line ends and read a backslash as a slash, so such values are refused before parsing.
    """
    if not target or any(ord(c) <= 0x20 or ord(c) == 0x7F for c in target) or "\\" in target:
        return default
    try:
        parts = urlsplit(target)
    except ValueError:
        return default
    if parts.scheme or parts.netloc or not target.startswith("/") or target.startswith("//"):
        return default
    adapter = current_app.url_map.bind("localhost")
    return target if adapter.test(parts.path, method="GET") else default
