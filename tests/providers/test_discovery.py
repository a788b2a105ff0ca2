"""What a provider says of itself is checked before anybody is sent there."""

import gzip
import json
import time
from typing import Any

import pytest
from flask import Flask

from portal.providers import discovery, network, presets
from portal.providers.discovery import Unreachable, Unusable
from tests.support.clock import FrozenClock
from tests.twins.openid import ABSENT, OpenIdTwin, ec_key, rsa_key
from tests.twins.web import Answer

pytestmark = [pytest.mark.sqlite_only, pytest.mark.usefixtures("app")]


def test_what_is_found(openid: OpenIdTwin) -> None:
    found = discovery.metadata(openid.issuer)
    assert (found.issuer, found.authorize_url) == (openid.url, f"{openid.url}/authorize")
    assert found.end_session_url == f"{openid.url}/end"
    assert (found.names_itself, found.token_auth) == (True, "client_secret_basic")
    assert len(discovery.keys(found)) == 3


FAULTS: dict[str, dict[str, Any]] = {
    "another issuer": {"issuer": "https://other.example"},
    "no issuer": {"issuer": ABSENT},
    "issuer null": {"issuer": None},
    "issuer a list": {"issuer": ["x"]},
    "no authorization endpoint": {"authorization_endpoint": ABSENT},
    "authorization endpoint a number": {"authorization_endpoint": 5},
    "authorization endpoint over http": {"authorization_endpoint": "http://provider.example/authorize"},
    "authorization endpoint a script": {"authorization_endpoint": "javascript:alert(1)"},
    "no token endpoint": {"token_endpoint": ABSENT},
    "token endpoint over http": {"token_endpoint": "http://provider.example/token"},
    "token endpoint with a name in it": {"token_endpoint": "https://a:b@provider.example/token"},
    "token endpoint of odd signs": {"token_endpoint": "https://provider.example/to\nken"},
    "no keys": {"jwks_uri": ABSENT},
    "keys in a file": {"jwks_uri": "file:///etc/passwd"},
    "user info over http": {"userinfo_endpoint": "http://provider.example/userinfo"},
    "end of the session over http": {"end_session_endpoint": "http://provider.example/end"},
    "shared secrets alone": {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    "algorithms no list": {"id_token_signing_alg_values_supported": "RS256"},
    "no code flow": {"response_types_supported": ["id_token"]},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_not_used(openid: OpenIdTwin, fault: str) -> None:
    openid.behave(metadata=FAULTS[fault])
    with pytest.raises(Unusable) as caught:
        discovery.metadata(openid.issuer)
    assert caught.value.reason.endswith(".")


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:6379/", "HTTP://localhost/", "http://[::1]:9200/x"])
def test_a_provider_elsewhere_sends_us_to_no_service_of_this_machine(
    app: Flask, monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    issuer = "https://provider.example"
    ends = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    said = {"issuer": issuer, **{one: f"{issuer}/{one}" for one in ends}, name: url}
    monkeypatch.setattr(discovery, "fetch_object", lambda _url: said)
    discovery.forget()
    with pytest.raises(Unusable):
        discovery.metadata(issuer)
    said[name] = f"{issuer}/{name}"
    assert discovery.metadata(issuer).token_url == f"{issuer}/token_endpoint"
    discovery.forget()


@pytest.mark.parametrize("ending", ["/", "/other", "#x"])
def test_the_issuer_is_compared_exactly(openid: OpenIdTwin, ending: str) -> None:
    with pytest.raises(Unusable):
        discovery.metadata(openid.issuer + ending)


def test_an_issuer_that_ends_in_a_slash(openid: OpenIdTwin) -> None:
    openid.behave(metadata={"issuer": f"{openid.url}/"})
    assert discovery.metadata(f"{openid.url}/").issuer == f"{openid.url}/"
    assert openid.to(discovery.PATH)


@pytest.mark.parametrize(
    "issuer",
    [
        "http://provider.example",
        "http://10.0.0.1",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "file:///etc",
        "ftp://127.0.0.1",
        "",
        "provider.example",
        "https://",
        "https://a@provider.example",
        "https://provider.example\\@other.example",
        "https://provider.example:99999",
        "https://[::1",
        "https://provider.exämple",
    ],
)
def test_addresses_that_are_not_asked(issuer: str) -> None:
    assert not network.is_safe(issuer)
    with pytest.raises(Unusable):
        discovery.metadata(issuer)


@pytest.mark.parametrize("url", ["https://provider.example/x?y=1", "http://127.0.0.1:5000", "http://localhost:1/a"])
def test_addresses_that_may_be_asked(url: str) -> None:
    assert network.is_safe(url)


def test_a_silent_provider_is_given_up(openid: OpenIdTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SECONDS", 0.2)
    openid.slow[discovery.PATH] = 30
    started = time.monotonic()
    with pytest.raises(Unreachable, match="did not answer within"):
        discovery.metadata(openid.issuer)
    assert time.monotonic() - started < 5


def test_an_answer_that_trickles_in_is_given_up(openid: OpenIdTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SECONDS", 0.3)
    openid.answers[discovery.PATH] = Answer({"issuer": openid.url * 100}, pause=0.05)
    started = time.monotonic()
    with pytest.raises(Unreachable, match="did not answer within"):
        discovery.metadata(openid.issuer)
    assert time.monotonic() - started < 5


def test_a_refused_connection(openid: OpenIdTwin) -> None:
    openid.stop()
    with pytest.raises(Unreachable, match="cannot be reached"):
        discovery.metadata(openid.issuer)


@pytest.mark.parametrize(
    ("answer", "raised", "words"),
    [
        (Answer("", 500), Unreachable, "trouble of its own"),
        (Answer({}, 404), Unusable, "answered 404"),
        (Answer("<html>"), Unusable, "not JSON"),
        (Answer([]), Unusable, "not what was expected"),
        (Answer("null"), Unusable, "not what was expected"),
        (Answer({"x": "x" * 1_000_001}), Unusable, "too long"),
        (Answer(status=302, headers={"Location": "/jwks"}), Unusable, "another address"),
        (Answer(b"\x1f\x8brubbish", headers={"Content-Encoding": "gzip"}), Unreachable, "cannot be reached"),
    ],
)
def test_answers_of_no_use(openid: OpenIdTwin, answer: Answer, raised: type[Exception], words: str) -> None:
    openid.answers[discovery.PATH] = answer
    with pytest.raises(raised, match=words):
        discovery.metadata(openid.issuer)
    assert not openid.to("/jwks"), "no redirect is followed"


def test_kept_for_ten_minutes(openid: OpenIdTwin, frozen_clock: FrozenClock) -> None:
    for minutes, asked in ((0, 1), (9, 1), (1, 2)):
        frozen_clock.move(minutes=minutes)
        discovery.metadata(openid.issuer)
        assert len(openid.to(discovery.PATH)) == asked
    discovery.metadata(openid.issuer, fresh=True)
    assert len(openid.to(discovery.PATH)) == 3


@pytest.mark.parametrize("size", [1, 500_000, 900_000])
def test_packed_answers(openid: OpenIdTwin, size: int) -> None:
    openid.answers["/packed"] = Answer(
        gzip.compress(json.dumps({"x": "x" * size}).encode()), headers={"Content-Encoding": "gzip"}
    )
    assert len(network.fetch_object(f"{openid.url}/packed")["x"]) == size


def test_an_answer_that_unpacks_to_too_much(openid: OpenIdTwin) -> None:
    openid.answers["/packed"] = Answer(gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"})
    with pytest.raises(Unusable, match="too long"):
        network.fetch(f"{openid.url}/packed")


def test_a_refusal_is_not_kept(openid: OpenIdTwin) -> None:
    openid.behave(metadata={"issuer": "https://other.example"})
    with pytest.raises(Unusable):
        discovery.metadata(openid.issuer)
    openid.behave()
    assert discovery.metadata(openid.issuer)


def test_a_key_that_was_withdrawn_is_forgotten(openid: OpenIdTwin, frozen_clock: FrozenClock) -> None:
    about = discovery.metadata(openid.issuer)
    assert discovery.key(about, "first", "RS256")
    openid.rotate()
    assert discovery.key(about, "first", "RS256")
    frozen_clock.move(minutes=10)
    assert discovery.key(about, "first", "RS256") is None
    assert discovery.key(about, "second", "RS256")


def test_unknown_keys_are_asked_for_once_a_minute(openid: OpenIdTwin, frozen_clock: FrozenClock) -> None:
    about = discovery.metadata(openid.issuer)
    for _ in range(20):
        assert discovery.key(about, "unknown", "RS256") is None
    assert len(openid.to("/jwks")) == 1
    frozen_clock.move(seconds=60)
    assert discovery.key(about, "unknown", "RS256") is None
    assert len(openid.to("/jwks")) == 2


@pytest.mark.parametrize(
    ("kid", "algorithm"), [("first", "ES256"), ("first", "PS256"), ("first-ec", "RS256"), ("", "RS256")]
)
def test_keys_that_do_not_fit(openid: OpenIdTwin, kid: str, algorithm: str) -> None:
    assert discovery.key(discovery.metadata(openid.issuer), kid, algorithm) is None


GOOD = dict(rsa_key("first").as_dict(private=False))
USELESS = [
    None,
    "x",
    [],
    {},
    {"kty": "oct", "k": "c2VjcmV0", "kid": "first"},
    {"kty": "RSA", "kid": "first"},
    {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "first"},
    {"kty": "RSA", "n": 5, "e": "AQAB", "kid": "first"},
    {"kty": "RSA", "n": "!!", "e": "AQAB", "kid": "first"},
    {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA", "kid": "first"},
    {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA", "kid": "first"},
    {"kty": ["RSA"]},
    {**GOOD, "use": "enc"},
    {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "first"},
]


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("key", USELESS)
def test_keys_of_no_use_are_passed_over(openid: OpenIdTwin, key: Any) -> None:
    about = discovery.metadata(openid.issuer)
    openid.answers["/jwks"] = Answer({"keys": [key]})
    with pytest.raises(Unusable, match="no key"):
        discovery.keys(about)
    openid.answers["/jwks"] = Answer({"keys": [key, {**ec_key("other").as_dict(private=False)}]})
    assert [one.kid for one in discovery.keys(about)] == ["other"]


@pytest.mark.parametrize("keys", [{}, {"keys": None}, {"keys": {}}, {"keys": []}])
def test_no_keys_at_all(openid: OpenIdTwin, keys: Any) -> None:
    openid.answers["/jwks"] = Answer(keys)
    with pytest.raises(Unusable, match="no key"):
        discovery.keys(discovery.metadata(openid.issuer))


def test_somebody_answers(openid: OpenIdTwin) -> None:
    network.reachable(f"{openid.url}/nothing-here")
    openid.answers["/moved"] = Answer(status=302, headers={"Location": "/"})
    network.reachable(f"{openid.url}/moved")
    with pytest.raises(Unusable):
        network.reachable("http://provider.example")
    openid.stop()
    with pytest.raises(Unreachable):
        network.reachable(openid.url)


def test_passwords_of_this_machine_are_not_sent_along(
    openid: OpenIdTwin, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login operator password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    discovery.metadata(openid.issuer)
    network.reachable(openid.url)
    assert all("authorization" not in sent.headers for sent in openid.sent)


@pytest.mark.parametrize("preset", presets.PRESETS.values(), ids=str)
def test_presets(preset: presets.Preset) -> None:
    assert preset.kind in ("oidc", "oauth2")
    addresses = (preset.authorize_url, preset.token_url, preset.userinfo_url)
    assert all(map(network.is_safe, filter(None, addresses)))
    assert all(addresses) == (preset.kind == "oauth2")
    assert not preset.issuer or network.is_safe(preset.issuer.replace(presets.TENANT, "tenant"))
    assert not preset.waives or (preset.waives_because and not preset.may_be_trusted)
    assert "email" in preset.claims
    assert max(len(preset.mark), len(preset.name), len(preset.kind)) <= 20


def test_who_is_never_trusted_for_addresses() -> None:
    assert {name for name, preset in presets.PRESETS.items() if not preset.may_be_trusted} == {
        "entra",
        "linkedin",
        "facebook",
    }
