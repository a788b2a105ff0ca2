"""Between the right password and the sign-in: the code that is mailed, and a password that must be changed first."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest

from flask_babel import gettext as _
from sqlalchemy import update

from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.identity import links, queries
from portal.identity.models import Credential, OneTimeLink
from portal.identity.services.changing import end_links, mail_link, named, set_password
from portal.journal.services import record
from portal.kernel.actor import Actor
from portal.kernel.db import db, execute_dml
from portal.kernel.errors import Invalid, TooFast
from portal.settings.queries import ring, site

CODES_PER_HOUR = 12
HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Passed:
    """Somebody whose password was right. They are signed in only once nothing is left to ask: neither a code (then
    `link_id` names the one that was mailed) nor a password of their own in place of a temporary one."""

    contact_id: int
    epoch: int
    must_change: bool
    link_id: int | None

    @property
    def whose(self) -> tuple[int, int]:
        """Id and epoch, as a session takes them."""
        return self.contact_id, self.epoch

    @property
    def done(self) -> bool:
        """Whether nothing is left to ask."""
        return self.link_id is None and not self.must_change


def password_passed(
    contact_id: int, stored: str, rehashed: str | None, *, known: bool, ip: str | None, now: datetime
) -> Passed | None:
    """Go on from a password that was found right against `stored`: sign in, or mail a code first.

    `known`: this browser may skip the code. The failures before are forgotten only with the sign-in itself, or a
    password that is known would buy endless guesses at the code. None when the password was changed, or the contact
    deactivated, in between. Raises TooFast after too many codes.
    """
    contact = contacts.find(contact_id)
    held = (Credential.contact_id == contact_id, Credential.password_hash == stored)
    if contact is None or not contact.active:
        return None
    epoch = contact.epoch  # read before the row is locked: a new password that comes next ends this sign-in too
    if execute_dml(update(Credential).where(*held).values(password_hash=rehashed or stored)) != 1:
        return None
    credential = queries.credential(contact_id)
    must_change = credential is not None and credential.must_change
    asks = site().two_factor and contact.email1_verified_at is not None and not known
    passed = Passed(contact_id, epoch, must_change, _mail_code(contact, now) if asks else None)
    if passed.done:
        finish(passed, ip, now)
    return passed


def mail_again(passed: Passed, now: datetime) -> Passed | None:
    """Mail another code; the one before ends. None when their sessions were ended since. Raises TooFast."""
    contact = contacts.for_session(*passed.whose)
    if contact is None:
        return None
    return Passed(passed.contact_id, passed.epoch, passed.must_change, _mail_code(contact, now))


def code_right(passed: Passed, typed: str, now: datetime) -> bool:
    """Whether this is the code that was mailed last; it is used up by it."""
    link = db.session.get(OneTimeLink, passed.link_id or 0)
    contact = contacts.for_session(*passed.whose)
    if link is None or contact is None or link.expires_at <= now or link.email_key != contact.email1_key:
        return False
    expected = links.codes(ring(), link.public_id, link.id, link.email_key)
    if not any(compare_digest(code, typed) for code in expected):
        return False
    unused = (OneTimeLink.id == link.id, OneTimeLink.used_at.is_(None))
    return execute_dml(update(OneTimeLink).where(*unused).values(used_at=now)) == 1


def code_wrong(passed: Passed, ip: str | None, now: datetime, *, last: bool, limited: bool) -> None:
    """Count a wrong code like a wrong password. `last`: no further try, the code ends."""
    execute_dml(
        update(Credential).where(Credential.contact_id == passed.contact_id).values(failures=Credential.failures + 1)
    )
    contact = contacts.get(passed.contact_id)
    somebody = Actor("system", None, "", ip)
    for action in ("sign-in.failed", "sign-in.limited")[: 2 if limited else 1]:
        record(action, named(contact), by=somebody, now=now, text=_("Wrong second factor."))
    if last:
        end_links(passed.contact_id, now, links.CODE)


def finish(passed: Passed, ip: str | None, now: datetime) -> int | None:
    """Note the sign-in, now that nothing is left to ask. None when their sessions were ended in between."""
    contact = contacts.for_session(*passed.whose)
    if contact is None:
        return None
    execute_dml(update(Credential).where(Credential.contact_id == contact.id).values(failures=0))
    record("sign-in.ok", named(contact), by=Actor("contact", contact.id, contact.name, ip), now=now)
    return passed.epoch


def replace_temporary(passed: Passed, password_hash: str, ip: str | None, now: datetime) -> int | None:
    """Set their own password in place of the temporary one, and note the sign-in; gives the new epoch. None when
    their sessions were ended in between, as by another new password."""
    contact = contacts.get(passed.contact_id, lock=True)
    held = queries.credential(passed.contact_id)
    if contacts.for_session(*passed.whose) is None or held is None or not held.must_change:
        return None
    set_password(held, contact, password_hash, now)
    by = Actor("contact", contact.id, contact.name, ip)
    for action in ("credential.password-changed", "sign-in.ok"):
        record(action, named(contact), by=by, now=now)
    return contact.epoch


def check_other(stored_matches: bool) -> None:
    """Refuse the temporary password as the new one. Raises Invalid."""
    if stored_matches:
        raise Invalid({"password": _("Please choose another password than the one you were given.")})


def _mail_code(contact: Contact, now: datetime) -> int:
    if queries.links_since(links.CODE, now - HOUR, contact_id=contact.id) >= CODES_PER_HOUR:
        raise TooFast(_("Too many codes were sent. Please wait before you sign in again."), int(HOUR.total_seconds()))
    end_links(contact.id, now, links.CODE)
    return mail_link(contact, links.CODE, "second-factor", now)
