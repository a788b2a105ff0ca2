"""Invitations, whom they invite, what they grant, and who redeemed them."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.kernel.db import Base

SINGLE, GROUP = "single", "group"
INVITED, ANYONE = "invited", "anyone"


class Invitation(Base):
    """The record staff create. Facts are stored (`sent_at`, `completed_at`, `deactivated_at`); the status is derived.

    `expires_on` is the day as typed, `expires_at` the first instant at which redeeming is refused.
    `max_redemptions` is 1 for a Single, None for a Group without a limit. `link_version` is bound into every
    link token: counting it up ends all links. The code is stored as a keyed hash and sealed, never plain.
    `language` None means that of each contact. `reminders` is `{"after": [3, 7], "before": [2]}`: days after sending,
    days before expiry.
    """

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    name_key: Mapped[str] = mapped_column(String(200))
    type: Mapped[str] = mapped_column(String(10))
    owner_id: Mapped[int] = mapped_column(ForeignKey("staff_member.id"), index=True)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))
    code_lookup: Mapped[str] = mapped_column(String(64), unique=True)
    code_sealed: Mapped[str] = mapped_column(Text)
    code_hint: Mapped[str] = mapped_column(String(2))
    link_version: Mapped[int] = mapped_column(default=1)
    expires_on: Mapped[date | None]
    expires_at: Mapped[datetime | None]
    inviter_id: Mapped[int | None] = mapped_column(ForeignKey("contact.id"), index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"), index=True)
    workflow_id: Mapped[int | None] = mapped_column(ForeignKey("workflow.id"))
    redeemable_by: Mapped[str] = mapped_column(String(10))
    max_redemptions: Mapped[int | None]
    used: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    deactivated_at: Mapped[datetime | None]
    deactivated_why: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str | None] = mapped_column(String(5))
    message: Mapped[str] = mapped_column(Text, default="", server_default="")
    reminders: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    version: Mapped[int] = mapped_column(default=1)

    __table_args__ = (
        CheckConstraint("type IN ('single', 'group')", name="type"),
        CheckConstraint("redeemable_by IN ('invited', 'anyone')", name="redeemable_by"),
        CheckConstraint("used >= 0 AND (max_redemptions IS NULL OR used <= max_redemptions)", name="seats"),
        CheckConstraint("max_redemptions IS NULL OR max_redemptions >= 1", name="max_redemptions"),
        CheckConstraint("type <> 'single' OR max_redemptions = 1", name="single_is_one"),
        Index("ix_invitation_created_at_id", "created_at", "id"),
        Index("ix_invitation_name_key_id", "name_key", "id"),
        Index("ix_invitation_expires_at_id", "expires_at", "id"),
        # A deleted invitation's number never returns: its journal and its waiting messages would be another's.
        {"sqlite_autoincrement": True},
    )


def _view_indexes() -> None:
    """One index per view and order, holding just that view's rows, so that a page costs the same at any size."""
    views = {
        "new": "deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NULL",
        "open": "deactivated_at IS NULL AND completed_at IS NULL AND sent_at IS NOT NULL",
        "completed": "deactivated_at IS NULL AND completed_at IS NOT NULL",
        "inactive": "deactivated_at IS NOT NULL",
    }
    table = Invitation.__table__
    for view, predicate in views.items():
        for order in ("created_at", "name_key", "expires_at"):
            Index(
                f"ix_invitation_{view}_{order}",
                table.c[order],
                table.c.id,
                sqlite_where=text(predicate),
                postgresql_where=text(predicate),
            )


_view_indexes()


class InvitationCode(Base):
    """Every code that was ever in use, by keyed hash, so that none returns; outlives a deleted invitation."""

    __tablename__ = "invitation_code"

    lookup: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime]


class InvitedContact(Base):
    """A contact that an invitation invites; `public_id` names the link that is mailed to exactly this contact.

    `declined_at`: they said no; redeeming takes it back.
    """

    __tablename__ = "invited_contact"

    invitation_id: Mapped[int] = mapped_column(ForeignKey("invitation.id"), primary_key=True)
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), primary_key=True, index=True)
    public_id: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    declined_at: Mapped[datetime | None]
    declined_words: Mapped[str] = mapped_column(String(500), default="", server_default="")


class InvitationRequest(Base):
    """Somebody with a dead link asked for a new invitation. `decision` is blank while open, then `reissued`, `refused`,
    or `redeemed` where that came first."""

    __tablename__ = "invitation_request"

    id: Mapped[int] = mapped_column(primary_key=True)
    invitation_id: Mapped[int] = mapped_column(ForeignKey("invitation.id"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    reason: Mapped[str] = mapped_column(String(20))
    words: Mapped[str] = mapped_column(String(500), default="")
    asked_at: Mapped[datetime]
    decision: Mapped[str] = mapped_column(String(10), default="")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("staff_member.id"))

    __table_args__ = (
        Index(
            "uq_invitation_request_open",
            "invitation_id",
            "contact_id",
            unique=True,
            sqlite_where=text("decision = ''"),
            postgresql_where=text("decision = ''"),
        ),
    )


class InvitationWebRole(Base):
    """A web role that redeeming gives."""

    __tablename__ = "invitation_web_role"

    invitation_id: Mapped[int] = mapped_column(ForeignKey("invitation.id"), primary_key=True)
    web_role_id: Mapped[int] = mapped_column(ForeignKey("web_role.id"), primary_key=True, index=True)


class Redemption(Base):
    """One contact using one invitation, once.

    `proof` is `link` or `code`; `signed_in_by` how they signed in. What the redemption gave and what it really changed
    is kept (`account_id`, `account_before_id`, `roles_added`), so that undoing it takes back just that. When another
    one is undone on which it was built, what that had changed becomes this one's.
    """

    __tablename__ = "redemption"

    id: Mapped[int] = mapped_column(primary_key=True)
    invitation_id: Mapped[int] = mapped_column(ForeignKey("invitation.id"))
    contact_id: Mapped[int] = mapped_column(ForeignKey("contact.id"), index=True)
    redeemed_at: Mapped[datetime] = mapped_column(index=True)
    proof: Mapped[str] = mapped_column(String(10))
    signed_in_by: Mapped[str] = mapped_column(String(40))
    ip: Mapped[str | None] = mapped_column(String(45))
    new_contact: Mapped[bool] = mapped_column(default=False)
    account_id: Mapped[int | None]
    account_assigned: Mapped[bool] = mapped_column(default=False)
    account_before_id: Mapped[int | None]
    roles_added: Mapped[list[int]] = mapped_column(JSON, default=list)
    roles_withheld: Mapped[list[int]] = mapped_column(JSON, default=list)
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[int | None]

    __table_args__ = (
        Index(
            "uq_redemption_invitation_contact",
            "invitation_id",
            "contact_id",
            unique=True,
            sqlite_where=text("undone_at IS NULL"),
            postgresql_where=text("undone_at IS NULL"),
        ),
    )
