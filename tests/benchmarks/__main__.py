"""`make bench`: how much slower than the floor the portal's lists are, and how they grow with the data."""

import argparse
import html
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from flask_migrate import upgrade
from sqlalchemy import insert, select

from portal import demo
from portal.app import create_app
from portal.config import load
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.secrets_ import digest, new_secret
from portal.staff.models import StaffMember
from portal.web.sessions import STAFF, ServerSession
from tests.benchmarks import mailing, template, timing
from tests.benchmarks.servers import Asker, serving

LIST = "/staff/invitations/?view=open"
DEEP = 40
ROUNDS = 60


class Row(NamedTuple):
    """One kind of page: what the portal and what the floor is asked for it."""

    label: str
    portal: str
    floor: str


ROWS = (
    Row("open, first page", LIST, "/?order=created_at"),
    Row("open, by expiry", f"{LIST}&sort=expiry", "/?order=expires_at"),
)
ALONE = (
    ("search, a name", f"{LIST}&q=weber"),
    ("search, no hit", f"{LIST}&q=zzzzzz"),
    ("redeem page", "/redeem"),
    ("one invitation", "/staff/invitations/30"),
)


@contextmanager
def site(invitations: int) -> Iterator[tuple[Asker, Asker]]:
    """A portal with that many invitations and the floor on the same database; a signed-in owner asks both."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        environment = {"PORTAL_INSTANCE": folder}
        settings = load(environment, make_secrets=True)
        app = create_app(settings)
        with app.app_context():
            upgrade()
            demo.load(invitations, clock.now())
            cookie = _sign_in()
        database = str(Path(folder) / "portal.db")
        with (
            serving("wsgi:app", environment, "/health/live") as portal,
            serving("tests.benchmarks.floor:app", {"FLOOR_DATABASE": database}, "/") as floor,
        ):
            yield Asker(portal, cookie), Asker(floor)


def _sign_in() -> str:
    owner = db.session.scalars(select(StaffMember).where(StaffMember.role == "owner")).first()
    assert owner is not None
    sid, user, now = new_secret(), owner.get_id(), clock.now()
    row: dict[str, Any] = {"id": digest(sid), "audience": STAFF, "user": user, "created_at": now, "seen_at": now}
    with transaction():
        db.session.execute(insert(ServerSession).values(**row, user_agent="", data={"_user_id": user, "_fresh": True}))
    return f"portal-staff={sid}"


def deep(asker: Asker, path: str, pattern: str) -> str:
    """The address of the page `DEEP` pages on, found by following the link to the next one; or of the last."""
    for _page in range(DEEP):
        found = re.findall(pattern, asker.get(path))
        if not found:
            return path
        path = html.unescape(found[-1])
        path = path if path.startswith("/") else "/" + path
    return path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=100_000)
    sizes = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with ExitStack() as stack:
        small = stack.enter_context(site(sizes.small))
        large = stack.enter_context(site(sizes.large))
        portal_deep = deep(large[0], LIST, r'href="([^"]*[?&;]after=[^"]*)"')
        rows = (*ROWS, Row(f"open, page {DEEP}", portal_deep, deep(large[1], "/?order=created_at", r'href="([^"]*)"')))
        for _round in range(ROUNDS):
            for row in rows:
                large[0].get(row.portal, row.label)
                large[1].get(row.floor, row.label)
            for label, path in (*((r.label, r.portal) for r in ROWS), *ALONE):
                small[0].get(path, label)
                if label in dict(ALONE):
                    large[0].get(path, label)
        print(f"{sizes.large:,} invitations, gunicorn 2 × 4, median of {ROUNDS} interleaved requests\n")
        print(f"{'page':22}{'portal ms':>10}{'floor ms':>10}{'÷ floor':>10}{f'÷ {sizes.small:,}':>12}")
        for label in (*(row.label for row in rows), *dict(ALONE)):
            ours = large[0].p50(label)
            floor = large[1].p50(label) if label in large[1].times else None
            grown = ours / small[0].p50(label) if label in small[0].times else None
            cells = (
                f"{floor:.1f}" if floor else "",
                f"{ours / floor:.1f}" if floor else "",
                f"{grown:.2f}" if grown else "",
            )
            print(f"{label:22}{ours:>10.1f}{cells[0]:>10}{cells[1]:>10}{cells[2]:>12}")
    timing.compare()
    print(f"\n{template.report()}")
    mailing.report()


main()
