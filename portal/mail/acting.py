"""What staff do with messages: try them now, cancel them, correct the address and send again, test the mail server.
Everything here is called inside `transaction()`."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from flask_babel import gettext as _
from sqlalchemy import update

from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.services.values import values_of
from portal.journal.services import record
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Conflict, Invalid, NotFound, TooFast
from portal.mail import outbox, queries, states
from portal.mail.models import Message
from portal.mail.queries import Filters
from portal.staff.permissions import StaffActor, may_grant

LATELY = timedelta(days=30)
TEST = "test-mail"
TESTS = 5
TEST_WINDOW = timedelta(minutes=10)


class Again(NamedTuple):
    """What sending again came to: how many messages were written, and why others were not."""

    written: int
    refused: list[str]


def try_now(message_id: int, by: StaffActor, now: datetime) -> None:
    """Let it be tried at the next turn of a worker. Raises NotFound, or Conflict where there is nothing to try."""
    message = _locked(message_id)
    if message.state not in ("queued", "deferred", "failed"):
        raise Conflict(_("This message does not wait for another try."))
    states.note(message, "retried", "", now, by.name)
    if message.state == "failed":
        states.journal(message, "message.retried", now, by)
        message.state, message.attempts, message.bounced_at, message.sent_at = "queued", 0, None, None
    message.due_at = now


def cancel(message_id: int, by: StaffActor, now: datetime) -> None:
    """Do not send it. Raises NotFound, or Conflict where it is too late."""
    message = _locked(message_id)
    if message.state == "sending":
        raise Conflict(_("This message is being handed to the mail server at this moment. Look again in a minute."))
    if message.state not in ("queued", "deferred"):
        raise Conflict(_("This message does not wait any more, so that there is nothing to cancel."))
    message.state, message.answer = "cancelled", _("Cancelled by %(name)s.", name=by.name)
    states.note(message, "cancelled", "", now, by.name)
    states.journal(message, "message.cancelled", now, by)


def try_many(ids: Collection[int] | None, filters: Filters, by: StaffActor, now: datetime) -> int:
    """Try failed messages again: these, or with None those that match `filters` and were not refused for good. Returns
    how many there were."""
    which = queries.failed_again(ids, filters)
    values = {"state": "queued", "attempts": 0, "due_at": now, "bounced_at": None, "sent_at": None}
    tried = execute_dml(update(Message).where(Message.id.in_(which)).values(**values))
    if tried:
        record("message.retried", by=by, now=now, detail={"messages": tried})
    return tried


def fix_address(
    message_id: int, address: str, version: int, by: StaffActor, now: datetime, *, create_anyway: bool = False
) -> Again:
    """Give the message's contact another primary address, and send what failed and is still due again.

    Raises NotFound, Conflict for a message to nobody's contact, Stale, Invalid or SameAddress.
    """
    message = queries.get(message_id)
    if message.contact_id is None:
        raise Conflict(_("This message went to no contact."))
    if not address:
        raise Invalid({"email1": _("Please fill this in.")})
    contact = contacts.get(message.contact_id, lock=True)
    held = tuple(
        role.id
        for role in contacts.web_roles(contact.id)
        if may_grant(by.role, managers_may_grant=role.managers_may_grant)
    )
    values = replace(values_of(contact), email1=address, web_roles=held, create_anyway=create_anyway)
    contact_services.update(contact.id, values, version, by, now)
    return send_again(contact.id, by, now)


def send_again(contact_id: int, by: StaffActor, now: datetime) -> Again:
    """Write anew what did not reach a contact in the last 30 days and was not written anew since."""
    written, refused = 0, []
    for message in queries.not_arrived(contact_id, now - LATELY):
        resend = outbox.resends.get(message.about_kind or "")
        if resend is not None and message.about_id is not None:
            why = resend(message.about_id, contact_id, by, now)
            if why:
                refused.append(why)
                continue
        else:
            about = (message.about_kind, message.about_id) if message.about_kind and message.about_id else None
            detail = dict(message.detail)
            outbox.enqueue(message.kind, now=now, contact_id=contact_id, about=about, detail=detail, created_by=by.id)
        written += 1
    return Again(written, refused)


def send_test(by: StaffActor, now: datetime) -> Message:
    """A message to the person who asks, and a server that did not want us is asked at once. Raises TooFast."""
    if queries.tests_since(by.id, now - TEST_WINDOW, TEST) >= TESTS:
        raise TooFast(_("You have asked for %(most)s test messages within 10 minutes.", most=TESTS), 600)
    states.try_again_now(now)
    return outbox.enqueue(TEST, now=now, staff_id=by.id, created_by=by.id)


def _locked(message_id: int) -> Message:
    queries.get(message_id)
    message = db.session.get(Message, message_id, with_for_update=True, populate_existing=True)
    if message is None:
        raise NotFound
    return message
