"""Renders an e-mail template of 50 kB, the largest there may be: row T40 of SECURITY.md, under 50 ms."""

import statistics
import tempfile
import time

from portal.app import create_app
from portal.config import load
from portal.mail import templates
from portal.mail.texts import LONGEST_SOURCE, Source

LIMIT_MS = 50
ROUNDS = 40
PIECE = '<p>{{ contact_first_name | default: "you" }}, <a href="{{ link }}">open</a> {{ code }}</p>\n'


def report() -> str:
    """One line: the median of warm renders of HTML and text of 50 kB each, with inlined styles."""
    whole = PIECE * (LONGEST_SOURCE // len(PIECE))
    source = Source("invitation", "en", "Come to {{ site_name }}", whole, whole)
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        app = create_app(load({"PORTAL_INSTANCE": folder}, make_secrets=True))
        with app.app_context():
            base = app.config["PORTAL_SETTINGS"].base_url
            values = {"site_name": "Portal", "contact_first_name": "Anna", "link": f"{base}/i/x", "code": "7K3M-9QXR"}
            templates.made(source, values)
            times = []
            for _round in range(ROUNDS):
                began = time.perf_counter()
                templates.made(source, values)
                times.append((time.perf_counter() - began) * 1000)
    median = statistics.median(times)
    verdict = "reached" if median < LIMIT_MS else "MISSED"
    return f"e-mail template of {len(whole):,} bytes: {median:.1f} ms (limit {LIMIT_MS} ms, {verdict})"
