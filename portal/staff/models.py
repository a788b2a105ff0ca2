"""Staff members, their identities at providers, their recovery codes, and the links that let them set a password."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base
from portal.staff.permissions import HOLDS, StaffActor


class StaffMember(Base):
    """A person inside who works in `/staff`; never the same row as a contact.

    `epoch` counts up whenever all their sessions must end. Without a password hash they cannot sign in by password.
    `failures` counts wrong passwords in a row, `code_failures` wrong codes of the second factor. `totp_sealed` is the
    secret of their authenticator app, bound to
    `totp:<id>`; it counts once `totp_confirmed_at` is set. `totp_step` is the last time step used: no code works twice.
    `linked_by_address`: whether a provider's word on their address may link them; no longer once a link was removed.
    `notices`: how they hear of redemptions, declines and requests of their invitations: at_once, daily or none.
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
    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    totp_sealed: Mapped[str | None] = mapped_column(String(300))
    totp_confirmed_at: Mapped[datetime | None]
    totp_step: Mapped[int] = mapped_column(default=0, server_default="0")
    code_failures: Mapped[int] = mapped_column(default=0, server_default="0")
    linked_by_address: Mapped[bool] = mapped_column(default=True, server_default=true())
    notices: Mapped[str] = mapped_column(String(10), default="at_once", server_default="at_once")

    is_authenticated = True
    is_anonymous = False

    @property
    def is_active(self) -> bool:
        """For Flask-Login."""
        return self.active

    @property
    def has_second_factor(self) -> bool:
        """Whether signing in by password or provider asks for a code of their authenticator app, too."""
        return self.totp_confirmed_at is not None

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


class StaffIdentity(Base):
    """Who a staff member is at a provider: (issuer, subject), which is unique. `email` is shown, never trusted."""

    __tablename__ = "staff_identity"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"), index=True)
    provider_id: Mapped[int] = mapped_column(ForeignKey("provider.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(300))
    subject: Mapped[str] = mapped_column(String(255))
    email: Mapped[str] = mapped_column(String(254), default="")
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("issuer", "subject"),)


class RecoveryCode(Base):
    """A code that takes the place of the authenticator app once; only its keyed hash is kept."""

    __tablename__ = "staff_recovery_code"

    id: Mapped[int] = mapped_column(primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"), index=True)
    lookup: Mapped[str] = mapped_column(String(64))
    used_at: Mapped[datetime | None]
