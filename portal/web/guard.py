"""The guard on every staff page: who is signed in, and whether they may open what they ask for."""

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Blueprint, Flask, abort, current_app, request, url_for
from flask_login import current_user
from werkzeug.wrappers import Response

from portal.kernel.actor import Actor
from portal.web import proof
from portal.web.htmx import go, wanted
from portal.web.security import local_target

V = TypeVar("V", bound=Callable[..., object])


def staff_blueprint(name: str, import_name: str, prefix: str = "") -> Blueprint:
    """A blueprint under `/staff` whose every view is guarded."""
    blueprint = Blueprint(name, import_name, url_prefix=f"/staff{prefix}")
    blueprint.before_request(_guard)
    return blueprint


def needs(permission: str, *, proven: bool = False, detour: bool = True) -> Callable[[V], V]:
    """Open a view to staff members who hold `permission` (see portal/staff/permissions.py).

    With `proven` they must have proven who they are within the last ten minutes: else they are led to
    `/staff/confirm`, and what they sent is kept until they did. Without `detour` the view is open, too, to somebody
    who has to set up a second factor first.
    """

    def mark(view: V) -> V:
        view.permission = permission  # type: ignore[attr-defined]
        view.proven, view.detour = proven, detour  # type: ignore[attr-defined]
        return view

    return mark


def before_sign_in(view: V) -> V:
    """Open a staff view to people who are not signed in yet."""
    view.permission = None  # type: ignore[attr-defined]
    return view


def actor() -> Actor:
    """The signed-in staff member as services and the journal see them; only inside a guarded view."""
    by: Actor = current_user.actor(request.remote_addr)
    return by


def may(permission: str) -> bool:
    """Whether the signed-in person holds the permission; for templates."""
    return bool(current_user.is_authenticated and hasattr(current_user, "may") and current_user.may(permission))


def declared(app: Flask) -> dict[str, str | None]:
    """The permission of each staff endpoint. Raises RuntimeError for one that names none."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/staff")]
    found: dict[str, str | None] = {}
    for rule in rules:
        view = app.view_functions[rule.endpoint]
        if not hasattr(view, "permission"):
            raise RuntimeError(f"the staff page {rule.endpoint} names no permission")
        found[rule.endpoint] = view.permission
    return found


def _guard() -> Response | None:
    view = current_app.view_functions[request.endpoint or ""]
    permission: str | None = getattr(view, "permission", "")
    if permission is None:
        return None
    if not current_user.is_authenticated:
        asked_for = request.full_path.rstrip("?") if request.method == "GET" and not wanted() else None
        return go(url_for("staff.sign_in", next=asked_for))
    elsewhere = _elsewhere() if getattr(view, "detour", True) else None
    if elsewhere:
        return go(elsewhere)
    if not current_user.may(permission):
        abort(403)
    if getattr(view, "proven", False):
        if not proof.proven_recently():
            return _confirm()
        if request.method == "POST":
            proof.drop_form()
    return None


def _elsewhere() -> str | None:
    """Where the signed-in person has to go before anything else. The staff slice, which is above, knows."""
    detour: Callable[[], str | None] | None = current_app.extensions.get("staff_detour")
    return detour() if detour else None


def _confirm() -> Response:
    """Lead to the page that asks who one is, and from there on to what was asked for."""
    if request.method == "GET":
        return go(url_for("staff_proof.confirm", next=request.full_path.rstrip("?")))
    # A form that cannot be kept is left where it was filled in: going back in the browser finds it there.
    after = url_for("staff_proof.go_on") if proof.keep_form() else _came_from()
    return go(url_for("staff_proof.confirm", next=after))


def _came_from() -> str | None:
    parts = urlsplit(request.referrer or "")
    return local_target(parts.path, "") or None
