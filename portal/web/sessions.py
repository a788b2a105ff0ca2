"""Sessions kept on the server: the cookie holds a random id, the database its SHA-256 and what belongs to it.

Staff and contacts have a cookie each. A visitor who only looks at a page gets no row: until something is
remembered, the CSRF token is derived from the cookie alone.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Flask, Request, Response, current_app, g, request, session
from flask.sessions import SessionInterface, SessionMixin
from flask_wtf.csrf import generate_csrf
from sqlalchemy import JSON, String, delete, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.datastructures import CallbackDict

from portal.kernel import clock
from portal.kernel.db import Base, db, side_transaction
from portal.kernel.secrets_ import digest, new_secret

STAFF, CONTACT = "staff", "contact"
IDLE = {STAFF: timedelta(minutes=30), CONTACT: timedelta(hours=24)}
ABSOLUTE = {STAFF: timedelta(hours=12), CONTACT: timedelta(days=7)}
TOUCH_AFTER = timedelta(minutes=1)
CSRF_FIELD = "csrf_token"
USER, PROVEN_AT = "_user_id", "proven_at"
"""Where a session keeps who is signed in (Flask-Login's name), and when they last proved it (`proof`)."""
COOKIE_LENGTH = len(new_secret())


class ServerSession(Base):
    """One browser's session; `user` is what Flask-Login remembers (`staff:3:0`), for listing and revoking."""

    __tablename__ = "server_session"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    audience: Mapped[str] = mapped_column(String(10))
    user: Mapped[str | None] = mapped_column(String(40), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime] = mapped_column(index=True)
    ip: Mapped[str | None] = mapped_column(String(45))
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    data: Mapped[dict[str, Any]] = mapped_column(JSON)


class BrowserSession(CallbackDict[str, Any], SessionMixin):
    """The session of one request. `stored` says whether it has a row, `fault` what kept it from being read."""

    def __init__(self, data: dict[str, Any], sid: str, audience: str, *, stored: bool, has_cookie: bool) -> None:
        def changed(_: object) -> None:
            self.modified = True

        super().__init__(data, changed)
        self.sid, self.audience, self.stored, self.has_cookie = sid, audience, stored, has_cookie
        self.created_at: datetime | None = None
        self.seen_at: datetime | None = None
        self.was = (data.get(USER), data.get(PROVEN_AT))
        self.modified = self.form_shown = self.renewed = False
        self.next_sid: str | None = None
        self.fault: SQLAlchemyError | None = None

    def __getitem__(self, key: str) -> Any:
        if key == CSRF_FIELD:
            self.form_shown = True
        return super().__getitem__(key)

    @property
    def goes_on(self) -> bool:
        """Whether who was signed in before this request still is, and did not sign in anew by it."""
        user, proven_at = self.was
        whose = str(self.get(USER) or "").rpartition(":")[0]  # without the epoch, which ending other sessions counts up
        return user is not None and str(user).rpartition(":")[0] == whose and self.get(PROVEN_AT) == proven_at

    def remembered(self) -> dict[str, Any]:
        """What goes into the row."""
        return {key: value for key, value in self.items() if key != CSRF_FIELD}


def renew() -> None:
    """Give this browser a new session id and end the old one: at sign-in, at redemption, at any change of rights."""
    _current().renewed = True
    _current().modified = True


def forget() -> None:
    """Empty the session and end it."""
    session.clear()
    renew()


def next_token() -> str:
    """The CSRF token that this browser's next request needs, for an answer that is no page but makes a session: with
    its first row a session gets a new id, and the tokens made before are over."""
    current = _current()
    if not current.stored and current.next_sid is None:
        current.next_sid = new_secret()
        dict.__setitem__(current, CSRF_FIELD, _csrf_secret(current_app, current.next_sid))
        g.pop(CSRF_FIELD, None)
    return str(generate_csrf())


def current_id() -> str:
    """The id of this session's row."""
    return digest(_current().sid)


def _current() -> BrowserSession:
    current = session._get_current_object()  # type: ignore[attr-defined]
    return cast(BrowserSession, current)


def audience_of(path: str) -> str:
    """Which of the two sign-ins a path belongs to."""
    return STAFF if path == "/staff" or path.startswith("/staff/") else CONTACT


class DatabaseSessions(SessionInterface):
    """Reads the session at the start of a request and writes it at the end, in a transaction of its own."""

    def cookie_name(self, app: Flask, audience: str) -> str:
        name = "portal-staff" if audience == STAFF else "portal"
        return f"__Host-{name}" if app.config["SESSION_COOKIE_SECURE"] else name

    def open_session(self, app: Flask, request: Request) -> BrowserSession:
        audience = audience_of(request.path)
        cookie = request.cookies.get(self.cookie_name(app, audience), "")
        known = len(cookie) == COOKIE_LENGTH and cookie.isascii()
        sid = cookie if known else new_secret()
        opened = BrowserSession({}, sid, audience, stored=False, has_cookie=known)
        if known:
            try:
                opened = _read(sid, audience) or opened
            except SQLAlchemyError as fault:
                opened.fault = fault
        dict.__setitem__(opened, CSRF_FIELD, _csrf_secret(app, sid))
        return opened

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not isinstance(session, BrowserSession) or session.fault is not None:
            return
        try:
            self._save(app, session, response, clock.now())
        except SQLAlchemyError as fault:
            session.fault = fault  # the error page that follows does not try, and wait, once more
            raise

    def _save(self, app: Flask, session: BrowserSession, response: Response, now: datetime) -> None:
        if session.modified:
            self._store(app, session, response, now)
        elif session.stored and session.seen_at is not None and now - session.seen_at > TOUCH_AFTER:
            with side_transaction() as connection:
                connection.execute(_row(session.sid).values(seen_at=now))
        elif session.form_shown and not session.has_cookie:
            self._set_cookie(app, session, response)

    def _store(self, app: Flask, session: BrowserSession, response: Response, now: datetime) -> None:
        data = session.remembered()
        if not data and not session.stored and not session.renewed:
            return
        old_sid = session.sid
        keep_row = session.stored and not session.renewed and bool(data)
        with side_transaction() as connection:
            if keep_row:
                connection.execute(_row(old_sid).values(data=data, user=data.get(USER), seen_at=now))
                return
            if session.stored:
                gone = connection.execute(delete(ServerSession).where(ServerSession.id == digest(old_sid)))
                if gone.rowcount == 0 and session.goes_on:
                    return  # it was ended while this request was on its way, and a new id must not revive it
            if data:
                session.sid = session.next_sid or new_secret()
                connection.execute(insert(ServerSession).values(**_new_row(session, data, now)))
        if data:
            self._set_cookie(app, session, response)
        elif session.renewed or not session.form_shown:
            # The token of a form on this page is derived from the cookie, which then has to stay.
            name = self.cookie_name(app, session.audience)
            response.delete_cookie(
                name, path="/", secure=app.config["SESSION_COOKIE_SECURE"], httponly=True, samesite="Lax"
            )

    def _set_cookie(self, app: Flask, session: BrowserSession, response: Response) -> None:
        response.set_cookie(
            self.cookie_name(app, session.audience),
            session.sid,
            path="/",
            secure=app.config["SESSION_COOKIE_SECURE"],
            httponly=True,
            samesite="Lax",
        )


def purge(now: datetime) -> int:
    """Delete the rows of sessions that are over; returns how many. Called inside `transaction()`."""
    gone = 0
    for audience in (STAFF, CONTACT):
        over = (ServerSession.seen_at < now - IDLE[audience]) | (ServerSession.created_at < now - ABSOLUTE[audience])
        result = db.session.execute(delete(ServerSession).where(ServerSession.audience == audience, over))
        gone += result.rowcount  # type: ignore[attr-defined]
    return gone


def _read(sid: str, audience: str) -> BrowserSession | None:
    columns = (ServerSession.data, ServerSession.created_at, ServerSession.seen_at)
    found = db.session.execute(
        select(*columns).where(ServerSession.id == digest(sid), ServerSession.audience == audience)
    ).one_or_none()
    if found is None:
        return None
    now = clock.now()
    if now - found.seen_at >= IDLE[audience] or now - found.created_at >= ABSOLUTE[audience]:
        return None
    opened = BrowserSession(found.data, sid, audience, stored=True, has_cookie=True)
    opened.created_at, opened.seen_at = found.created_at, found.seen_at
    return opened


def _row(sid: str) -> Any:
    return update(ServerSession).where(ServerSession.id == digest(sid))


def _new_row(session: BrowserSession, data: dict[str, Any], now: datetime) -> dict[str, Any]:

    return {
        "id": digest(session.sid),
        "audience": session.audience,
        "user": data.get(USER),
        "created_at": (session.goes_on and session.created_at) or now,  # a new id makes it no younger
        "seen_at": now,
        "ip": request.remote_addr,
        "user_agent": request.user_agent.string[:200],
        "data": data,
    }


def _csrf_secret(app: Flask, sid: str) -> str:
    key = str(app.config["SECRET_KEY"]).encode()
    return hmac.new(key, b"csrf/" + sid.encode(), hashlib.sha256).hexdigest()
