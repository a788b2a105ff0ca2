"""A recent proof of who one is, which changing what guards the site asks for, and what was typed until it is given."""

import json
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import current_app, g, request, session

from portal.kernel import clock
from portal.kernel.secrets_ import KeyMissing, KeyRing
from portal.web import sessions

LASTS = timedelta(minutes=10)
PROVEN_AT = sessions.PROVEN_AT
_KEPT, _LONGEST = "kept_form", 250_000


class Kept(NamedTuple):
    """A form that was sent before the proof was given: where to, and its fields."""

    to: str
    fields: list[tuple[str, str]]


def proven_now() -> None:
    """Note that the signed-in person has just proven who they are."""
    session[PROVEN_AT] = clock.now().isoformat()


def proven_recently() -> bool:
    """Whether they did so within the last ten minutes (ASVS 7.5.1)."""
    at = session.get(PROVEN_AT)
    return at is not None and clock.now() - datetime.fromisoformat(at) < LASTS


def keep_form() -> bool:
    """Keep what this request typed, sealed, until the proof is given; says whether it could.

    Not where the CSRF token did not hold: then another site may have typed it.
    """
    if request.method != "POST" or getattr(g, "csrf_failed", False) or request.files:
        return False
    fields = [(name, value) for name, value in request.form.items(multi=True) if name != "csrf_token"]
    text = json.dumps([request.full_path.rstrip("?"), fields, clock.now().isoformat(), session.get(sessions.USER)])
    if len(text) > _LONGEST:
        return False
    session[_KEPT] = _ring().seal(text, _KEPT)
    return True


def kept_form() -> Kept | None:
    """The form that waits, if it has not waited too long and whoever is signed in now is the one who typed it."""
    sealed = session.get(_KEPT)
    if not sealed:
        return None
    try:
        to, fields, at, whose = json.loads(_ring().open(sealed, _KEPT))
    except (KeyMissing, ValueError):
        return None
    late = clock.now() - datetime.fromisoformat(at) >= LASTS
    return None if late or whose != session.get(sessions.USER) else Kept(to, [(name, value) for name, value in fields])


def drop_form() -> None:
    """Forget what was kept: it is being sent, or something else is."""
    if _KEPT in session:
        session.pop(_KEPT)


def _ring() -> KeyRing:
    ring: KeyRing = current_app.config["PORTAL_SETTINGS"].keys
    return ring
