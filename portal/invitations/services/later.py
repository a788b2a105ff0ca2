"""Sending to very many: checked at once, written in the background, so that nobody waits before a white page."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from portal.invitations import queries
from portal.invitations.models import Invitation
from portal.invitations.queries import outgoing
from portal.invitations.services import sending
from portal.invitations.services.sending import Sent
from portal.jobs import queue
from portal.journal.services import Record, record
from portal.kernel.errors import Conflict, Forbidden, TooFast
from portal.staff import queries as staff
from portal.staff.permissions import StaffActor

SEND_JOB = "invitations.send"
AT_ONCE = 500


def many(ids: Collection[int]) -> set[int]:
    """Which of these invitations invite so many that they are sent in the background."""
    return {invitation_id for invitation_id, number in outgoing.numbers_of(ids).items() if number > AT_ONCE}


def send(invitation_id: int, *, key: str, by: StaffActor, now: datetime) -> Sent:
    """Write one message for each invited contact who can get one: at once, or, for very many, in the background.

    The same `key` again writes nothing. Raises as `sending.send` does; in the background what is refused then stands on
    the timeline.
    """
    invitation = queries.get(invitation_id, lock=True)
    if not many([invitation.id]):
        return sending.send(invitation_id, key=key, by=by, now=now)
    return send_later(invitation, key=key, by=by, now=now)


def send_later(invitation: Invitation, *, key: str, by: StaffActor, now: datetime) -> Sent:
    """Queue the sending of a locked invitation. Raises Conflict or Forbidden where it cannot be sent at all."""
    sending.insist(sending.standing(invitation, by, now), now)
    detail = {"invitation_id": invitation.id, "key": key, "by": by.id, "ip": by.ip}
    dedupe_key = f"{SEND_JOB}:{invitation.id}:{key}"
    if queue.known(dedupe_key) or outgoing.messages_with_key(invitation.id, key):
        return Sent(0, [], before=True)
    queue.enqueue(SEND_JOB, detail, now=now, dedupe_key=dedupe_key)
    return Sent(0, [], later=True)


def send_queued(detail: dict[str, Any], now: datetime) -> None:
    """Do what was queued, with the rights its person has by now."""
    invitation = queries.find(int(detail["invitation_id"]), lock=True)
    member = staff.find(int(detail["by"]))
    if invitation is None or member is None:
        return
    about, by = Record("invitation", invitation.id, invitation.name), member.actor(detail["ip"])
    try:
        if not (member.active and member.may("send")):
            raise Forbidden
        sent = sending.send(invitation.id, key=str(detail["key"]), by=by, now=now)
    except (Conflict, Forbidden, TooFast) as refused:
        record("invitation.not-sent", about, by=by, now=now, text=refused.message)
        return
    if not sent.messages and not sent.before:
        skipped = ", ".join(f"{one.contact.name} {one.why}" for one in sent.skipped[: sending.MOST_NAMED])
        record("invitation.not-sent", about, by=by, now=now, text=skipped)
