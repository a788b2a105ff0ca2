"""The cookies of remembered browsers: giving, reading and taking them back."""

import math
from datetime import datetime

from flask import Response, after_this_request, current_app, g, request, session

from portal.identity import queries
from portal.identity.services import remembered
from portal.identity.services.remembered import SECOND, STAY, Remembered
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.settings.queries import site

KEPT = "stay"
"""Where a session keeps the number of the remembered browser it belongs to."""
NAMES = {STAY: "portal-stay", SECOND: "portal-known"}


def stay(whose: tuple[int, int]) -> None:
    """Let this browser stay signed in as the contact; they are signed in already."""
    kept = _remember(whose, STAY)
    if kept is not None:
        session[KEPT] = kept.browser_id


def spare(whose: tuple[int, int]) -> None:
    """Spare this browser the second factor when the contact signs in again."""
    _remember(whose, SECOND)


def spared(contact_id: int) -> bool:
    """Whether this browser may skip the second factor of the contact."""
    known = _recognised(SECOND) if _cookie(SECOND) and site().remember_browser else None
    return known is not None and known.contact_id == contact_id


def resumed() -> Remembered | None:
    """Who stays signed in with this browser, if anybody does."""
    return _recognised(STAY) if _cookie(STAY) and site().remember_me else None


def over() -> bool:
    """Whether this session belongs to a remembered browser that is remembered no more."""
    return KEPT in session and not queries.is_remembered(int(session[KEPT]))


def leave() -> None:
    """Stay signed in no longer: nothing where nobody does."""
    cookie, kept = _cookie(STAY), session.pop(KEPT, None) if KEPT in session else None
    if cookie is None and kept is None:
        return
    with transaction():
        if kept is not None:
            remembered.forget_browser(int(kept))
        if cookie is not None:
            remembered.forget_cookie(STAY, cookie)
    _give(STAY, None)


def _remember(whose: tuple[int, int], purpose: str) -> Remembered | None:
    agent = request.user_agent.string
    with transaction():
        kept = remembered.remember(whose, purpose, ip=request.remote_addr, user_agent=agent, now=clock.now())
    _give(purpose, kept)
    return kept


def _recognised(purpose: str) -> Remembered | None:
    cookie = _cookie(purpose)
    if cookie is None:
        return None
    # Looked up first: whoever sends made-up cookies does not make the others wait for the database.
    found = queries.remembered_by(cookie.partition(".")[0], purpose)
    known = None
    if found is not None:
        with transaction():
            known = remembered.recognise(purpose, cookie, ip=request.remote_addr, now=clock.now())
    if known is None or known.cookie is not None:
        _give(purpose, known)
    return known


def _cookie(purpose: str) -> str | None:
    cookie = request.cookies.get(_name(purpose), "")
    return cookie[:200] if cookie.isascii() and cookie.isprintable() and cookie else None


def _name(purpose: str) -> str:
    return f"__Host-{NAMES[purpose]}" if current_app.config["SESSION_COOKIE_SECURE"] else NAMES[purpose]


def _give(purpose: str, kept: Remembered | None) -> None:
    """Set the cookie with the answer to this request, or delete it; the last word counts."""
    if "browser_cookies" not in g:
        g.browser_cookies = {}
        after_this_request(_answer)
    g.browser_cookies[purpose] = kept


def _answer(response: Response) -> Response:
    secure, now = current_app.config["SESSION_COOKIE_SECURE"], clock.now()
    for purpose, kept in g.browser_cookies.items():
        if kept is None:
            response.delete_cookie(_name(purpose), path="/", secure=secure, httponly=True, samesite="Lax")
        else:
            _set(response, _name(purpose), kept, secure, now)
    return response


def _set(response: Response, name: str, kept: Remembered, secure: bool, now: datetime) -> None:
    lasts = math.ceil((kept.expires_at - now).total_seconds())
    response.set_cookie(name, kept.cookie or "", max_age=lasts, path="/", secure=secure, httponly=True, samesite="Lax")
