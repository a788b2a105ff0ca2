"""Which site a key is bound to, and what a key is called until somebody names it."""

import pytest

from portal.passkeys import ceremonies
from portal.passkeys.labels import name_by


@pytest.mark.parametrize(
    ("base_url", "host", "origin"),
    [
        ("https://portal.example.org", "portal.example.org", "https://portal.example.org"),
        ("https://Portal.Example.org:443", "portal.example.org", "https://portal.example.org"),
        ("https://portal.example.org:8443", "portal.example.org", "https://portal.example.org:8443"),
        ("http://localhost:5000", "localhost", "http://localhost:5000"),
        ("http://localhost:80", "localhost", "http://localhost"),
        ("https://bücher.example", "xn--bcher-kva.example", "https://xn--bcher-kva.example"),
    ],
)
def test_a_site_with_a_name_can_have_passkeys(base_url: str, host: str, origin: str) -> None:
    party = ceremonies.party(base_url, "Portal")
    assert party is not None
    assert (party.id, party.origin) == (host, origin)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:5000", "http://[::1]:5000", "https://192.0.2.7"])
def test_an_ip_address_cannot(base_url: str) -> None:
    assert ceremonies.party(base_url, "Portal") is None


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "{}", '{"rawId":"AA","response":{"clientDataJSON":"e30"}}', "[" * 9_000]
)
def test_what_is_no_answer_is_faulty(text: str) -> None:
    with pytest.raises(ceremonies.Faulty):
        ceremonies.read(text)


def test_challenges_are_random() -> None:
    assert len({ceremonies.new_challenge() for _ in range(100)}) == 100


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1 Version/19.0 Safari/605.1",
            "Safari on Mac",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) CriOS/140.0 Mobile Safari/604.1", "Chrome on iPhone"),
        ("curl/8", "Passkey"),
        ("", "Passkey"),
    ],
)
def test_a_new_key_is_called_after_its_browser(app: object, agent: str, name: str) -> None:
    assert name_by(agent) == name
