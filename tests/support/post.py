"""Sending mail in a test: messages in the outbox, and a delivery in the test's own thread."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from flask import Flask, current_app

from portal.contacts.models import Contact
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import delivery, outbox
from portal.mail.models import Message
from tests.support import make


def mail_to(app: Flask, url: str) -> None:
    """From now on this app sends its mail there; `outbox:` keeps it. Undone with the fixture `app`."""
    app.config["PORTAL_SETTINGS"] = replace(app.config["PORTAL_SETTINGS"], mail_url=url)


def queue(*contacts: Contact, kind: str = "welcome", due_at: datetime | None = None) -> list[int]:
    """A message to each contact; returns their ids."""
    ids = [contact.id for contact in contacts]
    with transaction():
        messages = [outbox.enqueue(kind, now=clock.now(), contact_id=i, due_at=due_at) for i in ids]
        return [message.id for message in messages]


def people(number: int) -> list[Contact]:
    """Contacts with an address each."""
    return [make.make_contact() for _ in range(number)]


def deliver(worker: str = "test-worker") -> None:
    """What a worker does until nothing is due."""
    while delivery.turn(worker, lambda: False):
        db.session.rollback()
    db.session.rollback()


def message(message_id: int) -> Message:
    """The message as it is in the database now."""
    db.session.rollback()
    return db.session.get_one(Message, message_id, populate_existing=True)


def states(ids: Sequence[int]) -> list[str]:
    """The states of messages."""
    return [message(i).state for i in ids]


def mail_from() -> str:
    """The address that mail comes from."""
    return str(current_app.config["PORTAL_SETTINGS"].mail_from)
