"""Whether the time of an answer tells if somebody has an account here: known and unknown names by turns (T22, T23)."""

import http.client
import re
import tempfile
from pathlib import Path

from flask_migrate import upgrade

from portal.app import create_app
from portal.config import load
from tests.benchmarks.servers import Asker, serving
from tests.support import make

SAMPLES = 300
PEOPLE = 50  # each fails six times, and nobody has to wait


def compare() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        environment = {"PORTAL_INSTANCE": folder, "PORTAL_TRUSTED_PROXIES": "1"}
        app = create_app(load(environment, make_secrets=True))
        with app.app_context():
            upgrade()
            for n in range(PEOPLE):
                make.make_contact(email1=f"known{n}@x.example", username=f"known{n}", verified=True)
        assert Path(folder, "portal.db").exists()
        with serving("wsgi:app", environment, "/health/live") as port:
            asker = _visitor(port)
            for n in range(SAMPLES):
                for who in ("known", "unknown"):
                    _sign_in(asker, who, n)
                    _reset(asker, who, n)
    print(f"\nanswers to known and unknown names, {SAMPLES} samples each, by turns, medians\n")
    print(f"{'form':22}{'known ms':>10}{'unknown ms':>12}{'apart ms':>10}{'apart %':>10}")
    for form in ("sign-in", "reset"):
        known, unknown = asker.p50(f"{form} known"), asker.p50(f"{form} unknown")
        apart = abs(known - unknown)
        print(f"{form:22}{known:>10.1f}{unknown:>12.1f}{apart:>10.2f}{apart / max(known, unknown):>10.1%}")


def _sign_in(asker: Asker, who: str, n: int) -> None:
    typed = {"identifier": f"{who}{n % PEOPLE}", "password": "this is not the password"}
    _post(asker, "/sign-in", typed, n, f"sign-in {who}", expected=422)


def _reset(asker: Asker, who: str, n: int) -> None:
    _post(asker, "/forgot-password", {"identifier": f"{who}{n % PEOPLE}"}, n, f"reset {who}", expected=303)


def _post(asker: Asker, path: str, typed: dict[str, str], n: int, label: str, *, expected: int) -> None:
    # An address of its own for each try: the limits count by address.
    status = asker.post(path, typed, {"X-Forwarded-For": f"10.0.{n // 250}.{n % 250}"}, label)
    if status != expected:
        raise RuntimeError(f"{label} answered {status}")


def _visitor(port: int) -> Asker:
    """Somebody with a page open: the cookie and the token that belongs to it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/sign-in")
    answer = connection.getresponse()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.read().decode())
    assert token is not None
    asker = Asker(port, (answer.headers["Set-Cookie"] or "").partition(";")[0])
    asker.headers["X-CSRFToken"] = token[1]
    return asker
