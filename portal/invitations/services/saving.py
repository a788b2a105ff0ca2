"""Creating and changing an invitation."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import Update, case, delete, func, null
from sqlalchemy import update as sql_update

from portal.contacts import queries as contacts
from portal.invitations import queries
from portal.invitations.models import (
    GROUP,
    SINGLE,
    Invitation,
    InvitationWebRole,
    InvitedContact,
)
from portal.invitations.queries import reminders
from portal.invitations.queries.values import MOST_NAMED, InvitationValues, in_words, stored
from portal.invitations.services import checking, codes, planning
from portal.journal.services import Record, record
from portal.kernel import clock
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Stale
from portal.kernel.names import fold
from portal.kernel.secrets_ import new_public_id
from portal.settings.queries import site
from portal.staff.permissions import StaffActor

LONGEST_NAME = 200


def create(values: InvitationValues, by: StaffActor, now: datetime) -> Invitation:
    """A new invitation, not sent yet. Raises Invalid, or Forbidden for a web role that actor or owner may not give."""
    checking.check(values, None, by, now)
    code = codes.take(values.code, now)
    invitation = Invitation(
        **_columns(values),
        created_by=by.id,
        code_lookup=code.lookup,
        code_sealed="",
        code_hint=code.hint,
        expires_at=_end_of(values),
        created_at=now,
        updated_at=now,
    )
    db.session.add(invitation)
    db.session.flush()
    invitation.code_sealed = codes.seal(invitation.id, code)
    _invite(invitation.id, values.contact_ids)
    _grant(invitation.id, values.web_role_ids)
    named = _named(values.contact_ids)
    count = ngettext("%(num)s contact invited", "%(num)s contacts invited", len(named))
    text = count if len(named) > MOST_NAMED else ""  # a timeline is not the place to list a thousand names
    record("invitation.created", about(invitation), *named, by=by, now=now, text=text)
    db.session.flush()
    return invitation


def update(invitation_id: int, values: InvitationValues, version: int, by: StaffActor, now: datetime) -> Invitation:
    """Change an invitation that still has this version. Raises NotFound, Stale, Invalid or Forbidden.

    A new code ends the old one and all links; so does another recipient of a Single, who gets a new one, for the code
    may have been read. The stored instant of an unchanged expiry date never moves.
    """
    invitation = queries.get(invitation_id, lock=True)
    if invitation.version != version:
        raise Stale
    checking.check(values, invitation, by, now)
    before = stored(invitation)
    code = codes.replace(invitation, values.code, now)
    if code is None and values.type == SINGLE and set(values.contact_ids) != set(before.contact_ids):
        code = codes.take("", now)
    execute_dml(_change(invitation, values, now, new_links=code is not None))
    if code is not None:
        invitation.code_lookup, invitation.code_hint = code.lookup, code.hint
        invitation.code_sealed = codes.seal(invitation.id, code)
    _replace_lists(invitation.id, before, values)
    db.session.flush()
    db.session.refresh(invitation)
    planning.plan_ahead(invitation, now)
    changes = _changes(before, values)
    if changes or code is not None:
        named = _named(set(values.contact_ids) ^ set(before.contact_ids))
        text = _("New code; the old code and all links stopped") if code is not None else ""
        record("invitation.updated", about(invitation), *named, by=by, now=now, text=text, detail={"changes": changes})
    return invitation


def usual_end(now: datetime) -> date | None:
    """The day that the site's default expiry makes of today; None for never."""
    settings = site()
    days = settings.default_expiry_days
    return clock.local_day(now, settings.zone) + timedelta(days=days) if days else None


def about(invitation: Invitation) -> Record:
    """The invitation as the journal names it."""
    return Record("invitation", invitation.id, invitation.name)


def _named(contact_ids: Iterable[int]) -> list[Record]:
    """Contacts as the journal names them, those that are no longer invited too."""
    return [Record("contact", option.value, option.label) for option in contacts.by_ids(contact_ids)]


def _columns(values: InvitationValues) -> dict[str, object]:
    return {
        "name": values.name,
        "name_key": fold(values.name, LONGEST_NAME),
        "type": values.type,
        "owner_id": values.owner_id,
        "expires_on": values.expires_on,
        "inviter_id": values.inviter_id,
        "account_id": values.account_id,
        "workflow_id": values.workflow_id,
        "redeemable_by": values.who_redeems,
        "max_redemptions": 1 if values.type == SINGLE else values.max_redemptions,
        "language": values.language or None,
        "message": values.message,
        "reminders": reminders.schedule(values.remind_after, values.remind_before),
    }


def _end_of(values: InvitationValues) -> datetime | None:
    return clock.end_of_day(values.expires_on, site().zone) if values.expires_on else None


def _change(invitation: Invitation, values: InvitationValues, now: datetime, *, new_links: bool) -> Update:
    columns = _columns(values)
    most = columns["max_redemptions"]
    same_day = values.expires_on == invitation.expires_on
    # The conclusion "completed" is drawn in the statement that moves the maximum, from the seats as they are then.
    completed: Any = null()
    if most is not None:
        completed = case((Invitation.used >= most, func.coalesce(Invitation.completed_at, now)), else_=null())
    return (
        sql_update(Invitation)
        .where(Invitation.id == invitation.id)
        .values(
            **columns,
            expires_at=invitation.expires_at if same_day else _end_of(values),
            completed_at=completed,
            link_version=Invitation.link_version + (1 if new_links else 0),
            updated_at=now,
            version=Invitation.version + 1,
        )
        .execution_options(synchronize_session=False)
    )


def _replace_lists(invitation_id: int, before: InvitationValues, values: InvitationValues) -> None:
    gone, come = _difference(before.contact_ids, values.contact_ids)
    if gone:
        execute_dml(
            delete(InvitedContact).where(
                InvitedContact.invitation_id == invitation_id, InvitedContact.contact_id.in_(gone)
            )
        )
    _invite(invitation_id, come)
    gone, come = _difference(before.web_role_ids, values.web_role_ids)
    if gone:
        execute_dml(
            delete(InvitationWebRole).where(
                InvitationWebRole.invitation_id == invitation_id, InvitationWebRole.web_role_id.in_(gone)
            )
        )
    _grant(invitation_id, come)


def _difference(before: tuple[int, ...], after: tuple[int, ...]) -> tuple[list[int], list[int]]:
    return sorted(set(before) - set(after)), sorted(set(after) - set(before))


def _invite(invitation_id: int, contact_ids: tuple[int, ...] | list[int]) -> None:
    db.session.add_all(
        InvitedContact(invitation_id=invitation_id, contact_id=contact_id, public_id=new_public_id())
        for contact_id in dict.fromkeys(contact_ids)
    )


def _grant(invitation_id: int, role_ids: tuple[int, ...] | list[int]) -> None:
    db.session.add_all(
        InvitationWebRole(invitation_id=invitation_id, web_role_id=role_id) for role_id in dict.fromkeys(role_ids)
    )


def _changes(before: InvitationValues, after: InvitationValues) -> dict[str, list[str]]:
    """What changed, in words. The words do not decide: two contacts may have one name, and a long list is cut."""
    old, new, was, is_now = in_words(before), in_words(after), _facts(before), _facts(after)
    return {field: [old[field], new[field]] for field in new if was[field] != is_now[field]}


def _facts(values: InvitationValues) -> dict[str, object]:
    """The values by field, alike exactly where they mean the same."""
    columns = _columns(values)
    return {
        "name": values.name,
        "type": values.type,
        "owner": values.owner_id,
        "expires_on": values.expires_on,
        "inviter": values.inviter_id,
        "contacts": set(values.contact_ids),
        "account": values.account_id,
        "workflow": values.workflow_id,
        "web_roles": set(values.web_role_ids),
        "max_redemptions": columns["max_redemptions"] if values.type == GROUP else None,
        "redeemable_by": columns["redeemable_by"],
        "language": values.language,
        "message": values.message,
        "reminders": columns["reminders"],
    }
