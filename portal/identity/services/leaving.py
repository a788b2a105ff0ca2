"""Signing out elsewhere: one session, one remembered browser, or all but this one."""

from datetime import datetime

from sqlalchemy import delete, update

from portal.contacts import queries as contacts
from portal.identity.models import RememberedBrowser
from portal.identity.services.changing import end_sessions, named
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import execute_dml
from portal.kernel.errors import NotFound


def signed_out_there(contact_id: int, browser_id: int | None, by: Actor, now: datetime) -> None:
    """Note that a session was ended, and forget the remembered browser it belonged to, which would restore it."""
    if browser_id is not None:
        execute_dml(
            delete(RememberedBrowser).where(
                RememberedBrowser.contact_id == contact_id, RememberedBrowser.id == browser_id
            )
        )
    record("credential.signed-out-there", named(contacts.get(contact_id)), by=by, now=now)


def forget_remembered(contact_id: int, browser_id: int, by: Actor, now: datetime) -> None:
    """Forget a remembered browser of the contact; a session that it restored ends with its next request. Raises
    NotFound."""
    if (
        execute_dml(
            delete(RememberedBrowser).where(
                RememberedBrowser.contact_id == contact_id, RememberedBrowser.id == browser_id
            )
        )
        != 1
    ):
        raise NotFound
    record("credential.browser-forgotten", named(contacts.get(contact_id)), by=by, now=now)


def sign_out_elsewhere(contact_id: int, own: int | None, by: Actor, now: datetime) -> tuple[int, int]:
    """End all sessions of the contact and forget all remembered browsers but `own`; gives the contact's id and the
    epoch in which the session of whoever asked goes on."""
    contact = contacts.get(contact_id, lock=True)
    end_sessions(contact, now)
    execute_dml(
        delete(RememberedBrowser).where(RememberedBrowser.contact_id == contact_id, RememberedBrowser.id != (own or 0))
    )
    execute_dml(update(RememberedBrowser).where(RememberedBrowser.contact_id == contact_id).values(epoch=contact.epoch))
    record("credential.signed-out", named(contact), by=by, now=now)
    return contact.id, contact.epoch
