"""Browsers that a contact asked to be remembered: to stay signed in, or to be spared the second factor."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest

from flask_babel import gettext as _
from sqlalchemy import delete, or_

from portal.contacts import queries as contacts
from portal.identity import queries
from portal.identity.models import RememberedBrowser
from portal.identity.services.changing import end_sessions, named
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml
from portal.kernel.secrets_ import digest, new_secret

STAY, SECOND = "stay", "second"
LASTS = timedelta(days=30)
GRACE = timedelta(seconds=60)


@dataclass(frozen=True)
class Remembered:
    """A remembered browser. `cookie` is what its cookie is to hold from now on; None: what it holds already."""

    browser_id: int
    contact_id: int
    epoch: int
    expires_at: datetime
    cookie: str | None


def remember(
    whose: tuple[int, int], purpose: str, *, ip: str | None, user_agent: str, now: datetime
) -> Remembered | None:
    """Remember a browser of this contact for thirty days. `whose` is their id and the epoch in which they signed in;
    None when their sessions were ended since then."""
    contact = contacts.for_session(*whose)
    if contact is None:
        return None
    over = or_(
        RememberedBrowser.expires_at <= now,
        (RememberedBrowser.contact_id == contact.id) & (RememberedBrowser.epoch != contact.epoch),
    )
    execute_dml(delete(RememberedBrowser).where(over))
    selector, validator = new_secret(), new_secret()
    browser = RememberedBrowser(
        contact_id=contact.id,
        purpose=purpose,
        selector=selector,
        validator_hash=digest(validator),
        rotated_at=now,
        epoch=contact.epoch,
        created_at=now,
        used_at=now,
        expires_at=now + LASTS,
        ip=ip,
        user_agent=user_agent[:200],
    )
    db.session.add(browser)
    db.session.flush()
    return Remembered(browser.id, contact.id, contact.epoch, browser.expires_at, f"{selector}.{validator}")


def recognise(purpose: str, cookie: str, *, ip: str | None, now: datetime) -> Remembered | None:
    """The remembered browser that holds this cookie, whose secret changes by it; None when it is remembered no more.

    The secret before this one stays good for a minute, for requests that were under way. An older one was copied,
    here or there: who stays signed in by such a cookie is signed out everywhere, and nothing is remembered any more.
    """
    selector, _dot, validator = cookie.partition(".")
    found = queries.remembered_by(selector, purpose)
    if found is None:
        return None
    contacts.get(found.contact_id, lock=True)  # first, as everywhere: whoever ends their sessions waits, or we do
    browser = queries.remembered_by(selector, purpose, lock=True)
    if browser is None or browser.expires_at <= now or contacts.for_session(browser.contact_id, browser.epoch) is None:
        return None
    given, previous = digest(validator), browser.previous_hash or ""
    if not compare_digest(given, browser.validator_hash):
        if compare_digest(given, previous) and now - browser.rotated_at < GRACE:
            return Remembered(browser.id, browser.contact_id, browser.epoch, browser.expires_at, None)
        _copied(browser, ip, now)
        return None
    validator = new_secret()
    browser.previous_hash, browser.validator_hash = browser.validator_hash, digest(validator)
    browser.rotated_at = browser.used_at = now
    browser.ip = ip
    new = f"{selector}.{validator}"
    return Remembered(browser.id, browser.contact_id, browser.epoch, browser.expires_at, new)


def forget_browser(browser_id: int) -> None:
    """Remember this browser no more; a session that it restored ends with its next request."""
    execute_dml(delete(RememberedBrowser).where(RememberedBrowser.id == browser_id))


def forget_cookie(purpose: str, cookie: str) -> None:
    """Remember the browser that holds this cookie no more."""
    selector = cookie.partition(".")[0]
    gone = (RememberedBrowser.selector == selector, RememberedBrowser.purpose == purpose)
    execute_dml(delete(RememberedBrowser).where(*gone))


def _copied(browser: RememberedBrowser, ip: str | None, now: datetime) -> None:
    contact_id, purpose, browser_id = browser.contact_id, browser.purpose, browser.id
    if purpose != STAY:  # it spares a code and opens nothing: the code is asked for again
        forget_browser(browser_id)
        return
    contact = contacts.get(contact_id)
    execute_dml(delete(RememberedBrowser).where(RememberedBrowser.contact_id == contact_id))
    end_sessions(contact, now)
    text = _("An old cookie of “Stay signed in” was used: it was copied. All sessions of this contact ended.")
    record("sign-in.copied", named(contact), by=Actor("system", None, "", ip), now=now, text=text)
