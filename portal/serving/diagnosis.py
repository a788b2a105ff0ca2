"""What `portal doctor` looks at."""

from collections.abc import Iterator
from email.utils import parseaddr
from typing import NamedTuple
from urllib.parse import urlsplit

from flask import Flask

from portal.jobs import presence, queue
from portal.kernel import clock
from portal.kernel.db import db
from portal.mail import queries as outbox
from portal.mail.transport import Away, Line, parse
from portal.serving import database
from portal.serving.faults import CannotServe
from portal.settings.queries import operator


class Check(NamedTuple):
    """One line of the report."""

    name: str
    good: bool
    words: str


def checks(app: Flask) -> Iterator[Check]:
    """Every check in turn; those that need the database are left out when it cannot be used."""
    with app.app_context():
        settings = operator()
        yield Check("configuration", True, f"{settings.base_url}, data in {settings.instance}")
        try:
            database.check_up_to_date(app)
        except CannotServe as fault:
            yield Check("database", False, str(fault))
            return
        yield Check("database", True, db.engine.url.render_as_string(hide_password=True))
        yield Check("migrations", True, f"schema {database.revisions()[0]}")
        yield _queue()
        yield _mail()


def _queue() -> Check:
    jobs, messages, seen = queue.waiting(), outbox.waiting(), presence.last_seen()
    waiting = f"{jobs} jobs, {messages} messages waiting"
    if seen is not None and clock.now() - seen <= presence.QUIET_AFTER:
        return Check("queue", True, f"a worker runs; {waiting}")
    return Check("queue", not (jobs or messages), f"no worker runs; {waiting}")


def _mail() -> Check:
    settings = operator()
    if settings.keeps_mail:
        return Check("mail", True, "kept in the outbox; nothing leaves this machine")
    server = parse(settings.mail_url)
    where = f"{server.host}:{server.port} ({server.tls})"
    try:
        with Line(server, urlsplit(settings.base_url).hostname or "localhost") as line:
            line.probe(parseaddr(settings.mail_from)[1])
    except Away as fault:
        return Check("mail", False, f"{where}: {fault.answer}")
    return Check("mail", True, f"{where} takes mail from {settings.mail_from}")
