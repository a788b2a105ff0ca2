"""Whether this process lives, and whether the portal can work."""

from collections.abc import Callable

from flask import Blueprint, current_app, jsonify
from werkzeug.wrappers import Response

bp = Blueprint("health", __name__)

Check = Callable[[], str]
"""Says "ok", or in a word what is wrong. Only reads, and raises nothing."""


@bp.get("/health/live")
def live() -> Response:
    """This process answers."""
    return jsonify(status="ok", checks={})


@bp.get("/health/ready")
def ready() -> tuple[Response, int]:
    """Everything the portal needs is there; what is checked, the slices above say."""
    checks: dict[str, Check] = current_app.extensions["health"]
    found = {name: check() for name, check in checks.items()}
    good = all(words == "ok" for words in found.values())
    return jsonify(status="ok" if good else "degraded", checks=found), 200 if good else 503
