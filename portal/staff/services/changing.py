"""What a change to a staff member entails: the journal names them, links end, they are told."""

from datetime import datetime

from sqlalchemy import update

from portal.jobs import queue
from portal.journal.services import Record
from portal.kernel.db import execute_dml
from portal.staff.models import SetUpLink, StaffMember

NOTICE_JOB = "staff-notice"


def about(member: StaffMember) -> Record:
    """The staff member as the journal names them."""
    return Record("staff", member.id, member.name)


def notify(staff_id: int, what: str, now: datetime, **detail: str) -> None:
    """Tell the staff member by mail that a way to sign in changed. `what`: password-changed, password-set,
    second-factor-on, second-factor-off, recovery-codes, identity-linked, identity-removed, passkey-added,
    passkey-removed. `detail`: what the mail names, no secrets.

    Mail is a higher slice: a job writes the message.
    """
    queue.enqueue(NOTICE_JOB, {"staff_id": staff_id, "what": what, "at": now.isoformat(), **detail}, now=now)


def end_links(staff_id: int | None, now: datetime) -> None:
    """End the live set-up links of this person, or those for the first owner."""
    of_theirs = SetUpLink.staff_id.is_(None) if staff_id is None else SetUpLink.staff_id == staff_id
    live = of_theirs & SetUpLink.used_at.is_(None) & (SetUpLink.expires_at > now)
    execute_dml(update(SetUpLink).where(live).values(expires_at=now))
