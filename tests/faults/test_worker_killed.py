"""kill -9 of the worker while mail is on its way: nothing is lost, and only what the server had in hand comes twice."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from flask import Flask

from portal.kernel.db import db
from portal.mail.models import Message
from tests.support.live import Process
from tests.support.post import people, queue, states
from tests.twins.smtp import SmtpTwin

POINTS = ("CONNECT", "MAIL", "mid-data", "received", "replied")
# A short message is in the line's buffers as soon as it is begun: the server reads it to its end all the same.
MAY_DOUBLE = frozenset({"mid-data", "received", "replied"})


class Killer:
    """Kills the worker the moment the server reaches a point, after so many messages; starts the next one."""

    def __init__(self, start: Callable[[], Process], smtp: SmtpTwin) -> None:
        self.start, self.smtp = start, smtp
        self.worker: Process | None = None
        self.deaths: list[tuple[str, str]] = []
        self._at, self._after = "", 0
        self._armed, self.died = threading.Event(), threading.Event()

    def begin(self) -> None:
        """A worker that is not to die yet."""
        self.smtp.behave(hook=self.hook)
        self.worker = self.start()

    def kill_at(self, point: str, after: int) -> None:
        """Kill the one that runs at `point`, once `after` messages are in; then start the next."""
        self._at, self._after = point, after
        self.died.clear()
        self._armed.set()
        self.smtp.until(self.died.is_set, 60, lambda: f"the worker never came to {point}")
        self.worker = self.start()

    def hook(self, point: str, recipient: str) -> None:
        if self._armed.is_set() and point == self._at and len(self.smtp.messages) >= self._after:
            self._armed.clear()
            assert self.worker is not None
            self.worker.kill()
            self.deaths.append((point, recipient))
            self.died.set()


def check(ids: list[int], smtp: SmtpTwin, deaths: list[tuple[str, str]]) -> None:
    """One for everybody; one more only for the message that a death left in the server's hands; the same Message-ID."""
    counts = Counter(smtp.recipients)
    assert len(counts) == len(ids)
    in_hand = Counter(recipient for point, recipient in deaths if point in MAY_DOUBLE)
    doubled = [address for address, count in counts.items() if count > 1]
    for address in doubled:
        assert counts[address] <= 1 + in_hand[address]
    for address in doubled:
        received = [one for one in smtp.messages if one.recipients == [address]]
        assert len({one.message_id for one in received}) == 1
    assert len({one.message_id for one in smtp.messages}) == len(ids)
    rows = db.session.query(Message.state, Message.possible_duplicate, Message.to_address).all()
    assert {row.state for row in rows} == {"sent"}
    assert {row.to_address for row in rows if row.possible_duplicate} >= set(doubled)


def run(ids: list[int], smtp: SmtpTwin, killer: Killer, kills: list[tuple[str, int]]) -> None:
    killer.begin()
    for point, after in kills:
        killer.kill_at(point, after)
    smtp.until(lambda: set(states(ids)) == {"sent"}, 120, lambda: str(Counter(states(ids))))
    assert len(killer.deaths) == len(kills)
    check(ids, smtp, killer.deaths)


@pytest.fixture
def killer(live_worker: Callable[..., Process], smtp: SmtpTwin) -> Killer:
    return Killer(lambda: live_worker(PORTAL_MAIL_URL=smtp.url), smtp)


def test_five_kills_while_a_hundred_are_on_their_way(app: Flask, smtp: SmtpTwin, killer: Killer) -> None:
    ids = queue(*people(100))
    run(ids, smtp, killer, [(point, 17 * n) for n, point in enumerate(POINTS)])


@pytest.mark.long
@pytest.mark.parametrize("point", POINTS)
def test_fifty_kills_at_one_point(app: Flask, smtp: SmtpTwin, killer: Killer, point: str) -> None:
    ids = queue(*people(250))
    # There is one connection for many messages, so that point comes first or not at all.
    run(ids, smtp, killer, [(point, 0 if point == "CONNECT" else 4 * n) for n in range(50)])
