"""The invitation mail: whether it is still due, to whom it goes, what it says."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask_babel import format_date
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.invitations import links, queries
from portal.invitations.models import Invitation, InvitedContact
from portal.invitations.status import Reason, dead
from portal.kernel import clock
from portal.mail.dates import LastDay
from portal.mail.models import Message
from portal.mail.outbox import Cancelled, NotNow, Prepared
from portal.settings.queries import absolute_url, site
from portal.staff import queries as staff


def prepare_invitation(message: Message, now: datetime) -> Prepared:
    """The mail as it is right now: to the contact's present address, with the present code.

    Raises Cancelled when the invitation is over, or this contact can or need not redeem it any more.
    """
    invitation, invited, contact = _still_due(message, now)
    owner = staff.get(invitation.owner_id)
    inviter = contacts.find(invitation.inviter_id) if invitation.inviter_id else None
    sender = inviter.name if inviter else owner.name
    settings = site()
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
            "link": absolute_url(f"/i/{links.token(invitation, invited, contact)}"),
            "code": queries.code(invitation),
            "redeem_url": absolute_url("/redeem"),
            "expires_text": last_day(invitation, settings.zone),
            "account_name": accounts.names([invitation.account_id]).get(invitation.account_id or 0, ""),
            "role_names": [role.name for role in queries.roles(invitation.id)],
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


def _still_due(message: Message, now: datetime) -> tuple[Invitation, InvitedContact, Contact]:
    invitation = queries.find(message.about_id or 0)
    if invitation is None:
        raise Cancelled(_("The invitation was deleted."))
    reason = dead(invitation, now)
    if reason is not None:
        raise Cancelled(_over(reason))
    contact = contacts.find(message.contact_id or 0)
    invited = queries.invitee(invitation.id, contact.id) if contact else None
    if contact is None or invited is None:
        raise Cancelled(_("The contact is no longer invited."))
    if not contact.active:
        raise Cancelled(_("The contact was deactivated."))
    if invited.declined_at is not None:
        raise Cancelled(_("The contact has declined the invitation."))
    if queries.redemption(invitation.id, contact.id) is not None:
        raise Cancelled(_("The contact has redeemed the invitation already."))
    if not contact.email1:
        raise Cancelled(_("The contact has no e-mail address any more."))
    return invitation, invited, contact


def _over(reason: Reason) -> str:
    return {
        Reason.INACTIVE: _("The invitation was deactivated."),
        Reason.COMPLETED: _("The invitation is completed."),
        Reason.EXPIRED: _("The invitation has expired."),
    }[reason]
