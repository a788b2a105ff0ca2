"""What a sign-in provider may hold, wherever it is set: on the page or in `portal.toml`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask_babel import gettext as _

from portal.kernel.errors import Invalid
from portal.kernel.names import visible
from portal.providers.models import OIDC
from portal.providers.network import is_safe
from portal.providers.presets import TENANT, Preset

LONGEST_SLUG, LONGEST_CAPTION, LONGEST_ISSUER, LONGEST_URL, LONGEST_TEXT = 40, 100, 300, 500, 300
LONGEST_CLAIM, LONGEST_SECRET = 100, 1000
FIELDS = ("first_name", "last_name", "email", "language")
"""Our fields that a provider's claims fill."""
MARKS = (
    "key",
    "brand-azure",
    "brand-facebook",
    "brand-github",
    "brand-gitlab",
    "brand-google",
    "brand-linkedin",
    "brand-microsoft",
    "building",
    "fingerprint",
    "id-badge",
    "lock",
    "login",
    "shield",
    "user",
    "users",
    "world",
)
RESERVED = frozenset(
    {"again", "callback", "choose-password", "code", "confirm", "new", "new-password", "passkey", "switch", "verify"}
)
"""What stands below `/sign-in/` and `/staff/sign-in/` already."""
ADDRESSES = ("authorize_url", "token_url", "userinfo_url")
"""What an OAuth 2.0 provider is given in place of an issuer."""
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_SCOPES = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*")  # RFC 6749 3.3
_NAME = re.compile(r"[\x21-\x7e]+")
_TENANT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class ProviderValues:
    """What is typed about a provider, without its secret. `claims` maps FIELDS to other names than the preset's."""

    caption: str
    mark: str
    issuer: str
    client_id: str
    scopes: str
    authorize_url: str = ""
    token_url: str = ""
    userinfo_url: str = ""
    for_sign_in: bool = True
    for_registration: bool = True
    for_staff: bool = False
    trusted_for_email: bool = False
    claims: Mapping[str, str] = field(default_factory=dict)
    refreshes: bool = False


def issuer_of(preset: Preset, *, issuer: str = "", tenant: str = "", authorize_url: str = "") -> str:
    """The issuer that identities are kept under, from what was typed.

    That of an OAuth 2.0 provider follows from its address: people of one server are never those of another.
    """
    if preset.kind != OIDC:
        own = authorize_url and _host(authorize_url) != _host(preset.authorize_url or "")
        return authorize_url.removesuffix("/authorize") if own else preset.issuer
    if preset.needs_tenant:
        return issuer or preset.issuer.replace(TENANT, tenant.lower())
    return issuer or preset.issuer


def tenant_of(preset: Preset, issuer: str) -> str:
    """The tenant in an issuer made from the preset's; empty where it has none."""
    before, _tenant, after = preset.issuer.partition(TENANT)
    return issuer.removeprefix(before).removesuffix(after) if preset.needs_tenant else ""


def check_slug(slug: str) -> None:
    """Raise Invalid for a name that cannot stand in an address."""
    if not _SLUG.fullmatch(slug) or len(slug) > LONGEST_SLUG:
        raise Invalid({"slug": _("Please use small letters, digits and hyphens, at most %(most)s.", most=LONGEST_SLUG)})
    if slug in RESERVED:
        raise Invalid({"slug": _("The portal uses this name itself. Please choose another.")})


def check(preset: Preset, values: ProviderValues, secret: str | None) -> None:
    """Raise Invalid for values that no provider of this preset can have; a `secret` of None is not looked at."""
    faults = {name: fault for name, fault in _plain(values, secret) if fault}
    faults |= {name: fault for name, fault in _addresses(preset, values) if fault and name not in faults}
    if values.for_registration and not values.for_sign_in:
        faults["for_registration"] = _("Whoever registers with it has to be able to sign in with it, too.")
    if preset.kind == OIDC and "openid" not in values.scopes.split(" "):
        faults.setdefault("scopes", _("The scope openid is needed."))
    if values.trusted_for_email:
        reason = distrust(preset, values.claims)
        if reason:
            faults["trusted_for_email"] = reason
    faults |= _claims(values.claims)
    if faults:
        raise Invalid(faults)


def distrust(preset: Preset, claims: Mapping[str, str]) -> str:
    """Why what this provider says of addresses is no proof; empty if it may be trusted."""
    if not preset.may_be_trusted:
        return str(preset.distrusted_because or preset.waives_because)
    if claims.get("email", "email") != "email":
        return _("It vouches for its claim “email” only, and you take the address from another one.")
    return ""


def _plain(values: ProviderValues, secret: str | None) -> list[tuple[str, str]]:
    return [
        ("caption", _text(values.caption, LONGEST_CAPTION)),
        ("mark", "" if values.mark in MARKS else _("Please choose from the list.")),
        ("client_id", _text(values.client_id, LONGEST_TEXT)),
        ("scopes", "" if _SCOPES.fullmatch(values.scopes) else _("Please enter words with one blank between them.")),
        ("scopes", _text(values.scopes, LONGEST_TEXT)),
        ("client_secret", "" if secret is None else _text(secret, LONGEST_SECRET)),
    ]


def _text(text: str, most: int) -> str:
    if not text.strip():
        return _("Please fill this in.")
    if len(text) > most or visible(text) != text:
        return _("Please use at most %(most)s plain characters.", most=most)
    return ""


def _addresses(preset: Preset, values: ProviderValues) -> list[tuple[str, str]]:
    if preset.kind == OIDC:
        return [("issuer", _issuer(preset, values.issuer))]
    found = [(name, _address(getattr(values, name), LONGEST_URL)) for name in ADDRESSES]
    own = [_host(getattr(values, name)) != _host(getattr(preset, name) or "") for name, bad in found if not bad]
    home = _host(values.authorize_url)
    apart = [one for one in ADDRESSES if _host(getattr(values, one)) not in (home, f"api.{home}")]
    if any(own) and (apart or not all(own)):
        words = _("All three addresses have to lead to the same provider.")
        found.append((apart[0] if apart else "userinfo_url", words))
    if len(values.issuer) > LONGEST_ISSUER:
        found.append(("authorize_url", _("Please use at most %(most)s characters.", most=LONGEST_ISSUER)))
    return found


def _host(url: str) -> str:
    """Host and port as they are written; of any text."""
    return url.partition("://")[2].partition("/")[0]


def _issuer(preset: Preset, issuer: str) -> str:
    if preset.needs_tenant:
        sound = _TENANT.fullmatch(tenant_of(preset, issuer))
        return "" if sound else _("Please enter the directory (tenant) ID: 32 hexadecimal digits in five groups.")
    if preset.issuer and issuer != preset.issuer:
        return _("It is always %(issuer)s.", issuer=preset.issuer)
    return _address(issuer, LONGEST_ISSUER) or (
        "" if "?" not in issuer else _("Please enter it without a question mark.")
    )


def _address(address: str, most: int) -> str:
    if not address:
        return _("Please fill this in.")
    if not is_safe(address) or len(address) > most:
        return _("Please enter an address that begins with https://, without blanks, user or fragment.")
    return ""


def _claims(claims: Mapping[str, str]) -> dict[str, str]:
    unknown = [name for name in claims if name not in FIELDS]
    faults = {"claims": _("There is no field %(name)s.", name=unknown[0])} if unknown else {}
    for name, claim in claims.items():
        if not _NAME.fullmatch(claim) or len(claim) > LONGEST_CLAIM:
            faults[f"claim_{name}"] = _("Please enter the name of a claim, without blanks.")
    return faults
