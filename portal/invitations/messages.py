"""The invitation mail: whether it is still due, to whom it goes, what it says."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import format_date
from flask_babel import gettext as _

from portal.invitations import links, queries
from portal.invitations.models import Invitation
from portal.invitations.queries import outgoing
from portal.invitations.status import Reason, dead
from portal.kernel import clock
from portal.mail.dates import LastDay
from portal.mail.models import Message
from portal.mail.outbox import Cancelled, NotNow, Prepared
from portal.settings.queries import absolute_url, site


def prepare_invitation(message: Message, now: datetime) -> Prepared:
    """The mail as it is right now: to the contact's present address, with the present code.

    Raises Cancelled when the invitation is over, or this contact can or need not redeem it any more.
    """
    made = prepare_invitations([message], now)[message.id]
    if isinstance(made, Exception):
        raise made
    return made


def prepare_invitations(messages: Sequence[Message], now: datetime) -> dict[int, Prepared | Exception]:
    """The same for many at once, with a handful of questions for all of them; Cancelled in place of what is not due."""
    facts = outgoing.facts_of([(message.about_id or 0, message.contact_id or 0) for message in messages])
    made: dict[int, Prepared | Exception] = {}
    for message in messages:
        invitation = facts.invitations.get(message.about_id or 0)
        reason = _not_due(invitation, message.contact_id or 0, facts, now)
        if invitation is None or reason:
            made[message.id] = Cancelled(reason)
        else:
            made[message.id] = _prepared(message, invitation, facts)
    return made


def _prepared(message: Message, invitation: Invitation, facts: outgoing.Facts) -> Prepared:
    contact = facts.contacts[message.contact_id or 0]
    owner = facts.owners[invitation.owner_id]
    inviter = facts.contacts.get(invitation.inviter_id or 0)
    sender = inviter.name if inviter else owner.name
    settings = site()
    link = links.token(invitation, facts.invited[invitation.id, contact.id], contact)
    return Prepared(
        to=contact.email1 or "",
        template=str(message.detail.get("template", message.kind)),
        values={
            "site_name": settings.name,
            "inviter_name": sender,
            "owner_name": owner.name,
            "contact_name": contact.name,
            "contact_first_name": contact.first_name or contact.name,
            "invitation_name": invitation.name,
            "link": absolute_url(f"/i/{link}"),
            "code": queries.code(invitation),
            "redeem_url": absolute_url("/redeem"),
            "expires_text": last_day(invitation, settings.zone),
            "account_name": facts.accounts.get(invitation.account_id or 0, ""),
            "role_names": facts.roles.get(invitation.id, []),
            "personal_message": invitation.message,
        },
        sender_name=sender,
        reply_to=(inviter.email1 if inviter else None) or owner.email,
        language=invitation.language or contact.language,
    )


def prepare_reminder(message: Message, now: datetime) -> Prepared:
    """The reminder, made of the same; never in quiet hours, however long it had to wait for the mail server.

    Raises Cancelled as the invitation does, and NotNow.
    """
    awake = site().awake(now)
    if awake > now:
        raise NotNow(awake)
    if outgoing.came_back(message):
        raise Cancelled(_("The mail before it could not be delivered."))
    return prepare_invitation(message, now)


def last_day(invitation: Invitation, zone: ZoneInfo) -> LastDay | None:
    """Through the end of which day it can be redeemed; None when it never expires."""
    if invitation.expires_at is None:
        return None
    # The last moment, not the stored day: should the site's zone change later, the instant stays what it is.
    return LastDay(clock.local_day(invitation.expires_at - timedelta(microseconds=1), zone), zone)


def expires_text(invitation: Invitation, zone: ZoneInfo) -> str:
    """The last day as a page says it, with the zone; empty when there is none. A mail tells `last_day` itself."""
    last = last_day(invitation, zone)
    if last is None:
        return ""
    return _("%(day)s, end of day (%(zone)s)", day=format_date(last.day, "long"), zone=zone.key.replace("_", " "))


def _not_due(invitation: Invitation | None, contact_id: int, facts: outgoing.Facts, now: datetime) -> str:
    """Why this contact gets no mail; empty where one is due."""
    if invitation is None:
        return _("The invitation was deleted.")
    reason = dead(invitation, now)
    if reason is not None:
        return _over(reason)
    contact, invited = facts.contacts.get(contact_id), facts.invited.get((invitation.id, contact_id))
    if contact is None or invited is None:
        return _("The contact is no longer invited.")
    if not contact.active:
        return _("The contact was deactivated.")
    if invited.declined_at is not None:
        return _("The contact has declined the invitation.")
    if (invitation.id, contact.id) in facts.redeemed:
        return _("The contact has redeemed the invitation already.")
    return "" if contact.email1 else _("The contact has no e-mail address any more.")


def _over(reason: Reason) -> str:
    return {
        Reason.INACTIVE: _("The invitation was deactivated."),
        Reason.COMPLETED: _("The invitation is completed."),
        Reason.EXPIRED: _("The invitation has expired."),
    }[reason]
