"""A staff member's passkeys: signing in with one, adding, renaming, removing."""

from datetime import datetime

from flask_babel import gettext as _

from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.errors import Conflict
from portal.passkeys import services as passkeys
from portal.passkeys.ceremonies import Answer, Made
from portal.passkeys.pending import Challenge
from portal.passkeys.services import Copied, Owner, Refused
from portal.staff import queries
from portal.staff.services.changing import about, notify


def passkey_passed(answer: Answer, challenge: Challenge | None, now: datetime) -> tuple[int, int]:
    """Id and epoch of the staff member whose passkey answered. Raises Refused: for what the answer is worth, for a
    contact's key, and for somebody who was deactivated."""
    key = passkeys.use(answer, challenge, now)
    member = queries.find(key.staff_id or 0)
    if member is None or not member.active:
        raise Refused("no active staff member")
    return member.id, member.epoch


def proven_by_passkey(staff_id: int, answer: Answer, challenge: Challenge | None, now: datetime) -> None:
    """Check that the signed-in person answered, with a passkey of their own. Raises Refused."""
    passkeys.use(answer, challenge, now, Owner(staff_id=staff_id))


def add_passkey(staff_id: int, new: Made, name: str, by: Actor, now: datetime) -> None:
    """One more passkey for oneself; a mail says so. Raises Conflict."""
    member = queries.get(staff_id, lock=True)
    key = passkeys.add(Owner(staff_id=staff_id), new, name, now)
    record("staff.passkey-added", about(member), by=by, now=now, text=key.name)
    notify(member.id, "passkey-added", now, name=key.name)


def rename_own_passkey(staff_id: int, passkey_id: int, name: str, by: Actor, now: datetime) -> None:
    """Another name for one's own passkey. Raises NotFound, Invalid."""
    member = queries.get(staff_id, lock=True)
    before, after = passkeys.rename(Owner(staff_id=staff_id), passkey_id, name)
    if before != after:
        detail = {"changes": {"name": [before, after]}}
        record("staff.passkey-renamed", about(member), by=by, now=now, detail=detail)


def remove_own_passkey(staff_id: int, passkey_id: int, by: Actor, now: datetime) -> tuple[str, tuple[int, int]]:
    """Take one's own passkey away, and end all sessions; a mail says so. Gives its name, and id and epoch with which
    the session that asks goes on. Raises NotFound, and Conflict for the last way to sign in."""
    member = queries.get(staff_id, lock=True)  # of two who remove at once, the second sees what is left
    name = passkeys.remove(Owner(staff_id=staff_id), passkey_id)
    if not queries.ways_to_sign_in(member):
        raise Conflict(_("This is your last way to sign in. Set up another one first."))
    member.epoch += 1
    record("staff.passkey-removed", about(member), by=by, now=now, text=name)
    notify(member.id, "passkey-removed", now, name=name)
    return name, (member.id, member.epoch)


def passkey_refused(refused: Refused, ip: str | None, now: datetime) -> None:
    """Note on a person's record that somebody used what seems to be a copy of their passkey. Nothing else about an
    answer that was refused is worth a line in the journal."""
    member = queries.find(refused.staff_id or 0) if isinstance(refused, Copied) else None
    if isinstance(refused, Copied) and member is not None:
        somebody = Actor("system", None, "", ip)
        record("staff.passkey-copied", about(member), by=somebody, now=now, text=refused.key_name)
