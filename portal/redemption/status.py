"""Who may redeem, and what stands in somebody's way: pure functions of facts."""

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How somebody stands to the invitation they opened."""

    ACCEPT = "accept"
    """The right person is signed in."""
    ALREADY = "already"
    """They have redeemed it before."""
    WRONG_PERSON = "wrong_person"
    """Somebody else is signed in than the one whom it is for."""
    NOT_INVITED = "not_invited"
    """Only the invited contacts may redeem it, and who is signed in is none of them."""
    SIGN_UP = "sign_up"
    """Nobody is signed in, and a sign-in can be created."""
    REPLACE = "replace"
    """There is a sign-in whose address was never confirmed: it can be used, or replaced by whoever has the link."""
    SIGN_IN = "sign_in"
    """There is a sign-in, which is to be used."""
    USE_LINK = "use_link"
    """Only the invited contacts may redeem it, and a code alone does not tell which of them this is."""


class Reason(StrEnum):
    """Why a redemption is refused."""

    INACTIVE = "inactive"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CONTACT_INACTIVE = "contact_inactive"
    NOT_INVITED = "not_invited"
    WRONG_PERSON = "wrong_person"
    HAS_SIGN_IN = "has_sign_in"
    ALREADY = "already"
    CHANGED = "changed"


OVER = frozenset({Reason.INACTIVE, Reason.COMPLETED, Reason.EXPIRED, Reason.CONTACT_INACTIVE, Reason.CHANGED})
"""Reasons that lie with the invitation, and not with the person."""


@dataclass(frozen=True)
class Facts:
    """What decides how somebody stands. `meant` is the contact whom the proof names, `person` who is signed in."""

    single: bool
    anyone: bool
    by_link: bool
    meant: int | None
    meant_has_sign_in: bool
    meant_verified: bool
    person: int | None
    person_invited: bool
    person_redeemed: bool


def standing(facts: Facts) -> Standing:
    """How they stand to a living invitation."""
    if facts.person is not None:
        return _of_person(facts)
    if facts.meant is None:
        return Standing.SIGN_UP if facts.anyone else Standing.USE_LINK
    if not facts.meant_has_sign_in:
        return Standing.SIGN_UP
    return Standing.REPLACE if facts.by_link and not facts.meant_verified else Standing.SIGN_IN


def _of_person(facts: Facts) -> Standing:
    if facts.person_redeemed:
        return Standing.ALREADY
    if facts.person == facts.meant:
        return Standing.ACCEPT
    if facts.meant is not None and facts.single:
        return Standing.WRONG_PERSON
    return Standing.ACCEPT if facts.anyone or facts.person_invited else Standing.NOT_INVITED
