"""An OpenID provider on the loopback interface that behaves as a test tells it to, faults included."""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote, urlencode, urljoin, urlsplit

import requests
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc.jwk import ECKey, RSAKey
from werkzeug.test import TestResponse

from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.providers import discovery
from portal.providers.models import Provider
from portal.settings.queries import ring
from tests.support.clients import Client
from tests.support.pages import Page
from tests.twins.web import Answer, Sent, WebTwin, redirect


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
CLIENT_ID, CLIENT_SECRET = "portal", "s3cret/with+signs"


@cache
def rsa_key(kid: str) -> RSAKey:
    """A signing key; made once per run."""
    return RSAKey.generate_key(2048, {"kid": kid})


@cache
def ec_key(kid: str) -> ECKey:
    """A signing key of the other kind."""
    return ECKey.generate_key("P-256", {"kid": kid})


@dataclass
class Behaviour:
    """How the provider answers. Dictionaries are laid over the usual answer; the value ABSENT takes a name out.

    `metadata`, `token` (the token endpoint's answer), `claims` (of the ID token), `userinfo`, `callback` (query of the
    return), `header` (of the ID token). `algorithm`: RS256, PS256, ES256, `none` or `HS256` (with the public key as
    the secret). `error`: the person is sent back with it. `says_iss`: RFC 9207. `in_id_token`: whether the profile
    stands in the ID token or in the user info alone.
    """

    metadata: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    callback: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    algorithm: str = "RS256"
    error: str = ""
    says_iss: bool = True
    in_id_token: bool = True


def laid_over(usual: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`usual` with `changes`, those ABSENT taken out."""
    return {name: value for name, value in {**usual, **changes}.items() if value is not ABSENT}


class OpenIdTwin(WebTwin):
    """The provider. Whoever comes is signed in as `user` at once: `twin.user = twin.person("anna")`."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.kid = "first"
        self.user: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self._tokens: dict[str, dict[str, Any]] = {}
        super().__init__()
        self.user = self.person("anna", given_name="Anna", family_name="Ford")

    @property
    def issuer(self) -> str:
        return self.url

    @staticmethod
    def person(sub: Any, **claims: Any) -> dict[str, Any]:
        """Somebody who has an account there, with a verified address unless told otherwise."""
        return laid_over({"sub": sub, "email": f"{sub}@example.org", "email_verified": True}, claims)

    def behave(self, **changes: Any) -> None:
        """Behave anew from now on; what is not named is as usual."""
        self.behaviour = Behaviour(**changes)

    def rotate(self, kid: str = "second") -> None:
        """Sign with another key from now on, and publish that one alone."""
        self.kid = kid

    def answer(self, sent: Sent) -> Answer:
        pages = {
            discovery.PATH: self._metadata,
            "/authorize": self._authorize,
            "/token": self._token,
            "/userinfo": self._userinfo,
            "/jwks": self._keys,
            "/end": lambda sent: redirect(sent.query.get("post_logout_redirect_uri", "/")),
        }
        page = pages.get(sent.path)
        return page(sent) if page else Answer({}, 404)

    def _metadata(self, _sent: Sent) -> Answer:
        usual = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/end",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "PS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": self.behaviour.says_iss,
        }
        return Answer(laid_over(usual, self.behaviour.metadata))

    def _keys(self, _sent: Sent) -> Answer:
        published = [dict(rsa_key(self.kid).as_dict(private=False), use="sig", alg="RS256")]
        published.append(dict(rsa_key(f"{self.kid}-ps").as_dict(private=False), use="sig"))
        published.append(dict(ec_key(f"{self.kid}-ec").as_dict(private=False), use="sig"))
        return Answer({"keys": published})

    def _authorize(self, sent: Sent) -> Answer:
        asked = sent.query
        returned: dict[str, Any] = {"state": asked.get("state", "")}
        if self.behaviour.says_iss:
            returned["iss"] = self.issuer
        if self.behaviour.error:
            returned["error"] = self.behaviour.error
        else:
            returned["code"] = secrets.token_urlsafe(16)
            self._codes[returned["code"]] = asked
        query = urlencode(laid_over(returned, self.behaviour.callback))
        return redirect(f"{asked['redirect_uri']}?{query}")

    def _token(self, sent: Sent) -> Answer:
        asked = self._codes.pop(sent.form.get("code", ""), None)
        if not _is_client(sent):
            return Answer({"error": "invalid_client"}, 401)
        if asked is None or sent.form.get("redirect_uri") != asked.get("redirect_uri") or not _proves(sent, asked):
            return Answer({"error": "invalid_grant"}, 400)
        access_token = secrets.token_urlsafe(16)
        self._tokens[access_token] = self.user
        usual = {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self._id_token(asked, access_token),
        }
        return Answer(laid_over(usual, self.behaviour.token))

    def _id_token(self, asked: dict[str, str], access_token: str) -> str:
        now = int(clock.now().timestamp())
        usual = {
            **(self.user if self.behaviour.in_id_token else {"sub": self.user.get("sub", ABSENT)}),
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": asked.get("nonce", ABSENT),
            "at_hash": _b64(hashlib.sha256(access_token.encode()).digest()[:16]),
        }
        claims = laid_over(laid_over(usual, {}), self.behaviour.claims)
        return signed(claims, self.behaviour.algorithm, self.kid, self.behaviour.header)

    def _userinfo(self, sent: Sent) -> Answer:
        user = self._tokens.get(sent.headers.get("authorization", "").removeprefix("Bearer "))
        return Answer({}, 401) if user is None else Answer(laid_over(user, self.behaviour.userinfo))


def signed(claims: dict[str, Any], algorithm: str, kid: str, header: dict[str, Any]) -> str:
    """An ID token, also in the ways in which none may be signed."""
    kid = {"PS256": f"{kid}-ps", "ES256": f"{kid}-ec"}.get(algorithm, kid)
    parts = [laid_over({"alg": algorithm, "kid": kid, "typ": "JWT"}, header), claims]
    text = ".".join(_b64(json.dumps(part).encode()) for part in parts)
    return f"{text}.{_b64(_signature(text.encode(), algorithm, kid))}"


def _signature(text: bytes, algorithm: str, kid: str) -> bytes:
    if algorithm == "none":
        return b""
    if algorithm == "HS256":
        return hmac.new(rsa_key(kid).as_pem(private=False), text, "sha256").digest()
    if algorithm == "ES256":
        r, s = decode_dss_signature(ec_key(kid).private_key.sign(text, ECDSA(SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    padding = PSS(MGF1(SHA256()), 32) if algorithm == "PS256" else PKCS1v15()
    return rsa_key(kid).private_key.sign(text, padding, SHA256())


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _is_client(sent: Sent) -> bool:
    given = sent.form.get("client_id", ""), sent.form.get("client_secret", "")
    if basic := sent.headers.get("authorization", "").removeprefix("Basic "):
        name, _, secret = base64.b64decode(basic).decode().partition(":")
        given = unquote(name), unquote(secret)
    return given == (CLIENT_ID, CLIENT_SECRET)


def _proves(sent: Sent, asked: dict[str, str]) -> bool:
    challenge = asked.get("code_challenge")
    if challenge is None:
        return "code_verifier" not in sent.form
    digest = hashlib.sha256(sent.form.get("code_verifier", "").encode()).digest()
    return _b64(digest) == challenge


def add_provider(twin: WebTwin, slug: str = "openid", **more: Any) -> Provider:
    """A provider record that leads to the twin, saved; `more` replaces fields."""
    now = clock.now()
    usual: dict[str, Any] = {
        "preset": "oidc",
        "kind": "oidc",
        "caption": slug.title(),
        "mark": "key",
        "issuer": twin.url,
        "client_id": CLIENT_ID,
        "secret_sealed": ring().seal(CLIENT_SECRET, f"provider:{slug}"),
        "scopes": "openid email profile",
        "trusted_for_email": True,
    }
    with transaction():
        made = Provider(slug=slug, created_at=now, updated_at=now, **{**usual, **more})
        db.session.add(made)
        db.session.flush()
        number = made.id
    return db.session.get_one(Provider, number)


def at_provider(response: TestResponse) -> str:
    """Where our start page sends the browser: a page that forwards, htmx's header or a redirect."""
    for name in ("HX-Redirect", "Location"):
        if name in response.headers:
            return response.headers[name]
    assert response.status_code == 200, response.status
    refresh = Page(response).first("meta", http_equiv="refresh").attrs["content"]
    return re.split("url=", refresh, maxsplit=1, flags=re.IGNORECASE)[1].strip("'\"")


def sign_in_at(browser: Client, response: TestResponse) -> str:
    """Go to the provider from our start page, as a browser without JavaScript does, and come back: path and query of
    our callback, which nobody has opened yet."""
    url = at_provider(response)
    if not urlsplit(url).netloc:
        url = at_provider(browser.get(url))
    for _ in range(5):
        answer = requests.get(url, allow_redirects=False, timeout=5)
        assert answer.is_redirect, f"{url}: {answer.status_code} {answer.text[:200]}"
        parts = urlsplit(url := urljoin(url, answer.headers["Location"]))
        if parts.path.endswith("/callback"):
            return f"{parts.path}?{parts.query}"
    raise AssertionError("the provider never sent the browser back")


@contextmanager
def running() -> Iterator[OpenIdTwin]:
    """The provider, until the block ends; nothing of an earlier one is remembered."""
    discovery.forget()
    twin = OpenIdTwin()
    try:
        yield twin
    finally:
        twin.stop()
        discovery.forget()
