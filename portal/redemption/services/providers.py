"""Coming back from a provider: what becomes of an identity, known or new, with an invitation or without one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.models import Contact
from portal.identity import queries as identity
from portal.identity import services as identity_services
from portal.kernel.addresses import canonical
from portal.kernel.errors import Conflict
from portal.providers.claims import Claims
from portal.redemption import claims as asked
from portal.redemption import queries
from portal.redemption.pending import Intent
from portal.redemption.services import entering
from portal.redemption.services.entering import REFUSES, NewPerson, reopened
from portal.redemption.services.refusing import refused
from portal.redemption.status import Reason, Standing
from portal.settings.queries import site


class Way(StrEnum):
    """What becomes of somebody who comes back from a provider."""

    KNOWN = "known"
    """They sign in as whose identity it is."""
    INACTIVE = "inactive"
    """It is the identity of somebody who was deactivated."""
    OTHERS = "others"
    """They are known, and the invitation they meant to accept is not for them."""
    MAPPED = "mapped"
    """They have proven the address of the one contact who has it and has no sign-in: it is theirs."""
    ENTERS = "enters"
    """They redeem the invitation with a new sign-in that is this identity."""
    REGISTERS = "registers"
    """They become a new contact without an invitation."""
    HAS_SIGN_IN = "has_sign_in"
    """The identity is new, but the person has a sign-in: they use that, and link this one in their profile."""
    USE_LINK = "use_link"
    """Only invited people may redeem, and this does not tell which of them it is."""
    LOOK_FIRST = "look_first"
    """An invitation waits that they have not agreed to yet."""
    OVER = "over"
    """The invitation they agreed to is over."""
    STRANGER = "stranger"
    """Nobody here, and nobody becomes somebody by this provider without an invitation."""


@dataclass(frozen=True)
class Arrival:
    """Somebody back from a provider. `intent` is the invitation that waits, `agreed` whether they accept it by this;
    `registers`: the provider may make new sign-ins; `refreshes`: it may change names."""

    claims: Claims
    caption: str
    intent: Intent | None
    agreed: bool
    registers: bool
    refreshes: bool
    ip: str | None

    @property
    def by(self) -> str:
        """How they signed in, as it is stored."""
        return f"provider:{self.claims.slug}"


@dataclass(frozen=True)
class Verdict:
    """What becomes of an arrival, and what has to be asked before. `contact` is the person it is about."""

    way: Way
    contact: Contact | None = None
    opened: queries.Opened | None = None
    asks: tuple[str, ...] = ()


def judge(arrival: Arrival, now: datetime) -> Verdict:
    """What becomes of an arrival. Changes nothing; what then does, judges again."""
    held = identity.identity(arrival.claims.issuer, arrival.claims.subject)
    opened = queries.opened(arrival.intent, now)
    if held is not None:
        return _known(contacts.get(held.contact_id), arrival, opened)
    if not arrival.registers or not site().registration_enabled:
        return Verdict(Way.STRANGER, opened=opened)
    if arrival.agreed:
        return _invited(arrival, opened)
    mapped = _by_address(arrival.claims)
    if mapped is not None:
        return Verdict(Way.MAPPED, mapped)
    if opened is not None and opened.over is None:
        return Verdict(Way.LOOK_FIRST, opened=opened)
    if _has_proven_sign_in(arrival.claims):
        return Verdict(Way.HAS_SIGN_IN)
    if not site().open_registration:
        return Verdict(Way.STRANGER)
    return Verdict(Way.REGISTERS, asks=_about_them(arrival.claims))


def come_in(arrival: Arrival, now: datetime) -> tuple[int, int] | None:
    """Sign in somebody who is known, or whose contact their proven address tells: id and epoch for the session.

    None when that changed meanwhile. Accepts nothing: who agreed to an invitation accepts it as signed in.
    """
    verdict = judge(arrival, now)
    claims = arrival.claims
    if verdict.way is Way.KNOWN:
        return identity_services.signed_in_at(claims, arrival.caption, arrival.ip, now, refreshes=arrival.refreshes)
    if verdict.way is not Way.MAPPED or verdict.contact is None:
        return None
    contact = contacts.get(verdict.contact.id, lock=True)
    if not contact.active or identity.has_sign_in(contact.id) or contact.email1_key != canonical(claims.email):
        return None
    identity_services.add_identity((contact.id, contact.epoch), claims, arrival.caption, arrival.ip, now)
    return contact.id, contact.epoch


def enter_with(arrival: Arrival, agreed: tuple[str, ...], person: NewPerson | None, now: datetime) -> tuple[int, int]:
    """Redeem with this identity as a new sign-in: id and epoch for the session. `agreed` is what the person was asked
    and said yes to, `person` what they said of themselves in place of the provider.

    Raises Refused, also where there is more to ask by now; Conflict where the identity became somebody's.
    """
    intent = arrival.intent
    if intent is None:
        raise refused(Reason.CHANGED, 0)
    reopened(intent, now)  # locks the invitation and its contact, so that the verdict holds
    verdict = judge(arrival, now)
    if verdict.way in (Way.KNOWN, Way.OTHERS, Way.INACTIVE):
        raise Conflict
    if verdict.way is not Way.ENTERS or not set(verdict.asks) <= set(agreed):
        raise refused(_why_not(verdict), intent.invitation_id)

    def give(contact: Contact) -> None:
        identity_services.link_identity(contact, arrival.claims, arrival.caption, arrival.ip, now)

    new = person or said_by(arrival.claims)
    contact = entering.enter(intent, new, give, by=arrival.by, ip=arrival.ip, now=now)
    return contact.id, contact.epoch


def register_with(
    arrival: Arrival, agreed: tuple[str, ...], person: NewPerson | None, now: datetime
) -> tuple[int, int] | None:
    """Become a new contact with this identity, without an invitation. None when that is not possible any more. Raises
    Invalid, Conflict where the identity became somebody's."""
    verdict = judge(arrival, now)
    if verdict.way is not Way.REGISTERS or not set(verdict.asks) <= set(agreed):
        return None

    def give(contact: Contact) -> None:
        identity_services.link_identity(contact, arrival.claims, arrival.caption, arrival.ip, now)

    contact = entering.register(person or said_by(arrival.claims), give, ip=arrival.ip, now=now)
    return contact.id, contact.epoch


def said_by(claims: Claims) -> NewPerson:
    """A new person as their provider describes them; what could not be typed here either is left out."""
    names = (claims.first_name, claims.last_name)
    first, last = names if all(map(contact_services.acceptable, names)) else ("", "")
    language = claims.language if claims.language in contact_services.LANGUAGES else "en"
    return NewPerson(first, last, claims.email, language, otherwise=claims.email)


def _known(contact: Contact, arrival: Arrival, opened: queries.Opened | None) -> Verdict:
    if not contact.active:
        return Verdict(Way.INACTIVE, contact, opened)
    wrong = (Standing.WRONG_PERSON, Standing.NOT_INVITED)
    alive = opened is not None and opened.over is None
    if arrival.agreed and opened is not None and alive and queries.stands(opened, contact) in wrong:
        return Verdict(Way.OTHERS, contact, opened)
    return Verdict(Way.KNOWN, contact, opened)


def _invited(arrival: Arrival, opened: queries.Opened | None) -> Verdict:
    """A new identity, and an invitation that they accept by coming."""
    if opened is None or opened.over is not None:
        return Verdict(Way.OVER, opened=opened)
    claims, meant, standing = arrival.claims, opened.meant, queries.stands(opened, None)
    if meant is None:
        mapped = _by_address(claims)
        if mapped is not None and queries.stands(opened, mapped) not in REFUSES:
            return Verdict(Way.MAPPED, mapped, opened)
        if standing is Standing.USE_LINK:
            return Verdict(Way.USE_LINK, opened=opened)
        if mapped is None and _has_proven_sign_in(claims):
            return Verdict(Way.HAS_SIGN_IN, opened=opened)
        return Verdict(Way.ENTERS, opened=opened, asks=_about_them(claims))
    if standing is Standing.SIGN_IN:
        return Verdict(Way.HAS_SIGN_IN, meant, opened)
    asks = [asked.REPLACE] if standing is Standing.REPLACE else []
    if claims.email and meant.email1_key and canonical(claims.email) != meant.email1_key:
        asks.append(asked.EMAIL)
    return Verdict(Way.ENTERS, meant, opened, tuple(asks))


def _about_them(claims: Claims) -> tuple[str, ...]:
    """A new contact has an address: who has been given none by the provider, says it."""
    return () if claims.email else (asked.ABOUT,)


def _by_address(claims: Claims) -> Contact | None:
    """The one active contact whose address was proven, if they have no way to sign in at all."""
    if not claims.email_proven or not claims.email:
        return None
    found = [contact for contact in contacts.with_email(canonical(claims.email)) if contact.active]
    return found[0] if len(found) == 1 and not identity.has_sign_in(found[0].id) else None


def _has_proven_sign_in(claims: Claims) -> bool:
    """Whether they have proven an address that was confirmed here before, by somebody who can sign in."""
    owner = contacts.verified(canonical(claims.email)) if claims.email_proven and claims.email else None
    return owner is not None and identity.has_sign_in(owner.id)


def _why_not(verdict: Verdict) -> Reason:
    if verdict.way is Way.OVER:
        return (verdict.opened.over if verdict.opened else None) or Reason.CHANGED
    return Reason.NOT_INVITED if verdict.way is Way.USE_LINK else Reason.HAS_SIGN_IN
