"""The mails that tell the owner of an invitation what its invitees answered."""

from datetime import datetime
from typing import Any, NamedTuple

from flask_babel import format_time
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.invitations import queries
from portal.invitations.models import Invitation, InvitationRequest, Redemption
from portal.invitations.queries import happened
from portal.kernel.db import load
from portal.mail.models import Message
from portal.mail.outbox import Cancelled, Prepared
from portal.roles import queries as roles
from portal.settings.queries import absolute_url, site
from portal.staff import queries as staff
from portal.staff.models import StaffMember

NONE = "none"
MOST_ITEMS = 50
SHORT = 80


class Subject(NamedTuple):
    """What a notice is about: to whom it goes, and whose invitation it is."""

    owner: StaffMember
    invitation: Invitation
    contact: Contact


def prepare_redeemed(message: Message, now: datetime) -> Prepared:
    """Somebody accepted. Raises Cancelled when that was undone meanwhile, or the owner wants no notices any more."""
    subject = _subject(message)
    redemption = load(Redemption, int(message.detail["redemption"]))
    if redemption is None or redemption.undone_at is not None:
        raise Cancelled(_("The redemption was undone."))
    account = redemption.account_id if redemption.account_assigned else None
    return _prepared(
        message,
        subject,
        when=redemption.redeemed_at,
        account_name=accounts.names([account]).get(account or 0, ""),
        role_names=[role.name for role in roles.by_ids(redemption.roles_added)],
    )


def prepare_declined(message: Message, now: datetime) -> Prepared:
    """Somebody declined. Raises Cancelled when they accepted after all."""
    subject = _subject(message)
    invited = queries.invitee(subject.invitation.id, subject.contact.id)
    if invited is None or invited.declined_at is None:
        raise Cancelled(_("The contact took their answer back."))
    return _prepared(
        message, subject, when=invited.declined_at, words=invited.declined_words, reply_to=subject.contact.email1
    )


def prepare_request(message: Message, now: datetime) -> Prepared:
    """Somebody asked for a new invitation. Raises Cancelled once it was decided."""
    subject = _subject(message)
    request = load(InvitationRequest, int(message.detail["request"]))
    if request is None or request.decision:
        raise Cancelled(_("The request was decided already."))
    return _prepared(
        message,
        subject,
        when=request.asked_at,
        words=request.words,
        reply_to=subject.contact.email1,
        path="/staff/invitations/?view=requests",
        account_name=accounts.names([subject.invitation.account_id]).get(subject.invitation.account_id or 0, ""),
        role_names=[role.name for role in queries.roles(subject.invitation.id)],
    )


def prepare_digest(message: Message, now: datetime) -> Prepared:
    """What happened to the owner's invitations from the message's making until `until`. Raises Cancelled when nothing
    of it is left to tell."""
    owner = _owner(message)
    until = datetime.fromisoformat(message.detail["until"])
    lines = happened.between(owner.id, message.created_at, until, MOST_ITEMS + 1)
    if not lines:
        raise Cancelled(_("There is nothing left to tell."))
    items = [_told(line) for line in lines[:MOST_ITEMS]]
    if len(lines) > MOST_ITEMS:
        items.append(_("And more: the journal of each invitation has it all."))
    values = {
        "site_name": site().name,
        "owner_name": owner.name,
        "link": absolute_url("/staff/invitations/"),
        "items": items,
    }
    return Prepared(to=owner.email, template=message.kind, values=values)


def _told(line: happened.Line) -> str:
    """One line; it must stay short, for a template cuts what is long."""
    at = format_time(line.at.astimezone(site().zone).time(), "short", rebase=False).replace("\u202f", "\xa0")
    names = {"at": at, "name": _cut(line.contact), "invitation": _cut(line.invitation)}
    return {
        happened.REDEEMED: _("%(at)s – %(name)s accepted “%(invitation)s”", **names),
        happened.DECLINED: _("%(at)s – %(name)s declined “%(invitation)s”", **names),
        happened.REQUEST: _("%(at)s – %(name)s asks for a new invitation to “%(invitation)s”", **names),
    }[line.kind]


def _cut(text: str) -> str:
    return text if len(text) <= SHORT else text[: SHORT - 1] + "…"


def _subject(message: Message) -> Subject:
    owner = _owner(message)
    invitation = queries.find(message.about_id or 0)
    contact = contacts.find(int(message.detail.get("contact", 0)))
    if invitation is None or contact is None:
        raise Cancelled(_("The invitation was deleted."))
    return Subject(owner, invitation, contact)


def _owner(message: Message) -> StaffMember:
    owner = staff.get(message.staff_id or 0)
    if not owner.active:
        raise Cancelled(_("The staff member was deactivated."))
    if owner.notices == NONE:
        raise Cancelled(_("The staff member wants no notices any more."))
    return owner


def _prepared(
    message: Message, subject: Subject, *, when: datetime, reply_to: str | None = None, path: str = "", **more: Any
) -> Prepared:
    """Where the contact has proven their mailbox, a reply to the notice goes to them."""
    settings = site()
    values = {
        "site_name": settings.name,
        "owner_name": subject.owner.name,
        "contact_name": subject.contact.name,
        "invitation_name": subject.invitation.name,
        "when": when.astimezone(settings.zone),
        "link": absolute_url(path or f"/staff/invitations/{subject.invitation.id}"),
        **more,
    }
    return Prepared(to=subject.owner.email, template=message.kind, values=values, reply_to=reply_to)
