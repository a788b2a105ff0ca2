"""What a browser's authenticator is asked, and what its answers are worth: py_webauthn, with all choices made."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import idna
from cryptography.exceptions import UnsupportedAlgorithm
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from portal.kernel.secrets_ import new_secret

LONGEST_ANSWER = 20_000
LONGEST_ID = 1023
TIMEOUT_MS = 300_000
DEFAULT_PORTS = {"https": 443, "http": 80}
TRANSPORTS = frozenset(transport.value for transport in AuthenticatorTransport)
# What py_webauthn and the parsers below it raise for bytes that are no answer of an authenticator.
UNREADABLE = (WebAuthnException, UnsupportedAlgorithm, ValueError, TypeError, KeyError, IndexError, AttributeError)


class Faulty(Exception):
    """An answer that fails a check; the reason is for the log, not for the person."""


@dataclass(frozen=True)
class Party:
    """This site as authenticators know it: keys are bound to `id`, answers to `origin`."""

    id: str
    origin: str
    name: str


@dataclass(frozen=True)
class Person:
    """For whom a key is made. `handle` is what the authenticator keeps of them, the names what it shows."""

    handle: bytes
    name: str
    shown_as: str


@dataclass(frozen=True)
class Descriptor:
    """A key somebody has already."""

    id: bytes
    transports: tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """A new key, checked."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: tuple[str, ...]
    backed_up: bool
    handle: bytes


@dataclass(frozen=True)
class Answer:
    """What a browser sent. Nothing in it is believed before `check_use` or `check_made`."""

    credential_id: bytes
    challenge: str
    handle: bytes | None
    sent: dict[str, Any]


@dataclass(frozen=True)
class Use:
    """A key that signed a challenge, checked except for its counter."""

    sign_count: int
    backed_up: bool


def party(base_url: str, name: str) -> Party | None:
    """The site at this address; None where its host is an IP address, to which no key can be bound."""
    parts = urlsplit(base_url)
    host = (parts.hostname or "").rstrip(".")
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        return None
    host = host if host.isascii() else idna.encode(host, uts46=True).decode()
    port = "" if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f":{parts.port}"
    return Party(host, f"{parts.scheme}://{host}{port}", name)


def new_challenge() -> str:
    """256 random bits, as an authenticator gets them."""
    return new_secret()


def to_make(party: Party, person: Person, challenge: str, existing: Iterable[Descriptor]) -> dict[str, Any]:
    """The options for making a key that can be found without a name being typed, behind a PIN or a fingerprint; not
    in an authenticator that holds one of the existing keys."""
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=party.name,
        user_name=person.name,
        user_id=person.handle,
        user_display_name=person.shown_as,
        challenge=base64url_to_bytes(challenge),
        timeout=TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_descriptors(existing),
    )
    return options_to_json_dict(options)


def to_use(party: Party, challenge: str, existing: Iterable[Descriptor] = ()) -> dict[str, Any]:
    """The options for signing in with a key: any that the authenticator has for this site, or one of the existing."""
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=base64url_to_bytes(challenge),
        timeout=TIMEOUT_MS,
        allow_credentials=_descriptors(existing),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def read(text: str) -> Answer:
    """Take an answer apart. Raises Faulty for what is none."""
    if len(text) > LONGEST_ANSWER:
        raise Faulty("too long")
    try:
        sent = json.loads(text)
        response = sent["response"]
        told = json.loads(base64url_to_bytes(response["clientDataJSON"]))
        handle = response.get("userHandle")
        answer = Answer(
            credential_id=base64url_to_bytes(sent["rawId"]),
            challenge=str(told["challenge"]),
            handle=base64url_to_bytes(handle) if handle else None,
            sent=sent,
        )
    except (*UNREADABLE, RecursionError) as fault:
        raise Faulty("not readable") from fault
    if not 0 < len(answer.credential_id) <= LONGEST_ID:
        raise Faulty("no credential id")
    return answer


def check_made(party: Party, answer: Answer, challenge: str, handle: bytes) -> Made:
    """A new key, made for this challenge, this site and the person with this handle. Raises Faulty."""
    try:
        verified = verify_registration_response(
            credential=answer.sent,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
        )
        _same_site(answer)
    except UNREADABLE as fault:
        raise Faulty(str(fault)) from fault
    told = answer.sent["response"].get("transports")
    transports = [one for one in told if one in TRANSPORTS] if isinstance(told, list) else []
    return Made(
        credential_id=verified.credential_id,
        public_key=verified.credential_public_key,
        sign_count=verified.sign_count,
        transports=tuple(dict.fromkeys(transports)),
        backed_up=verified.credential_backed_up,
        handle=handle,
    )


def check_use(party: Party, answer: Answer, challenge: str, public_key: bytes) -> Use:
    """A key that signed this challenge for this site. The counter is the caller's to compare. Raises Faulty."""
    try:
        verified = verify_authentication_response(
            credential=answer.sent,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
        _same_site(answer)
    except UNREADABLE as fault:
        raise Faulty(str(fault)) from fault
    return Use(verified.new_sign_count, verified.credential_backed_up)


def _same_site(answer: Answer) -> None:
    """Refuses what was asked for inside a frame of another site."""
    told = json.loads(base64url_to_bytes(answer.sent["response"]["clientDataJSON"]))
    if told.get("crossOrigin"):
        raise ValueError("asked for inside another site's page")


def _descriptors(existing: Iterable[Descriptor]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(id=one.id, transports=[AuthenticatorTransport(t) for t in one.transports])
        for one in existing
    ]


def encoded(raw: bytes) -> str:
    """Bytes as a session keeps them."""
    return bytes_to_base64url(raw)


def decoded(text: str) -> bytes:
    """The bytes of `encoded`."""
    return base64url_to_bytes(text)
