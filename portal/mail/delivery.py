"""Delivers what is in the outbox: claim, write, send, mark. Only the worker imports this.

No transaction is open while the mail server is talked to. A message costs one commit: the mark of the one before
is committed together with the beginning of the next.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from time import monotonic, sleep
from typing import TypeVar
from urllib.parse import urlsplit

import structlog
from flask_babel import gettext as _
from sqlalchemy.exc import InterfaceError, OperationalError

from portal.kernel import clock
from portal.kernel.addresses import BadAddress
from portal.kernel.db import db, transaction
from portal.mail import letters, pacing, queries, return_path, states
from portal.mail.framing import Unframeable
from portal.mail.outbox import Cancelled, NotNow
from portal.mail.states import Held, Written
from portal.mail.transport import Away, Line, Misconfigured, Postponed, Refused, parse
from portal.settings.queries import operator, site

log = structlog.get_logger("mail")
# Few at a time, so that several workers share the queue evenly; a new line now and then, so that a server may balance.
BATCH = 20
PER_LINE = 100
# A server closes a line that is quiet for minutes; where a turn is further off, the line is given up meanwhile.
QUIET = 20.0
# What was written together goes out within this time, or is written anew: somebody may have answered meanwhile.
FRESH = 2.0
LOOK_UP = 0.2

Mark = Callable[[], None]
T = TypeVar("T")


def turn(worker: str, stopping: Callable[[], bool]) -> bool:
    """Deliver what is due, up to one line's worth; says whether there may be more. Needs an app context."""
    if not states.any_due(clock.now()) and queries.pause() is None:
        return False
    with _line() as line:
        if not _may_send(line):
            return False
        batches = 0
        while batches * BATCH < PER_LINE and not stopping():
            with transaction():
                claimed = _claim(worker)
            if not claimed:
                return False
            if not _Batch(line, claimed, stopping).deliver():
                break
            batches += 1
    return True


def _claim(worker: str) -> list[Held]:
    """The next messages. Where the site sends slowly they are few, what somebody waits for goes before invitations."""
    pace = _pace()
    few = BATCH if pace is None else max(1, min(BATCH, pace // 6))
    return states.claim(worker, clock.now(), few, urgent_first=pace is not None)


def _pace() -> int | None:
    """How many messages may leave in a minute; None: any number."""
    return None if operator().keeps_mail else site().mail_per_minute


class _Batch:
    """Messages in this worker's hands, sent one after the other."""

    def __init__(self, line: Line, claimed: list[Held], stopping: Callable[[], bool]) -> None:
        self.line, self.claimed, self.stopping = line, claimed, stopping
        self.kept = operator().keeps_mail
        self.goes_on = True
        self.pace = _pace()
        self.my_turn = False
        self.written: dict[int, Written | Exception] = {}
        self.written_at = 0.0

    def deliver(self) -> bool:
        """Send them; False when the server would take no more."""
        mark: Mark | None = None
        while True:
            if self.pace is not None and self.claimed and self.goes_on and not self.my_turn:
                self._wait_until(self._commit(partial(self._mark_and_take_turn, mark, self.pace), mark))
                mark, self.my_turn = None, True
            begun = self._commit(partial(self._mark_and_begin, mark), mark)
            if begun is None:
                return self.goes_on
            mark = self._send(begun)

    def _commit(self, work: Callable[[], T], mark: Mark | None) -> T:
        """Do what holds a mark. A mark is never given up: without it the message goes out twice."""
        while True:
            try:
                return work()
            except (OperationalError, InterfaceError):
                if mark is None:
                    raise
                log.exception("mail.mark_waits")
                sleep(1)

    def _mark_and_take_turn(self, mark: Mark | None, pace: int) -> datetime:
        with transaction():
            if mark is not None:
                mark()
            return pacing.turn(pace, clock.now())

    def _wait_until(self, turn: datetime) -> None:
        wait = (turn - clock.now()).total_seconds()
        if wait > QUIET:
            self.line.close()
        ends = monotonic() + wait
        while not self.stopping() and (left := ends - monotonic()) > 0:
            sleep(min(left, LOOK_UP))

    def _mark_and_begin(self, mark: Mark | None) -> Held | None:
        begun, left = None, list(self.claimed)
        with transaction(lasting=False):
            if mark is not None:
                mark()
            if self.stopping() or not self.goes_on:
                states.put_back_unbegun(left, clock.now())
                left = []
            while left and begun is None:
                held = left.pop(0)
                begun = held if states.begin(held, clock.now()) else None
        self.claimed = left
        return begun

    def _send(self, begun: Held) -> Mark:
        """Try one message; returns how to mark what came of it."""
        written = self._written(begun)
        if isinstance(written, Cancelled):
            return _mark(states.cancelled, begun, written.reason)
        if isinstance(written, NotNow):
            return partial(states.put_back, begun, written.until)
        if isinstance(written, Exception):
            log.error("mail.unwritable", message=begun.id, exc_info=written)
            return _mark(states.failed, begun, None, _why(written))
        if self.kept:
            return _mark(states.sent, begun, written, _("Kept in the outbox; nothing left this machine."))
        return self._hand_over(begun, written)

    def _written(self, begun: Held) -> Written | Exception:
        """The message, written together with those after it; anew where that was too long ago."""
        if begun.id not in self.written or monotonic() - self.written_at > FRESH:
            try:
                self.written_at = monotonic()
                self.written = letters.write_many([begun.id, *(held.id for held in self.claimed)], clock.now())
                self.pace = _pace()  # read with them; an owner may have changed it
            finally:
                db.session.rollback()
        return self.written.pop(begun.id)

    def _hand_over(self, begun: Held, written: Written) -> Mark:
        self.my_turn = False
        try:
            answer = self.line.deliver(written.sender, written.to, written.data)
        except Refused as fault:
            return _mark(states.failed, begun, written, fault.answer)
        except Postponed as fault:
            state = states.postponed_perhaps_taken if fault.perhaps_taken else states.postponed
            return _mark(state, begun, written, fault.answer)
        except Misconfigured as fault:
            return self._stop(begun, fault.answer)
        except Away as fault:
            return self._wait(begun, written, fault.answer)
        log.info("mail.sent", message=begun.id)
        return _mark(states.sent, begun, written, answer)

    def _wait(self, begun: Held, written: Written, answer: str) -> Mark:
        """The server is away: the whole batch waits."""
        log.warning("mail.server_away", answer=answer)
        rest, self.claimed = self.claimed, []

        def mark() -> None:
            states.postponed(begun, written, answer, clock.now())
            states.postpone_unbegun(rest, answer, clock.now())

        self.goes_on = False
        return mark

    def _stop(self, begun: Held, answer: str) -> Mark:
        """The server will not have us: nothing failed, the queue pauses."""
        log.error("mail.paused", answer=answer)

        def mark() -> None:
            states.put_back(begun, clock.now())
            states.pause(answer, clock.now())

        self.goes_on = False
        return mark


def _line() -> Line:
    settings = operator()
    server = parse(settings.mail_url) if not settings.keeps_mail else None
    return Line(server, urlsplit(settings.base_url).hostname or "localhost")


def _may_send(line: Line) -> bool:
    """Whether the queue is open; while it is paused, one worker asks the server again each minute."""
    if queries.pause() is None:
        return True
    with transaction():
        mine = states.take_up_probe(clock.now())
    if not mine:
        return False
    answer = _probe(line)
    with transaction():
        if answer is None:
            states.resume()
        else:
            states.pause(answer, clock.now())
    return answer is None


def _probe(line: Line) -> str | None:
    """What the server has against us, or None. One that is away has nothing against us: messages then wait as usual."""
    if operator().keeps_mail:
        return None
    try:
        line.probe(return_path.usual())
    except Misconfigured as fault:
        return fault.answer
    except Away:
        pass
    log.info("mail.resumed")
    return None


def _mark(state: Callable[..., None], *values: object) -> Mark:
    return lambda: state(*values, clock.now())


def _why(fault: Exception) -> str:
    """What staff may read of a message that cannot be written: never its values, which may hold a secret."""
    if isinstance(fault, Unframeable):
        return _("It cannot be sent: %(why)s.", why=str(fault))
    if isinstance(fault, BadAddress):
        return _("It cannot be sent: the address is not one plain e-mail address.")
    return _("It cannot be written (%(error)s). The template or its values are at fault.", error=type(fault).__name__)
