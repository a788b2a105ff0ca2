"""What a provider said of the person who signed in there."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from portal.kernel.addresses import BadAddress, parse
from portal.kernel.names import visible
from portal.providers import presets

LONGEST_NAME = 100
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_][A-Za-z0-9_-]*)?")


class Configured(Protocol):
    """What is needed of a provider's record."""

    @property
    def id(self) -> int: ...
    @property
    def slug(self) -> str: ...
    @property
    def preset(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def issuer(self) -> str: ...
    @property
    def authorize_url(self) -> str | None: ...
    @property
    def token_url(self) -> str | None: ...
    @property
    def userinfo_url(self) -> str | None: ...
    @property
    def client_id(self) -> str: ...
    @property
    def scopes(self) -> str: ...
    @property
    def trusted_for_email(self) -> bool: ...
    @property
    def claims(self) -> dict[str, Any]: ...
    @property
    def waives(self) -> list[str]: ...


@dataclass(frozen=True)
class Claims:
    """One sign-in at a provider, checked. The identity is (issuer, subject) and nothing else.

    `email` is what the provider calls theirs; `email_proven` is true only where the provider said so with a real
    `true` and is trusted for e-mail on this site: nothing else may be taken for a proven address. `id_token` is kept
    for signing out at the provider, and only there.
    """

    provider_id: int
    slug: str
    issuer: str
    subject: str
    email: str = ""
    email_proven: bool = False
    first_name: str = ""
    last_name: str = ""
    language: str = ""
    id_token: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """The full name, else the address, else nothing."""
        return f"{self.first_name} {self.last_name}".strip() or self.email


def read(provider: Configured, subject: str, told: Mapping[str, Any], verified: bool, id_token: str) -> Claims:
    """What was told of `subject`, cleaned. `verified` is the provider's own word on the address in its own claim: an
    address that the owner takes from another claim is never proven by it."""
    names, preset = names_of(provider), presets.of(provider.preset)
    email = clean_address(told.get(names["email"]))
    trusted = provider.trusted_for_email and not provider.waives and preset.may_be_trusted
    about_this = names["email"] == preset.claims["email"]
    first_name, last_name = person(told, names)
    return Claims(
        provider_id=provider.id,
        slug=provider.slug,
        issuer=provider.issuer,
        subject=subject,
        email=email,
        email_proven=bool(email) and verified and trusted and about_this,
        first_name=first_name,
        last_name=last_name,
        language=clean_language(told.get(names["language"])),
        id_token=id_token,
    )


def names_of(provider: Configured) -> dict[str, str]:
    """What the provider calls our fields."""
    own = {ours: theirs for ours, theirs in provider.claims.items() if isinstance(theirs, str) and theirs}
    return {**presets.STANDARD_CLAIMS, **presets.of(provider.preset).claims, **own}


def person(told: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, str]:
    """First and last name; where only a full name is told, it is split before its last word."""
    first, last = clean_name(told.get(names["first_name"])), clean_name(told.get(names["last_name"]))
    if not first and not last:
        first, _blank, last = clean_name(told.get("name")).rpartition(" ")
        first, last = (first, last) if first else (last, "")
    return first, last


def clean_name(value: Any) -> str:
    """A name as it may be stored: no control characters, not overlong; empty for anything but text."""
    return " ".join(visible(value).split())[:LONGEST_NAME].strip() if isinstance(value, str) else ""


def clean_address(value: Any) -> str:
    """One plain e-mail address, or nothing."""
    try:
        return parse(value) if isinstance(value, str) else ""
    except (BadAddress, UnicodeError):
        return ""


def clean_language(value: Any) -> str:
    """The language alone of what a provider calls a locale: `de` of `de-AT`; or nothing."""
    if isinstance(value, dict):  # LinkedIn: {"country": "DE", "language": "de"}
        value = value.get("language")
    found = _LANGUAGE.fullmatch(value) if isinstance(value, str) else None
    return found[1].lower() if found else ""
