"""Checking an ID token: signed by this provider, for this site, for this very sign-in."""

import base64
import binascii
import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError

from portal.providers import discovery
from portal.providers.discovery import ALGORITHMS, Metadata

LEEWAY = timedelta(seconds=120)
LONGEST_SUBJECT = 255
LONGEST_TOKEN = 100_000


class BadToken(Exception):
    """The token must not be believed; the text says which check it failed."""


def checked(
    token: Any, about: Metadata, client_id: str, *, nonce: str | None, access_token: str, now: datetime
) -> dict[str, Any]:
    """The claims of an ID token that passed every check; `nonce` None waives that one alone.

    Raises BadToken, and Unreachable or Unusable where the keys cannot be had.
    """
    if not isinstance(token, str) or not token or len(token) > LONGEST_TOKEN:
        raise BadToken("no id_token")
    header = _header(token)
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise BadToken("algorithm")
    if str(header.get("typ", "JWT")).upper() != "JWT" or not isinstance(kid, str | None):
        raise BadToken("header")
    key = discovery.key(about, kid, algorithm)
    if key is None:
        raise BadToken("unknown key")
    try:
        claims = jwt.decode(token, key, algorithms=[algorithm]).claims
    except (JoseError, ValueError, RecursionError) as fault:
        raise BadToken("signature") from fault
    _check_parties(claims, about.issuer, client_id)
    _check_times(claims, now)
    if nonce is not None and not same(claims.get("nonce"), nonce):
        raise BadToken("nonce")
    if "at_hash" in claims and not same(claims["at_hash"], _half_hash(access_token)):
        raise BadToken("at_hash")
    subject(claims.get("sub"))
    return dict(claims)


def subject(given: Any) -> str:
    """A subject as it may be stored: up to 255 printable ASCII characters (OpenID Connect Core §2). Raises BadToken."""
    if not isinstance(given, str) or not given.strip() or len(given) > LONGEST_SUBJECT:
        raise BadToken("subject")
    if not given.isascii() or not given.isprintable():
        raise BadToken("subject")
    return given


def same(given: Any, expected: str) -> bool:
    """Whether a value that came from outside is the expected one; compares in constant time."""
    if not isinstance(given, str) or not given or not expected:
        return False
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _header(token: str) -> Mapping[str, Any]:
    if token.count(".") != 2:
        raise BadToken("not a signed token")
    part = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error, RecursionError) as fault:
        raise BadToken("header") from fault
    if not isinstance(header, dict):
        raise BadToken("header")
    return header


def _check_parties(claims: Mapping[str, Any], issuer: str, client_id: str) -> None:
    if claims.get("iss") != issuer:
        raise BadToken("issuer")
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    if client_id not in listed or not all(isinstance(one, str) for one in listed):
        raise BadToken("audience")
    party = claims.get("azp")
    if (party is not None or len(listed) > 1) and party != client_id:
        raise BadToken("authorized party")


def _check_times(claims: Mapping[str, Any], now: datetime) -> None:
    seconds, leeway = now.timestamp(), LEEWAY.total_seconds()
    if _number(claims, "exp") <= seconds - leeway:
        raise BadToken("expired")
    if _number(claims, "iat") > seconds + leeway:
        raise BadToken("issued in the future")
    if "nbf" in claims and _number(claims, "nbf") > seconds + leeway:
        raise BadToken("not valid yet")


def _number(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadToken(name)
    if isinstance(value, float) and not math.isfinite(value):
        raise BadToken(name)
    return value


def _half_hash(access_token: str) -> str:
    # All accepted algorithms use SHA-256.
    digest = hashlib.sha256(access_token.encode(errors="replace")).digest()
    return base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
