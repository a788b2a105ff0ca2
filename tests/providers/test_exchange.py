"""What a return from a provider must pass before anybody is believed."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from flask import Flask

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.providers import discovery, exchange, network
from portal.providers.claims import Claims
from portal.providers.exchange import Away, Denied, Faulty, Started
from portal.providers.models import Provider
from portal.providers.queries import secret
from tests.support.clock import FrozenClock
from tests.twins.github import GitHubTwin
from tests.twins.openid import ABSENT, OpenIdTwin, add_provider
from tests.twins.web import Answer

pytestmark = pytest.mark.sqlite_only
BACK = "http://localhost/sign-in/openid/callback"


@pytest.fixture
def provider(app: Flask, openid: OpenIdTwin) -> Provider:
    return add_provider(openid)


def change(provider: Provider, **fields: Any) -> None:
    with transaction():
        for name, value in fields.items():
            setattr(provider, name, value)


def begun(provider: Provider) -> Started:
    return exchange.begin(provider, BACK, clock.now())


def returned(started: Started) -> dict[str, str]:
    answer = requests.get(started.url, allow_redirects=False, timeout=5)
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def finished(provider: Provider, started: Started, args: dict[str, str] | None = None, **more: Any) -> Claims:
    args = returned(started) if args is None else args
    given = {"secret": secret(provider), "redirect_uri": BACK, "kept": started.kept, "now": clock.now(), **more}
    return exchange.finish(provider, args=args, **given)


def signed_in(provider: Provider) -> Claims:
    return finished(provider, begun(provider))


def test_a_good_sign_in(provider: Provider, openid: OpenIdTwin) -> None:
    openid.user = openid.person("anna", given_name="Anna", family_name="Ford", locale="de-AT")
    claims = signed_in(provider)
    assert (claims.issuer, claims.subject, claims.email) == (openid.issuer, "anna", "anna@example.org")
    assert (claims.first_name, claims.last_name, claims.language) == ("Anna", "Ford", "de")
    assert claims.email_proven
    assert claims.id_token not in repr(claims)


def test_what_the_browser_carries(provider: Provider) -> None:
    started = begun(provider)
    asked = dict(parse_qsl(urlsplit(started.url).query))
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert (asked["redirect_uri"], asked["state"], asked["nonce"]) == (BACK, started.state, started.kept["nonce"])
    assert started.kept["verifier"] not in started.url
    again = begun(provider).kept
    assert all(again[name] != started.kept[name] for name in ("state", "nonce", "verifier"))


@pytest.mark.parametrize("state", [None, "", "foreign", "ü", "x" * 10_000])
def test_a_state_that_this_browser_never_had(provider: Provider, openid: OpenIdTwin, state: str | None) -> None:
    started = begun(provider)
    args = {**returned(started), "state": state or ""}
    if state is None:
        del args["state"]
    with pytest.raises(Faulty, match="state"):
        finished(provider, started, args)
    assert not openid.to("/token")


def test_an_empty_state_is_not_the_one_that_nobody_kept(provider: Provider) -> None:
    started = begun(provider)
    with pytest.raises(Faulty, match="state"):
        finished(provider, started, {**returned(started), "state": ""}, kept={})


def test_old_returns(provider: Provider, frozen_clock: FrozenClock) -> None:
    started = begun(provider)
    args = returned(started)
    frozen_clock.move(minutes=10, seconds=1)
    with pytest.raises(Faulty, match="too old"):
        finished(provider, started, args)
    with pytest.raises(Faulty, match="too old"):
        finished(provider, started, args, now=clock.now() - timedelta(hours=1))


def test_just_in_time(provider: Provider, frozen_clock: FrozenClock) -> None:
    started = begun(provider)
    args = returned(started)
    frozen_clock.move(minutes=10)
    assert finished(provider, started, args).subject == "anna"


def test_the_return_of_another_provider(provider: Provider, openid: OpenIdTwin) -> None:
    other = add_provider(openid, "other")
    started = begun(other)
    with pytest.raises(Faulty, match="another provider"):
        finished(provider, started)


def test_a_provider_that_changed_meanwhile(provider: Provider) -> None:
    started = begun(provider)
    args = returned(started)
    change(provider, issuer="http://127.0.0.1:9")
    with pytest.raises(Faulty, match="another provider"):
        finished(provider, started, args)


@pytest.mark.parametrize("iss", [ABSENT, "", "https://other.example", "http://127.0.0.1"])
def test_the_return_names_another_issuer_or_none(provider: Provider, openid: OpenIdTwin, iss: Any) -> None:
    openid.behave(callback={"iss": iss})
    with pytest.raises(Faulty, match="iss"):
        signed_in(provider)
    assert not openid.to("/token")


def test_iss_is_compared_even_where_it_is_not_promised(provider: Provider, openid: OpenIdTwin) -> None:
    openid.behave(says_iss=False)
    assert signed_in(provider).subject == "anna"
    openid.behave(says_iss=False, callback={"iss": "https://other.example"})
    with pytest.raises(Faulty, match="iss"):
        signed_in(provider)


TOKEN_FAULTS = {
    "wrong issuer": {"claims": {"iss": "https://other.example"}},
    "issuer with a slash more": {"claims": {"iss": "http://127.0.0.1/"}},
    "no issuer": {"claims": {"iss": ABSENT}},
    "wrong audience": {"claims": {"aud": "another"}},
    "no audience": {"claims": {"aud": ABSENT}},
    "empty audience": {"claims": {"aud": []}},
    "several, no azp": {"claims": {"aud": ["portal", "another"]}},
    "several, wrong azp": {"claims": {"aud": ["portal", "another"], "azp": "another"}},
    "wrong azp": {"claims": {"azp": "another"}},
    "audience of odd types": {"claims": {"aud": ["portal", None], "azp": "portal"}},
    "wrong nonce": {"claims": {"nonce": "another"}},
    "no nonce": {"claims": {"nonce": ABSENT}},
    "empty nonce": {"claims": {"nonce": ""}},
    "nonce of an odd type": {"claims": {"nonce": ["x"]}},
    "algorithm none": {"algorithm": "none"},
    "algorithm NONE": {"algorithm": "none", "header": {"alg": "NONE"}},
    "HS256 with the public key": {"algorithm": "HS256"},
    "no algorithm": {"algorithm": "none", "header": {"alg": ABSENT}},
    "no subject": {"claims": {"sub": ABSENT}},
    "empty subject": {"claims": {"sub": ""}},
    "blank subject": {"claims": {"sub": "  "}},
    "subject null": {"claims": {"sub": None}},
    "subject a number": {"claims": {"sub": 17}},
    "subject a list": {"claims": {"sub": ["anna"]}},
    "subject too long": {"claims": {"sub": "a" * 256}},
    "subject with NUL": {"claims": {"sub": "an\0na"}},
    "subject with a lone surrogate": {"claims": {"sub": "an\ud800na"}},
    "subject not ASCII": {"claims": {"sub": "änna"}},
    "no expiry": {"claims": {"exp": ABSENT}},
    "expiry a text": {"claims": {"exp": "9999999999"}},
    "expiry true": {"claims": {"exp": True}},
    "expiry NaN": {"claims": {"exp": float("nan")}},
    "expiry infinite": {"claims": {"exp": float("inf")}},
    "no time of issue": {"claims": {"iat": ABSENT}},
    "issued tomorrow": {"claims": {"iat": int(time.time()) + 90_000}},
    "not valid yet": {"claims": {"nbf": int(time.time()) + 90_000}},
    "wrong at_hash": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "at_hash of an odd type": {"claims": {"at_hash": None}},
    "no ID token": {"token": {"id_token": ABSENT}},
    "ID token null": {"token": {"id_token": None}},
    "ID token empty": {"token": {"id_token": ""}},
    "ID token a number": {"token": {"id_token": 17}},
    "ID token rubbish": {"token": {"id_token": "rubbish"}},
    "ID token rubbish in three parts": {"token": {"id_token": "e30.e30.e30"}},
    "ID token not base64": {"token": {"id_token": "ü.ü.ü"}},
    "ID token encrypted": {"token": {"id_token": "e30.e30.e30.e30.e30"}},
    "header a list": {"token": {"id_token": "W10.e30.e30"}},
    "unknown key": {"header": {"kid": "unknown"}},
    "key id a number": {"header": {"kid": 17}},
    "several keys fit": {"header": {"kid": ABSENT}},
    "unknown critical extension": {"header": {"crit": ["x"], "x": 1}},
    "a logout token": {"header": {"typ": "logout+jwt"}},
    "no access token": {"token": {"access_token": ABSENT}},
    "access token a number": {"token": {"access_token": 17}},
    "another kind of token": {"token": {"token_type": "mac"}},
}


@pytest.mark.parametrize("fault", TOKEN_FAULTS)
def test_tokens_that_are_not_believed(provider: Provider, openid: OpenIdTwin, fault: str) -> None:
    openid.behave(**TOKEN_FAULTS[fault])
    with pytest.raises(Faulty):
        signed_in(provider)


def test_a_token_that_was_altered(provider: Provider, openid: OpenIdTwin) -> None:
    good = signed_in(provider).id_token
    header, claims, signature = good.split(".")
    openid.behave(token={"id_token": f"{header}.{claims}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"})
    with pytest.raises(Faulty, match="signature"):
        signed_in(provider)


def test_the_token_of_an_earlier_sign_in(provider: Provider, openid: OpenIdTwin) -> None:
    earlier = signed_in(provider).id_token
    openid.behave(token={"id_token": earlier})
    with pytest.raises(Faulty, match="nonce"):
        signed_in(provider)


def test_a_key_that_the_token_brings_along(provider: Provider, openid: OpenIdTwin) -> None:
    from tests.twins.openid import rsa_key

    openid.behave(header={"kid": "mine", "jwk": rsa_key("mine").as_dict(private=False)})
    with pytest.raises(Faulty, match="key"):
        signed_in(provider)


@pytest.mark.parametrize(("seconds", "good"), [(119, True), (120, False)])
def test_expiry_and_its_leeway(
    provider: Provider, openid: OpenIdTwin, frozen_clock: FrozenClock, seconds: int, good: bool
) -> None:
    openid.behave(claims={"exp": int(clock.now().timestamp()) - seconds})
    if good:
        assert signed_in(provider).subject == "anna"
    else:
        with pytest.raises(Faulty, match="expired"):
            signed_in(provider)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_accepted_algorithms(provider: Provider, openid: OpenIdTwin, algorithm: str) -> None:
    openid.behave(algorithm=algorithm)
    assert signed_in(provider).subject == "anna"


def test_accepted_shapes(provider: Provider, openid: OpenIdTwin) -> None:
    openid.behave(claims={"aud": ["portal", "another"], "azp": "portal", "at_hash": ABSENT}, header={"typ": ABSENT})
    assert signed_in(provider).subject == "anna"


def test_keys_that_were_changed(provider: Provider, openid: OpenIdTwin, frozen_clock: FrozenClock) -> None:
    assert signed_in(provider).subject == "anna"
    openid.rotate()
    with pytest.raises(Faulty, match="unknown key"):
        signed_in(provider)
    assert len(openid.to("/jwks")) == 1, "asked for at most once a minute"
    frozen_clock.move(seconds=61)
    assert signed_in(provider).subject == "anna"
    assert len(openid.to("/jwks")) == 2
    openid.rotate("first")
    assert len(openid.to(discovery.PATH)) == 1, "kept for ten minutes"


VERIFIED = [(True, True), (False, False), ("true", False), ("True", False), (1, False), (None, False), (ABSENT, False)]


@pytest.mark.parametrize("in_id_token", [True, False])
@pytest.mark.parametrize(("value", "proven"), [*VERIFIED, ([True], False), ({"a": 1}, False)])
def test_email_verified(provider: Provider, openid: OpenIdTwin, value: Any, proven: bool, in_id_token: bool) -> None:
    openid.behave(in_id_token=in_id_token)
    openid.user = openid.person("anna", given_name="Anna", email_verified=value)
    claims = signed_in(provider)
    assert (claims.email, claims.email_proven) == ("anna@example.org", proven)


@pytest.mark.parametrize(
    "fields",
    [
        {"trusted_for_email": False},
        {"waives": ["nonce"]},
        {"waives": ["pkce"]},
        {"preset": "entra"},
        {"preset": "linkedin"},
        {"claims": {"email": "upn"}},
    ],
)
def test_addresses_that_are_never_proven(provider: Provider, openid: OpenIdTwin, fields: dict[str, Any]) -> None:
    openid.user = openid.person("anna", given_name="Anna", upn="boss@example.org")
    change(provider, **fields)
    claims = signed_in(provider)
    assert claims.email
    assert not claims.email_proven


def test_an_address_and_what_is_said_of_it_come_from_one_place(provider: Provider, openid: OpenIdTwin) -> None:
    openid.user = openid.person("anna", given_name=ABSENT)
    openid.behave(claims={"email": "boss@example.org", "email_verified": ABSENT})
    claims = signed_in(provider)
    assert openid.to("/userinfo"), "asked for the name"
    assert (claims.email, claims.email_proven) == ("boss@example.org", False)
    openid.behave(claims={"email": ABSENT, "email_verified": True}, userinfo={"email_verified": False})
    assert not signed_in(provider).email_proven


@pytest.mark.parametrize("sub", ["bruno", ABSENT, None, ["anna"]])
def test_the_user_info_of_somebody_else(provider: Provider, openid: OpenIdTwin, sub: Any) -> None:
    openid.behave(in_id_token=False, userinfo={"sub": sub})
    with pytest.raises(Faulty, match="somebody else"):
        signed_in(provider)


def test_user_info_is_asked_for_only_where_it_is_needed(provider: Provider, openid: OpenIdTwin) -> None:
    signed_in(provider)
    assert not openid.to("/userinfo")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"given_name": " Anna\r\nBcc: x\0 "}, "AnnaBcc: x"),
        ({"given_name": "A" * 5000}, "A" * 100),
        ({"given_name": ["Anna"], "name": "Anna Maria Ford"}, "Anna Maria"),
        ({"given_name": ABSENT, "name": "Anna"}, "Anna"),
        ({"given_name": "\ud800", "name": None}, ""),
    ],
)
def test_names_are_cleaned(provider: Provider, openid: OpenIdTwin, told: dict[str, Any], expected: str) -> None:
    openid.user = openid.person("anna", **told)
    assert signed_in(provider).first_name == expected


@pytest.mark.parametrize("email", ["no address", "a@b@c", "x@example.org\r\nBcc: y@z", "", 17, None, ["a@example.org"]])
def test_addresses_that_are_none(provider: Provider, openid: OpenIdTwin, email: Any) -> None:
    openid.user = openid.person("anna", given_name="Anna", email=email)
    claims = signed_in(provider)
    assert (claims.email, claims.email_proven) == ("", False)


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("pt-BR", "pt"), ("en_US", "en"), ({"language": "fr", "country": "FR"}, "fr"), ("x", ""), (5, "")],
)
def test_languages(provider: Provider, openid: OpenIdTwin, locale: Any, language: str) -> None:
    openid.user = openid.person("anna", given_name="Anna", locale=locale)
    assert signed_in(provider).language == language


def test_claims_under_other_names(provider: Provider, openid: OpenIdTwin) -> None:
    change(provider, claims={"first_name": "vorname", "last_name": "nachname"})
    openid.user = openid.person("anna", vorname="Anna", nachname="Furt", given_name="x")
    claims = signed_in(provider)
    assert claims.name == "Anna Furt"


@pytest.mark.parametrize(
    ("error", "raised", "reason"),
    [
        ("access_denied", Denied, "access_denied"),
        ("login_required", Denied, "login_required"),
        ("<script>alert(1)</script>", Denied, "unknown"),
        ("server_error", Away, "server_error"),
        ("temporarily_unavailable", Away, "temporarily_unavailable"),
    ],
)
def test_errors_that_the_browser_brings(
    provider: Provider, openid: OpenIdTwin, error: str, raised: type[exchange.Ended], reason: str
) -> None:
    openid.behave(error=error)
    with pytest.raises(raised) as caught:
        signed_in(provider)
    assert caught.value.reason == reason


def test_an_error_for_another_browser_is_no_answer(provider: Provider) -> None:
    started = begun(provider)
    with pytest.raises(Faulty, match="state"):
        finished(provider, started, {"error": "access_denied", "state": "foreign"})


def test_no_code(provider: Provider, openid: OpenIdTwin) -> None:
    openid.behave(callback={"code": ABSENT})
    with pytest.raises(Faulty, match="no code"):
        signed_in(provider)


def test_a_code_twice(provider: Provider) -> None:
    started = begun(provider)
    args = returned(started)
    finished(provider, started, args)
    with pytest.raises(Faulty, match="invalid_grant"):
        finished(provider, started, args)


def test_the_code_of_another_browser(provider: Provider) -> None:
    mine, theirs = begun(provider), begun(provider)
    with pytest.raises(Faulty, match="invalid_grant"):
        finished(provider, mine, {**returned(mine), "code": returned(theirs)["code"]})


def test_a_wrong_secret_is_not_the_visitors_fault(provider: Provider) -> None:
    with pytest.raises(Away, match="invalid_client"):
        finished(provider, begun(provider), secret="another")


OUTAGES: dict[str, Callable[[OpenIdTwin, str], None]] = {
    "500": lambda twin, path: twin.answers.update({path: Answer("trouble", 500)}),
    "503 as JSON": lambda twin, path: twin.answers.update({path: Answer({"error": "server_error"}, 503)}),
    "429": lambda twin, path: twin.answers.update({path: Answer("slow down", 429)}),
    "not JSON": lambda twin, path: twin.answers.update({path: Answer("<html>")}),
    "not an object": lambda twin, path: twin.answers.update({path: Answer([1, 2])}),
    "deep JSON": lambda twin, path: twin.answers.update({path: Answer("[" * 200_000)}),
    "not UTF-8": lambda twin, path: twin.answers.update({path: Answer(b"\xff\xfe\xff")}),
    "2 MB": lambda twin, path: twin.answers.update({path: Answer({"x": "x" * 2_000_000})}),
    "a redirect": lambda twin, path: twin.answers.update(
        {path: Answer(status=307, headers={"Location": f"{twin.url}/elsewhere"})}
    ),
    "silence": lambda twin, path: twin.slow.update({path: 30}),
    "empty": lambda twin, path: twin.answers.update({path: Answer("")}),
}


@pytest.mark.parametrize("path", [discovery.PATH, "/token", "/jwks", "/userinfo"])
@pytest.mark.parametrize("outage", OUTAGES)
def test_outages(
    provider: Provider, openid: OpenIdTwin, monkeypatch: pytest.MonkeyPatch, outage: str, path: str
) -> None:
    monkeypatch.setattr(network, "SECONDS", 0.3)
    openid.behave(in_id_token=False)
    started = begun(provider)
    args = returned(started)
    discovery.forget()
    OUTAGES[outage](openid, path)
    with pytest.raises(Away) as caught:
        finished(provider, started, args)
    assert caught.value.reason
    assert not openid.to("/elsewhere")


def test_a_provider_that_is_gone(provider: Provider, openid: OpenIdTwin) -> None:
    openid.stop()
    with pytest.raises(Away):
        begun(provider)
    openid.listen()
    assert signed_in(provider).subject == "anna"


@pytest.mark.parametrize("expires_in", [-5, 10**400, [], None, "300"])
def test_odd_life_times_do_no_harm(provider: Provider, openid: OpenIdTwin, expires_in: Any) -> None:
    openid.behave(in_id_token=False, token={"expires_in": expires_in})
    assert signed_in(provider).subject == "anna"


@pytest.mark.parametrize("expires_in", ["soon", float("inf"), [5]])
def test_life_times_that_are_none(provider: Provider, openid: OpenIdTwin, expires_in: Any) -> None:
    openid.behave(token={"expires_in": expires_in})
    with pytest.raises(Away, match="token"):
        signed_in(provider)


@pytest.mark.parametrize(
    ("methods", "header"),
    [(["client_secret_post"], False), (["client_secret_basic"], True), (ABSENT, True), (["private_key_jwt"], True)],
)
def test_how_the_secret_travels(provider: Provider, openid: OpenIdTwin, methods: Any, header: bool) -> None:
    openid.behave(metadata={"token_endpoint_auth_methods_supported": methods})
    signed_in(provider)
    sent = openid.to("/token")[0]
    assert ("authorization" in sent.headers, "client_secret" in sent.form) == (header, not header)


def test_signing_out_there_too(provider: Provider, openid: OpenIdTwin) -> None:
    claims = signed_in(provider)
    url = exchange.ending(provider, claims.id_token, "http://localhost/") or ""
    asked = dict(parse_qsl(urlsplit(url).query))
    assert url.startswith(f"{openid.url}/end?")
    assert asked["post_logout_redirect_uri"] == "http://localhost/"
    assert asked["id_token_hint"] == claims.id_token
    assert exchange.ending(provider, "", "http://localhost/") is None
    discovery.forget()
    openid.behave(metadata={"end_session_endpoint": ABSENT})
    assert exchange.ending(provider, claims.id_token, "http://localhost/") is None
    discovery.forget()
    openid.stop()
    assert exchange.ending(provider, claims.id_token, "http://localhost/") is None


def test_asking_them_to_sign_in_anew(provider: Provider, openid: OpenIdTwin) -> None:
    def anew() -> Claims:
        started = exchange.begin(provider, BACK, clock.now(), again=True)
        assert "max_age=0" in started.url
        return finished(provider, started)

    now = int(clock.now().timestamp())
    assert anew().subject == "anna"
    openid.behave(claims={"auth_time": now})
    assert anew().subject == "anna"
    for auth_time in (now - 3600, "now", True, float("nan"), []):
        openid.behave(claims={"auth_time": auth_time})
        with pytest.raises(Faulty, match="anew"):
            anew()
        assert signed_in(provider).subject == "anna", "nobody asked"


def test_waived_checks_and_no_others(provider: Provider, openid: OpenIdTwin) -> None:
    change(provider, waives=["nonce", "pkce"])
    started = begun(provider)
    assert "nonce" not in started.url
    assert "code_challenge" not in started.url
    assert finished(provider, started).subject == "anna"
    openid.behave(claims={"aud": "another"})
    with pytest.raises(Faulty, match="audience"):
        signed_in(provider)


def test_github(app: Flask, github: GitHubTwin) -> None:
    provider = github.provider()
    claims = signed_in(provider)
    assert (claims.issuer, claims.subject) == (provider.issuer, "583231")
    assert (claims.first_name, claims.last_name) == ("Octavia", "Cat")
    assert (claims.email, claims.email_proven) == ("octavia@example.org", True)
    assert claims.id_token == ""
    assert github.to("/login/oauth/access_token")[0].form["code_verifier"]


@pytest.mark.parametrize("verified", [False, "true", 1, None])
def test_github_addresses_that_are_not_verified(app: Flask, github: GitHubTwin, verified: Any) -> None:
    github.sign_in("mona", 7, verified=verified)
    claims = signed_in(github.provider())
    assert (claims.email, claims.email_proven) == ("mona@example.org", False)


def test_github_without_addresses(app: Flask, github: GitHubTwin) -> None:
    github.grants_emails = False
    claims = signed_in(github.provider())
    assert (claims.subject, claims.email, claims.email_proven) == ("583231", "", False)


@pytest.mark.parametrize("number", [None, "", True, 0, 1.5, [7]])
def test_github_without_a_number(app: Flask, github: GitHubTwin, number: Any) -> None:
    github.sign_in("mona", number)
    with pytest.raises(Faulty, match="subject"):
        signed_in(github.provider())


def test_github_refuses_with_200(app: Flask, github: GitHubTwin) -> None:
    provider = github.provider()
    started = begun(provider)
    args = returned(started)
    finished(provider, started, args)
    with pytest.raises(Faulty, match="bad_verification_code"):
        finished(provider, started, args)
    with pytest.raises(Away, match="incorrect_client_credentials"):
        finished(provider, begun(provider), secret="another")


def test_facebook(app: Flask, github: GitHubTwin) -> None:
    fields = "?fields=id,first_name,last_name,email"
    provider = github.provider("facebook", preset="facebook", userinfo_url=f"{github.url}/user{fields}", claims={})
    github.user = {
        "id": "10160",
        "first_name": "Fay",
        "last_name": "Book",
        "email": "fay@example.org",
        "verified": True,
    }
    claims = signed_in(provider)
    assert (claims.subject, claims.name, claims.email) == ("10160", "Fay Book", "fay@example.org")
    assert not claims.email_proven
    assert github.to("/user")[0].query == {"fields": "id,first_name,last_name,email"}
    assert not github.to("/user/emails")


def test_github_says_no_or_is_gone(app: Flask, github: GitHubTwin) -> None:
    provider = github.provider()
    github.error = "access_denied"
    with pytest.raises(Denied):
        signed_in(provider)
    github.error = ""
    started = begun(provider)
    args = returned(started)
    github.stop()
    with pytest.raises(Away):
        finished(provider, started, args)
