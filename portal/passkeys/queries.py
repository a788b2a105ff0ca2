"""Reading passkeys."""

from sqlalchemy import select

from portal.kernel.db import db
from portal.passkeys.models import Passkey


def of_contact(contact_id: int) -> list[Passkey]:
    """The passkeys of a contact, oldest first."""
    return list(db.session.scalars(select(Passkey).where(Passkey.contact_id == contact_id).order_by(Passkey.id)))


def of_staff(staff_id: int) -> list[Passkey]:
    """The passkeys of a staff member, oldest first."""
    return list(db.session.scalars(select(Passkey).where(Passkey.staff_id == staff_id).order_by(Passkey.id)))
