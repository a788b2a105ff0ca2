"""Staff members and the one-time links that let them set a password."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base
from portal.staff.permissions import HOLDS, StaffActor


class StaffMember(Base):
    """A person inside who works in `/staff`; never the same row as a contact.

    `epoch` counts up whenever all their sessions must end. Without a password hash they cannot sign in yet.
    """

    __tablename__ = "staff_member"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254))
    email_key: Mapped[str] = mapped_column(String(254), unique=True)
    name: Mapped[str] = mapped_column(String(100))
    role: Mapped[str] = mapped_column(String(10))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    active: Mapped[bool] = mapped_column(default=True)
    epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    signed_in_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        """For Flask-Login."""
        return self.active

    def may(self, permission: str) -> bool:
        """Whether their role holds the permission."""
        return permission in HOLDS.get(self.role, frozenset())

    def actor(self, ip: str | None) -> StaffActor:
        """This person as services and the journal see them, coming from `ip`."""
        return StaffActor(id=self.id, name=self.name, ip=ip, role=self.role)

    def get_id(self) -> str:
        """What a session remembers; it no longer matches once `epoch` counted up."""
        return f"staff:{self.id}:{self.epoch}"


class SetUpLink(Base):
    """A one-time link, live for 72 hours; without a staff member it creates the site's first owner."""

    __tablename__ = "staff_set_up_link"

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
