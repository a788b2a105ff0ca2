"""What a visitor can do under the site's switches: one pure function."""

from dataclasses import dataclass
from typing import Protocol

PASSWORD, PROVIDER, PASSKEY = WAYS = ("password", "provider", "passkey")  # (names of ways, no secrets)


class Switches(Protocol):
    """The settings that decide."""

    @property
    def registration_enabled(self) -> bool: ...
    @property
    def open_registration(self) -> bool: ...
    @property
    def invitation_redemption(self) -> bool: ...
    @property
    def local_sign_in(self) -> bool: ...
    @property
    def external_sign_in(self) -> bool: ...
    @property
    def passkeys(self) -> bool: ...
    @property
    def password_reset(self) -> bool: ...


@dataclass(frozen=True)
class Ground:
    """What the switches stand on: whether some provider is on for signing in, and for newcomers too, and whether the
    site's address can have passkeys at all."""

    provider_signs_in: bool
    provider_registers: bool
    passkeys_possible: bool


@dataclass(frozen=True)
class Availability:
    """By which of the WAYS a visitor can do what, and whether a forgotten password can be replaced by mail."""

    redeem_as_newcomer: frozenset[str]
    redeem_with_sign_in: frozenset[str]
    register: frozenset[str]
    sign_in: frozenset[str]
    reset: bool


def availability(on: Switches, ground: Ground) -> Availability:
    """What a visitor can do now. People who have a sign-in keep it, whatever becomes of registration."""
    provider = on.external_sign_in and ground.provider_signs_in
    passkey = on.passkeys and ground.passkeys_possible
    sign_in = _ways(on.local_sign_in, provider, passkey)
    new = _ways(on.local_sign_in, provider and ground.provider_registers, passkey)
    nothing: frozenset[str] = frozenset()
    redeems = on.registration_enabled and on.invitation_redemption
    return Availability(
        redeem_as_newcomer=new if redeems else nothing,
        redeem_with_sign_in=sign_in if redeems else nothing,
        register=new if on.registration_enabled and on.open_registration else nothing,
        sign_in=sign_in,
        reset=on.local_sign_in and on.password_reset,
    )


def _ways(*on: bool) -> frozenset[str]:
    return frozenset(way for way, is_on in zip(WAYS, on, strict=True) if is_on)
