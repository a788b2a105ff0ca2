"""Same URL, two shapes: a page, or the fragment of it that htmx asked for."""

from flask import Response, flash, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse


def wanted() -> bool:
    """Whether htmx asks (and not to restore its history, for which it needs the page)."""
    return request.headers.get("HX-Request") == "true" and "HX-History-Restore-Request" not in request.headers


def render(page: str, fragment: str | None = None, status: int = 200, **context: object) -> Response:
    """Render `page`, or `fragment` where htmx asks for it."""
    template = fragment if fragment and wanted() else page
    return make_response(render_template(template, **context), status)


def see_other(url: str, toast: str | None = None, category: str = "success") -> BaseResponse:
    """After a POST: lead to `url` with 303, and say there what happened."""
    if toast:
        flash(str(toast), category)
    return redirect(url, 303)


def go(url: str) -> BaseResponse:
    """Send the whole browser window to `url`: 303, or with htmx 401 and `HX-Redirect` (for signing in)."""
    if wanted():
        answer = make_response("", 401)
        answer.headers["HX-Redirect"] = url
        return answer
    return redirect(url, 303)
