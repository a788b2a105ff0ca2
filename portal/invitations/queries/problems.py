"""Open invitations that did not reach somebody they invite."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, select
from sqlalchemy.orm import aliased

from portal.invitations.models import Invitation, InvitedContact, Redemption
from portal.invitations.queries import KIND
from portal.kernel.db import db
from portal.kernel.paging import COUNTED
from portal.mail.models import Message
from portal.mail.queries import TO_INVITED


def among(open_ones: ColumnElement[bool]) -> ColumnElement[bool]:
    """Those of the open invitations whose latest message to an invited contact failed or came back, and who has
    neither redeemed nor declined them all the same.

    Looks at the latest 10,001 messages that failed, so that the view costs the same at any size.
    """
    failed = (
        select(Message.id, Message.about_id, Message.contact_id)
        .where(Message.state == "failed", Message.about_kind == KIND, Message.kind.in_(TO_INVITED))
        .order_by(Message.id.desc())
        .limit(COUNTED + 1)
        .subquery()
    )
    newer = aliased(Message)
    later = select(newer.id).where(
        newer.about_kind == KIND,
        newer.about_id == failed.c.about_id,
        newer.contact_id == failed.c.contact_id,
        newer.id > failed.c.id,
        newer.kind.in_(TO_INVITED),
        newer.state != "cancelled",
    )
    still_invited = select(InvitedContact.contact_id).where(
        InvitedContact.invitation_id == failed.c.about_id,
        InvitedContact.contact_id == failed.c.contact_id,
        InvitedContact.declined_at.is_(None),
    )
    redeemed = select(Redemption.id).where(
        Redemption.invitation_id == failed.c.about_id,
        Redemption.contact_id == failed.c.contact_id,
        Redemption.undone_at.is_(None),
    )
    unreached = select(failed.c.about_id).where(~later.exists(), still_invited.exists(), ~redeemed.exists())
    return and_(open_ones, Invitation.id.in_(unreached))


def why(ids: Sequence[int]) -> dict[int, Row[Any]]:
    """The latest message that did not arrive of each of these invitations: its id and the server's words."""
    about = (Message.about_kind == KIND, Message.about_id.in_(ids), Message.state == "failed")
    latest = select(func.max(Message.id)).where(*about, Message.kind.in_(TO_INVITED)).group_by(Message.about_id)
    columns = (Message.id, Message.about_id, Message.answer)
    found: Any = db.session.execute(select(*columns).where(Message.id.in_(latest))) if ids else ()
    return {row.about_id: row for row in found}
