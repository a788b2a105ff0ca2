"""What an OpenID provider says of itself, and its keys: fetched, checked and kept for ten minutes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from flask_babel import gettext as _
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key

from portal.kernel import clock
from portal.providers.network import Trouble, Unreachable, Unusable, fetch_object, is_safe

__all__ = ["Metadata", "Trouble", "Unreachable", "Unusable", "forget", "key", "keys", "metadata"]

PATH = "/.well-known/openid-configuration"
ALGORITHMS = ("RS256", "PS256", "ES256")
METADATA_LASTS, KEYS_REST = timedelta(minutes=10), timedelta(minutes=1)
_SMALLEST_RSA = 2048

Key = RSAKey | ECKey


@dataclass(frozen=True)
class Published:
    """One of a provider's keys."""

    kid: str | None
    algorithm: str | None
    key: Key

    def fits(self, kid: str | None, algorithm: str) -> bool:
        """Whether a token with this header may have been signed with it."""
        kind = "EC" if algorithm == "ES256" else "RSA"
        return self.key.key_type == kind and self.algorithm in (None, algorithm) and kid in (None, self.kid)


@dataclass(frozen=True)
class Metadata:
    """What an OpenID provider says of itself, checked."""

    issuer: str
    authorize_url: str
    token_url: str
    keys_url: str
    userinfo_url: str | None
    end_session_url: str | None
    names_itself: bool  # sends `iss` with every callback (RFC 9207)
    token_auth: str


_metadata: dict[str, tuple[datetime, Metadata]] = {}
_keys: dict[str, tuple[datetime, list[Published]]] = {}
_lock = Lock()


def forget() -> None:
    """Ask every provider anew from now on."""
    with _lock:
        _metadata.clear()
        _keys.clear()


def metadata(issuer: str, *, fresh: bool = False) -> Metadata:
    """What the provider says of itself, at most ten minutes old. Raises Unreachable or Unusable."""
    if not is_safe(issuer):
        raise Unusable(_("“%(url)s” is not an https address.", url=issuer))
    now = clock.now()
    with _lock:
        kept = _metadata.get(issuer)
    if kept is not None and not fresh and timedelta() <= now - kept[0] < METADATA_LASTS:
        return kept[1]
    found = _checked(issuer, fetch_object(issuer.removesuffix("/") + PATH))
    with _lock:
        _metadata[issuer] = now, found
    return found


def _checked(issuer: str, said: Mapping[str, Any]) -> Metadata:
    if said.get("issuer") != issuer:
        named = str(said.get("issuer"))[:300]
        raise Unusable(_("The provider calls itself “%(named)s”, and not “%(ours)s”.", named=named, ours=issuer))
    algorithms = said.get("id_token_signing_alg_values_supported", ["RS256"])
    if not isinstance(algorithms, list) or not set(ALGORITHMS) & {a for a in algorithms if isinstance(a, str)}:
        raise Unusable(_("The provider signs in none of the ways accepted here: %(ways)s.", ways=", ".join(ALGORITHMS)))
    types = said.get("response_types_supported", ["code"])
    if not isinstance(types, list) or "code" not in types:
        raise Unusable(_("The provider does not offer the authorization code flow."))
    return Metadata(
        issuer=issuer,
        authorize_url=_address(said, "authorization_endpoint"),
        token_url=_address(said, "token_endpoint"),
        keys_url=_address(said, "jwks_uri"),
        userinfo_url=_address(said, "userinfo_endpoint") if said.get("userinfo_endpoint") else None,
        end_session_url=_address(said, "end_session_endpoint") if said.get("end_session_endpoint") else None,
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
        token_auth=_token_auth(said),
    )


def _address(said: Mapping[str, Any], name: str) -> str:
    url = said.get(name)
    if not isinstance(url, str) or not url:
        raise Unusable(_("The provider does not name its “%(name)s”.", name=name))
    # Plain http leads to this machine: a provider elsewhere must not have us ask what listens here.
    near = urlsplit(str(said.get("issuer"))).scheme == "http"
    if not is_safe(url) or (urlsplit(url).scheme == "http" and not near):
        raise Unusable(_("The provider's “%(name)s” is not an https address.", name=name))
    return url


def _token_auth(said: Mapping[str, Any]) -> str:
    offered = said.get("token_endpoint_auth_methods_supported")
    if isinstance(offered, list) and "client_secret_basic" not in offered and "client_secret_post" in offered:
        return "client_secret_post"
    return "client_secret_basic"


def key(about: Metadata, kid: str | None, algorithm: str) -> Key | None:
    """The key that the provider signs with under this id; asked for anew when unknown, at most once a minute.

    Without an id, the only key that fits. Raises Unreachable or Unusable.
    """
    now = clock.now()
    with _lock:
        kept = _keys.get(about.keys_url)
    if kept is not None:
        found = _fitting(kept[1], kid, algorithm)
        if found is not None and timedelta() <= now - kept[0] < METADATA_LASTS:
            return found
        if timedelta() <= now - kept[0] < KEYS_REST:
            return None
    return _fitting(keys(about), kid, algorithm)


def keys(about: Metadata) -> list[Published]:
    """The provider's usable keys, asked for now. Raises Unreachable or Unusable."""
    now = clock.now()
    listed = fetch_object(about.keys_url).get("keys")
    found = [usable for raw in (listed if isinstance(listed, list) else []) if (usable := _usable(raw)) is not None]
    if not found:
        raise Unusable(_("The provider publishes no key that can be used."))
    with _lock:
        _keys[about.keys_url] = now, found
    return found


def _usable(raw: Any) -> Published | None:
    if not isinstance(raw, dict) or raw.get("kty") not in ("RSA", "EC") or raw.get("use", "sig") != "sig":
        return None
    public = {name: raw[name] for name in ("kty", "n", "e", "crv", "x", "y") if isinstance(raw.get(name), str)}
    try:
        made = import_key(public)
        inner = made.public_key if isinstance(made, RSAKey | ECKey) else None
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    strong = isinstance(inner, RSAPublicKey) and inner.key_size >= _SMALLEST_RSA
    curve = isinstance(inner, EllipticCurvePublicKey) and isinstance(inner.curve, SECP256R1)
    if not isinstance(made, RSAKey | ECKey) or not (strong or curve):
        return None
    return Published(raw.get("kid"), raw.get("alg"), made)


def _fitting(listed: list[Published], kid: str | None, algorithm: str) -> Key | None:
    fitting = [one.key for one in listed if one.fits(kid, algorithm)]
    return fitting[0] if len(fitting) == 1 else None
