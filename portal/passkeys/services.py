"""Adding, using, renaming and removing passkeys. Whose they are, and what the journal says of it, the callers know."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from flask_babel import gettext as _
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Conflict, Invalid, NotFound, PortalError
from portal.passkeys import ceremonies, queries
from portal.passkeys.ceremonies import Answer, Faulty, Made
from portal.passkeys.models import Passkey
from portal.passkeys.pending import Challenge

log = structlog.get_logger("passkeys")
MOST = 20
LONGEST_NAME = 100


class Refused(PortalError):
    """An authenticator's answer that is worth nothing here. One message for every reason; the log has the reason."""

    status = 422

    def __init__(self, reason: str) -> None:
        super().__init__(_("That passkey did not work here. Please try again, or use another way to sign in."))
        self.reason = reason
        log.info("passkey.refused", reason=reason)


class Copied(Refused):
    """A passkey whose counter went back: somebody may have a copy of it. The owner's records should say so."""

    def __init__(self, key: Passkey) -> None:
        super().__init__("counter")
        self.key_id, self.key_name = key.id, key.name
        self.contact_id, self.staff_id = key.contact_id, key.staff_id


@dataclass(frozen=True)
class Owner:
    """Whose passkey it is: a contact's or a staff member's."""

    contact_id: int | None = None
    staff_id: int | None = None

    def keys(self) -> list[Passkey]:
        """The passkeys they have."""
        if self.contact_id is not None:
            return queries.of_contact(self.contact_id)
        return queries.of_staff(self.staff_id or 0)

    def owns(self, key: Passkey) -> bool:
        """Whether a passkey is theirs."""
        return (key.contact_id, key.staff_id) == (self.contact_id, self.staff_id)


def made(answer: Answer, challenge: Challenge | None) -> Made:
    """The new key in an answer to a challenge of ours. Raises Refused. Writes nothing."""
    party = queries.party()
    if party is None or challenge is None:
        raise Refused("off" if party is None else "challenge")
    try:
        return ceremonies.check_made(party, answer, challenge.text, ceremonies.decoded(challenge.handle))
    except Faulty as fault:
        raise Refused(str(fault)) from fault


def add(owner: Owner, new: Made, name: str, now: datetime) -> Passkey:
    """Keep a new key. The caller holds the owner's record locked. Raises Conflict."""
    have = owner.keys()
    if len(have) >= MOST:
        raise Conflict(_("You have %(most)s passkeys. Remove one that you do not need any more first.", most=MOST))
    key = Passkey(
        contact_id=owner.contact_id,
        staff_id=owner.staff_id,
        credential_id=new.credential_id,
        public_key=new.public_key,
        handle=new.handle,
        sign_count=new.sign_count,
        transports=list(new.transports),
        name=free_name(name, [one.name for one in have]),
        backed_up=new.backed_up,
        created_at=now,
    )
    try:
        with db.session.begin_nested():
            db.session.add(key)
    except IntegrityError as known:
        raise Conflict(_("This passkey is in use already.")) from known
    return key


def free_name(name: str, taken: list[str]) -> str:
    """The name, with a number behind it where another key of theirs has it."""
    name = name.strip()[: LONGEST_NAME - 4] or _("Passkey")
    numbered = (f"{name} {number}" for number in range(2, MOST + 2))
    return name if name not in taken else next(one for one in numbered if one not in taken)


def use(answer: Answer, challenge: Challenge | None, now: datetime, owner: Owner | None = None) -> Passkey:
    """The key that answered a challenge of ours, one of the owner's where that is known; its counter goes on. Raises
    Refused; Copied where the counter did not grow."""
    party = queries.party()
    if party is None or challenge is None:
        raise Refused("off" if party is None else "challenge")
    key = queries.by_credential(answer.credential_id, lock=True)
    if key is None or (owner is not None and not owner.owns(key)):
        raise Refused("unknown")
    # Asked for a key of somebody known, an authenticator need not say whose it is.
    if answer.handle != key.handle and not (owner is not None and answer.handle is None):
        raise Refused("handle")
    try:
        used = ceremonies.check_use(party, answer, challenge.text, key.public_key)
    except Faulty as fault:
        raise Refused(str(fault)) from fault
    if (used.sign_count or key.sign_count) and used.sign_count <= key.sign_count:
        raise Copied(key)
    key.sign_count, key.backed_up, key.used_at = used.sign_count, used.backed_up, now
    return key


def rename(owner: Owner, passkey_id: int, name: str) -> tuple[str, str]:
    """Another name; gives the old and the new one. Raises NotFound, Invalid."""
    key = queries.one_of(owner.keys(), passkey_id)
    if not name:
        raise Invalid({"name": _("Please fill this in.")})
    before, key.name = key.name, name[:LONGEST_NAME]
    return before, key.name


def remove(owner: Owner, passkey_id: int) -> str:
    """Take a key away and give its name. The caller holds the owner's record locked. Raises NotFound."""
    key = queries.one_of(owner.keys(), passkey_id)
    name = key.name
    if execute_dml(delete(Passkey).where(Passkey.id == passkey_id)) != 1:
        raise NotFound
    return name
