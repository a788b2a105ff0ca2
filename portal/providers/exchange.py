"""One sign-in at a provider: the address to send a browser to, and what its return proves."""

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from requests import RequestException

from portal.kernel.secrets_ import new_secret
from portal.providers import discovery, network, presets, tokens
from portal.providers.claims import Claims, Configured, names_of, person, read
from portal.providers.discovery import Metadata
from portal.providers.network import Trouble, Unusable
from portal.providers.tokens import LEEWAY, BadToken, same

LASTS = timedelta(minutes=10)
_ERROR = re.compile(r"[a-z_]{1,50}")
_THEIR_TROUBLE = ("server_error", "temporarily_unavailable")
_OUR_SETTINGS = ("invalid_client", "unauthorized_client", "incorrect_client_credentials", "redirect_uri_mismatch")


class Ended(Exception):
    """A sign-in at a provider that came to nothing; `reason` is for the log, never for the page."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Denied(Ended):
    """The provider sent the person back with an error, mostly `access_denied`: they said no."""


class Faulty(Ended):
    """The return failed a check, or is not the answer to what this browser asked: 400, nothing is believed."""


class Away(Ended):
    """The provider cannot be asked, has trouble of its own, or does not accept this site's settings: 503."""


@dataclass(frozen=True)
class Started:
    """`url` is where the browser goes; `kept` (JSON) stays in the server session under `state` until it comes back."""

    url: str
    kept: dict[str, Any]

    @property
    def state(self) -> str:
        """What the callback will carry."""
        return str(self.kept["state"])


@dataclass(frozen=True)
class _Endpoints:
    authorize: str
    token: str
    userinfo: str | None
    token_auth: str


def begin(provider: Configured, redirect_uri: str, now: datetime, *, again: bool = False) -> Started:
    """Start a sign-in. Raises Away.

    `again` asks that they sign in there anew, to prove who they are; only an OpenID provider can be asked that.
    """
    ends = _endpoints(provider)
    kept: dict[str, Any] = {
        "provider": provider.slug,
        "issuer": provider.issuer,
        "state": new_secret(),
        "started_at": int(now.timestamp()),
    }
    extra: dict[str, str] = {}
    if provider.kind == presets.OIDC and presets.NONCE not in provider.waives:
        extra["nonce"] = kept["nonce"] = new_secret()
    if provider.kind == presets.OIDC and again:
        extra["max_age"] = "0"
        kept["again"] = True
    verifier = None
    if presets.PKCE not in provider.waives:
        verifier = kept["verifier"] = new_secret()
    with _session(provider, None, redirect_uri, ends) as session:
        url, _state = session.create_authorization_url(
            ends.authorize, state=kept["state"], code_verifier=verifier, **extra
        )
    return Started(url, kept)


def finish(
    provider: Configured,
    secret: str | None,
    redirect_uri: str,
    kept: Mapping[str, Any],
    args: Mapping[str, str],
    now: datetime,
) -> Claims:
    """Who came back, checked. `kept` is what `begin` gave, taken out of the session by the caller before it calls:
    a state is used once, whatever comes of it. `args` is the query of the callback.

    Raises Denied, Faulty or Away.
    """
    _check_return(provider, kept, args, now)
    ends = _endpoints(provider)
    _check_sender(provider, args)
    if "error" in args:
        raise _refusal(args["error"])
    if not args.get("code"):
        raise Faulty("no code")
    try:
        with _session(provider, secret, redirect_uri, ends) as session:
            token = _token(session, ends, args["code"], kept)
        if provider.kind == presets.OIDC:
            return _openid(provider, ends, token, kept, now)
        return _oauth2(provider, ends, token["access_token"])
    except BadToken as fault:
        raise Faulty(f"token: {fault}") from fault
    except Trouble as fault:
        raise Away(fault.reason) from fault


def ending(provider: Configured, id_token: str, back_to: str) -> str | None:
    """Where to send a browser that signs out here, so that it is signed out there, too; None where the provider does
    not offer that or cannot be asked."""
    if provider.kind != presets.OIDC or not id_token:
        return None
    try:
        url = discovery.metadata(provider.issuer).end_session_url
    except Trouble:
        return None
    if url is None:
        return None
    sent = {"id_token_hint": id_token, "client_id": provider.client_id, "post_logout_redirect_uri": back_to}
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(sent)}"


def _check_return(provider: Configured, kept: Mapping[str, Any], args: Mapping[str, str], now: datetime) -> None:
    if not same(args.get("state"), str(kept.get("state") or "")):
        raise Faulty("state")
    if kept.get("provider") != provider.slug or kept.get("issuer") != provider.issuer:
        raise Faulty("another provider")
    started = kept.get("started_at")
    if not isinstance(started, int) or not 0 <= int(now.timestamp()) - started <= LASTS.total_seconds():
        raise Faulty("too old")


def _check_sender(provider: Configured, args: Mapping[str, str]) -> None:
    """RFC 9207: an answer of one provider must not be taken for another's."""
    named = args.get("iss")
    required = provider.kind == presets.OIDC and _metadata(provider).names_itself
    if (named is not None or required) and named != provider.issuer:
        raise Faulty("iss")


def _refusal(error: str) -> Ended:
    name = error if _ERROR.fullmatch(error) else "unknown"
    return Away(name) if name in _THEIR_TROUBLE else Denied(name)


def _metadata(provider: Configured) -> Metadata:
    try:
        return discovery.metadata(provider.issuer)
    except Trouble as fault:
        raise Away(fault.reason) from fault


def _endpoints(provider: Configured) -> _Endpoints:
    if provider.kind == presets.OIDC:
        said = _metadata(provider)
        return _Endpoints(said.authorize_url, said.token_url, said.userinfo_url, said.token_auth)
    urls = (provider.authorize_url or "", provider.token_url or "", provider.userinfo_url or "")
    if not all(network.is_safe(url) for url in urls):
        raise Away("an address is missing or not https")
    return _Endpoints(*urls, token_auth="client_secret_post")  # noqa: S106  (the name of a method)


def _session(provider: Configured, secret: str | None, redirect_uri: str, ends: _Endpoints) -> OAuth2Session:
    session = OAuth2Session(
        provider.client_id,
        secret,
        token_endpoint_auth_method=ends.token_auth if secret else "none",
        scope=provider.scopes,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )
    session.register_client_auth_method(("client_secret_basic", _basic))
    network.bound(session)
    return session


def _basic(client: Any, _method: str, uri: str, headers: dict[str, str], body: Any) -> tuple[Any, ...]:
    """Both halves form-encoded first, as RFC 6749 §2.3.1 has it; Authlib does not."""
    pair = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
    headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    return uri, headers, body


def _token(session: OAuth2Session, ends: _Endpoints, code: str, kept: Mapping[str, Any]) -> dict[str, Any]:
    verifier = {"code_verifier": kept["verifier"]} if kept.get("verifier") else {}
    try:
        token = session.fetch_token(
            ends.token, grant_type="authorization_code", code=code, headers={"Accept": "application/json"}, **verifier
        )
    except OAuthError as fault:
        name = fault.error if isinstance(fault.error, str) and _ERROR.fullmatch(fault.error) else "refused"
        if name in _OUR_SETTINGS or name in _THEIR_TROUBLE:
            raise Away(f"token: {name}") from fault
        raise Faulty(f"token: {name}") from fault
    except (RequestException, ArithmeticError, ValueError, TypeError, RecursionError) as fault:
        raise Away("token: not the JSON of a token") from fault
    if not isinstance(token.get("access_token"), str) or str(token.get("token_type", "bearer")).lower() != "bearer":
        raise Faulty("no access token")
    return dict(token)


def _openid(
    provider: Configured, ends: _Endpoints, token: Mapping[str, Any], kept: Mapping[str, Any], now: datetime
) -> Claims:
    waived = presets.NONCE in provider.waives
    told = tokens.checked(
        token.get("id_token"),
        _metadata(provider),
        provider.client_id,
        nonce=None if waived else str(kept.get("nonce") or ""),
        access_token=token["access_token"],
        now=now,
    )
    if kept.get("again"):
        _check_anew(told, kept)
    names = names_of(provider)
    told_subject = told["sub"]
    if ends.userinfo and not (told.get(names["email"]) and person(told, names)[0]):
        more = network.fetch_object(ends.userinfo, bearer=token["access_token"])
        if more.get("sub") != told_subject:
            raise Faulty("userinfo of somebody else")
        # An address and what is said of it come from one place, never half from each.
        about_address = told if told.get(names["email"]) else more
        told = {**more, **told, **_address(about_address, names)}
    return read(provider, told_subject, told, told.get("email_verified") is True, token["id_token"])


def _check_anew(told: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    """They signed in there after they left here. Some providers never say when that was, so that is not required."""
    at = told.get("auth_time")
    if at is None:
        return
    if isinstance(at, bool) or not isinstance(at, int | float) or not at >= kept["started_at"] - LEEWAY.total_seconds():
        raise Faulty("not signed in anew")


def _oauth2(provider: Configured, ends: _Endpoints, access_token: str) -> Claims:
    preset = presets.of(provider.preset)
    told = network.fetch_object(ends.userinfo or "", bearer=access_token)
    given = told.get(preset.subject)
    if isinstance(given, bool) or not isinstance(given, str | int) or given == 0:
        raise Faulty("no subject")
    proven = False
    if preset.emails_path:
        address, proven = _primary(f"{ends.userinfo}{preset.emails_path}", access_token)
        told = {**told, names_of(provider)["email"]: address or told.get("email")}
    return read(provider, tokens.subject(str(given)), told, proven, "")


def _primary(url: str, access_token: str) -> tuple[str, bool]:
    """The primary address of a list as GitHub gives it, and whether it was verified there."""
    try:
        listed = network.fetch(url, bearer=access_token)
    except Unusable:  # the list was not granted; the sign-in itself is good
        return "", False
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("primary") is True and isinstance(entry.get("email"), str):
            return entry["email"], entry.get("verified") is True
    return "", False


def _address(told: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names["email"]: told.get(names["email"]), "email_verified": told.get("email_verified")}
