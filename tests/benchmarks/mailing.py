"""Rows P9 and P10: sending in bulk, and delivering to a server on this machine, against the same done by hand.

The floor renders each message from a compiled template, frames it and hands it over with `smtplib`, and remembers
nothing. Both are measured by turns in one run, since nothing on a shared machine stands still.
"""

import os
import smtplib
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flask_migrate import upgrade
from sqlalchemy import delete, func, select, update

from portal.app import create_app
from portal.config import load
from portal.invitations import services
from portal.jobs import runner
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.mail import outbox, templates
from portal.mail.framing import Letter, frame
from portal.mail.models import Message
from portal.mail.outbox import Prepared
from portal.staff.permissions import StaffActor
from tests.support import make

BULK = 10_000
DELIVERED, ROUNDS, SLOW, PACED = 400, 3, 0.05, 1200
SINK = """
import socketserver, sys, time
delay = float(sys.argv[1])
class Line(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    def say(self, text):
        if delay: time.sleep(delay)
        self.wfile.write(text + b"\\r\\n")
    def handle(self):
        self.say(b"220 sink")
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"DATA":
                self.say(b"354 go on")
                while self.rfile.readline() != b".\\r\\n": pass
                self.say(b"250 taken")
            elif word == b"QUIT":
                return self.say(b"221 bye")
            else:
                self.say(b"250 fine")
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True
server = Server(("127.0.0.1", 0), Line)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


WORKER = """
import logging, sys
import structlog
from portal.app import create_app
from portal.config import load
from portal.mail import delivery
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
app = create_app(load())
def turn():
    with app.app_context():
        return delivery.turn("bench-" + sys.argv[1], lambda: False)
print("ready", flush=True)
for _line in sys.stdin:
    while turn():
        pass
    print("ready", flush=True)
"""


@contextmanager
def sink(delay: float = 0.0) -> Iterator[int]:
    """A mail server in a process of its own that takes everything, each reply after `delay` seconds."""
    process = subprocess.Popen([sys.executable, "-c", SINK, str(delay)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)


def report() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="portal-bench-") as folder:
        settings = load({"PORTAL_INSTANCE": folder}, make_secrets=True)
        app = create_app(settings)
        with app.app_context():
            upgrade()
            _bulk()
            with sink() as port, sink(SLOW) as slow:
                _delivery(port, slow)


def _bulk() -> None:
    owner = make.make_staff("owner")
    by = StaffActor(id=owner.id, name=owner.name, role="owner")
    contact_ids = _contacts(BULK)
    invitation = make.make_invitation(type="group", owner=owner)
    _invite(invitation.id, contact_ids)
    began = time.perf_counter()
    with transaction():
        services.send(invitation.id, key=services.new_send_key(), by=by, now=clock.now())
    answered = time.perf_counter() - began
    while runner.turn("bench", lambda: False):
        pass
    took = time.perf_counter() - began
    written = db.session.scalar(select(func.count()).select_from(Message))
    print(f"\n{'sending in bulk':46}{'seconds':>10}{'target':>10}")
    print(f"{f'P9  {written:,} messages: the request':46}{answered:>10.3f}{'≤ 0.1':>10}")
    print(f"{f'P9  {written:,} messages: all written':46}{took:>10.2f}{'≤ 2':>10}")


def _contacts(number: int) -> list[int]:
    from portal.contacts.models import Contact

    now = clock.now()
    rows = [
        {"first_name": "Person", "last_name": str(n), "name_key": f"person {n}", "email1": f"p{n}@example.org"}
        | {"email1_key": f"p{n}@example.org", "created_at": now, "updated_at": now}
        for n in range(number)
    ]
    with transaction():
        db.session.execute(db.insert(Contact), rows)
        return list(db.session.scalars(select(Contact.id)))


def _invite(invitation_id: int, contact_ids: list[int]) -> None:
    from portal.invitations.models import InvitedContact
    from portal.kernel.secrets_ import new_public_id

    rows = [{"invitation_id": invitation_id, "contact_id": i, "public_id": new_public_id()} for i in contact_ids]
    with transaction():
        db.session.execute(db.insert(InvitedContact), rows)


def _delivery(port: int, slow: int) -> None:
    with transaction():
        ids = list(db.session.scalars(select(Message.id).order_by(Message.id).limit(DELIVERED)))
        db.session.execute(delete(Message).where(Message.id.not_in(ids)))
    prepared = _prepared(ids)
    times: dict[str, list[float]] = {"floor": [], "noted": [], "one": [], "two": []}
    with Workers(port, 1) as one, Workers(port, 2) as two:
        for _round in range(ROUNDS + 1):
            times["floor"].append(_timed(lambda: _by_hand(port, prepared)))
            times["noted"].append(_timed(lambda: _by_hand(port, prepared, _noting())))
            times["one"].append(one.deliver(ids))
            times["two"].append(two.deliver(ids))
    hand, noted, ours, both = (DELIVERED / statistics.median(rounds[1:]) for rounds in times.values())
    few = ids[:40]
    allowed = len(few) / _timed(lambda: _by_hand(slow, prepared[: len(few)]))
    with Workers(slow, 1) as late:
        delayed = len(few) / late.deliver(few)
    make.set_site(mail_per_minute=PACED)
    paced = ids[: PACED // 6]
    with Workers(port, 2) as slower:
        slower.deliver(paced[:10])
        kept = len(paced) / slower.deliver(paced) * 60
    print(f"\n{'delivering to this machine':48}{'a second':>10}{'ratio':>8}{'target':>8}")
    print(f"{'    render + frame + smtplib, one connection':48}{hand:>10.0f}")
    print(f"{'    the same, and one bare commit for each':48}{noted:>10.0f}{noted / hand:>8.2f}")
    print(f"{'P10 one worker, recorded per recipient':48}{ours:>10.0f}{ours / hand:>8.2f}{'≥ 0.67':>8}")
    print(f"{'P10 two workers, against one':48}{both:>10.0f}{both / ours:>8.2f}{'≥ 1.6':>8}")
    late_label = f"P10 {SLOW * 1000:.0f} ms a reply, of what one line permits"
    print(f"{late_label:48}{delayed:>10.1f}{delayed / allowed:>8.2f}{'≥ 0.8':>8}")
    print(f"{f'P10 a pace of {PACED} a minute, two workers':48}{kept / 60:>10.1f}{kept / PACED:>8.2f}{'± 0.05':>8}")


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _prepared(ids: list[int]) -> list[tuple[str, Prepared]]:
    found = [db.session.get_one(Message, number) for number in ids]
    made = [(outbox.message_id(one), outbox.prepares[one.kind](one, clock.now())) for one in found]
    db.session.rollback()
    return made


def _noting() -> Callable[[str], object]:
    """Marks a message with one statement and one commit, as safe against a power cut as the portal's."""
    connection = sqlite3.connect(str(db.engine.url.database), isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    statement = "UPDATE message SET answer = '250 taken' WHERE id = ?"
    return lambda identifier: connection.execute(statement, [int(identifier[2:].partition(".")[0])])


def _by_hand(
    port: int, prepared: list[tuple[str, Prepared]], note: Callable[[str], object] = lambda identifier: None
) -> None:
    """The same letters without a queue: rendered, framed, sent over one connection."""
    with smtplib.SMTP("127.0.0.1", port, "localhost") as line:
        line.ehlo()
        for identifier, one in prepared:
            made = templates.render(one.template, one.values, one.language)
            letter = Letter(
                message_id=identifier,
                sender_name="Portal",
                sender="portal@localhost",
                to=one.to,
                reply_to=one.reply_to,
                subject=made.subject,
                date=clock.now(),
                text=made.text,
                html=made.html,
            )
            line.sendmail(letter.sender, [letter.to], frame(letter))
            note(identifier)


class Workers:
    """So many worker processes, which wait between the rounds."""

    def __init__(self, port: int, number: int) -> None:
        instance = str(db.engine.url.database).rpartition("/")[0]
        environment = {**os.environ, "PORTAL_INSTANCE": instance, "PORTAL_MAIL_URL": f"smtp://127.0.0.1:{port}"}
        command = [sys.executable, "-c", WORKER]
        self.processes = [
            subprocess.Popen(
                [*command, str(n)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for n in range(number)
        ]

    def __enter__(self) -> "Workers":
        for process in self.processes:
            self._hear(process)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.wait(10)

    def deliver(self, ids: list[int]) -> float:
        """Put these into the queue anew, and say how long it takes until all have left."""
        values = {"state": "queued", "attempts": 0, "due_at": clock.now(), "history": []}
        with transaction():
            db.session.execute(update(Message).where(Message.id.in_(ids)).values(**values))
        began = time.perf_counter()
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in self.processes:
            self._hear(process)
        took = time.perf_counter() - began
        db.session.rollback()
        waiting = select(func.count()).where(Message.id.in_(ids), Message.state != "sent")
        assert db.session.scalar(waiting) == 0, "everything has left"
        return took

    @staticmethod
    def _hear(process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
