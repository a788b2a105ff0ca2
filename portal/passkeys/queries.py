"""Reading passkeys, and whether this site can have any."""

from sqlalchemy import select

from portal.kernel.db import db
from portal.kernel.errors import NotFound
from portal.kernel.secrets_ import new_public_id
from portal.passkeys import ceremonies
from portal.passkeys.ceremonies import Descriptor, Party
from portal.passkeys.models import Passkey
from portal.settings.queries import operator, site


def of_contact(contact_id: int) -> list[Passkey]:
    """The passkeys of a contact, oldest first."""
    return list(db.session.scalars(select(Passkey).where(Passkey.contact_id == contact_id).order_by(Passkey.id)))


def of_staff(staff_id: int) -> list[Passkey]:
    """The passkeys of a staff member, oldest first."""
    return list(db.session.scalars(select(Passkey).where(Passkey.staff_id == staff_id).order_by(Passkey.id)))


def by_credential(credential_id: bytes, *, lock: bool = False) -> Passkey | None:
    """The passkey that an authenticator knows under this id."""
    statement = select(Passkey).where(Passkey.credential_id == credential_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    return db.session.scalar(statement)


def one_of(keys: list[Passkey], passkey_id: int) -> Passkey:
    """That one of somebody's passkeys. Raises NotFound, for somebody else's too."""
    for key in keys:
        if key.id == passkey_id:
            return key
    raise NotFound


def party() -> Party | None:
    """This site as authenticators know it; None where passkeys are off, or cannot be (see `offered`)."""
    return ceremonies.party(operator().base_url, site().name) if site().passkeys else None


def offered() -> bool:
    """Whether passkeys can be used here: switched on, and the site's host has a name. No key can be bound to an IP
    address."""
    return party() is not None


def lack_a_name() -> bool:
    """Whether only the site's address, an IP address, keeps passkeys from being offered."""
    return site().passkeys and not offered()


def descriptors(keys: list[Passkey]) -> list[Descriptor]:
    """The passkeys as a browser is told of them."""
    return [Descriptor(key.credential_id, tuple(key.transports)) for key in keys]


def handle(keys: list[Passkey]) -> bytes:
    """The user handle of somebody who has these passkeys, or a new one."""
    return keys[0].handle if keys else new_public_id()
