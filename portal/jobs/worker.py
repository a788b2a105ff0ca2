"""The worker process: one thread per lane, a sign of life, and an orderly end."""

import signal
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import structlog
from flask import Flask

from portal.jobs import presence
from portal.jobs.leases import Leased
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.web import limits, sessions

log = structlog.get_logger("worker")
IDLE = 0.5
AFTER_A_FAULT = 2.0
BEAT = 5.0
PURGE = 600.0
CHORES = 60.0
# What is under way when the worker is told to stop may take this long.
GRACE = 30.0


class Lane(NamedTuple):
    """A kind of work with a thread of its own, so that a slow mail server never holds up the jobs.

    `turn(worker, stopping)` does what is due and says whether there may be more; `table` is where it holds leases.
    """

    name: str
    turn: Callable[[str, Callable[[], bool]], bool]
    table: Leased


Chore = Callable[[datetime], object]


class Worker:
    """Runs lanes until it is stopped; `folder` holds the lock files of this machine's workers. Each of the `chores` is
    done once a minute, in a transaction of its own."""

    def __init__(self, app: Flask, lanes: Sequence[Lane], folder: Path, chores: Sequence[Chore] = ()) -> None:
        self.app, self.lanes, self.folder, self.chores = app, lanes, folder, chores
        self.tables = [lane.table for lane in lanes]
        self.presence = presence.Presence(folder)
        self.stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        """Work until SIGTERM or SIGINT; then finish what is under way, give back the rest."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        self.start()
        log.info("worker.started", worker=self.presence.id)
        # Signals reach the main thread between two waits, however long the lanes are busy.
        while not self.stopping.wait(1):
            pass
        self.finish()
        log.info("worker.stopped", worker=self.presence.id)

    def start(self) -> None:
        """Free what dead workers hold, then start the threads."""
        self._attempt(self._bury)
        self._attempt(self._beat)
        names = [(lane.name, lambda lane=lane: self._work(lane)) for lane in self.lanes]
        for name, target in (*names, ("housekeeping", self._keep_house)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Ask the threads to end."""
        self.stopping.set()

    def finish(self) -> None:
        """Wait for what is under way, at most `GRACE` seconds; give the rest back."""
        self.stop()
        until = clock.now() + timedelta(seconds=GRACE)
        for thread in self._threads:
            thread.join(max(0.0, min(GRACE, (until - clock.now()).total_seconds())))
        if not any(thread.is_alive() for thread in self._threads):
            self._attempt(self._leave)
            self.presence.close()
        # Else the lock drops with the process, and the next worker gives back what it held.

    def _work(self, lane: Lane) -> None:
        while not self.stopping.is_set():
            more = self._attempt(lambda: lane.turn(self.presence.id, self.stopping.is_set))
            if more:
                continue
            self.stopping.wait(IDLE if more is not None else AFTER_A_FAULT)
            # The lane's one thread is here, so nothing of it is under way: what a fault left in its hands goes back.
            while more is None and not self.stopping.is_set():
                if self._attempt(lambda: self._give_back(lane)):
                    break
                self.stopping.wait(AFTER_A_FAULT)

    def _keep_house(self) -> None:
        since_beat = since_purge = since_chores = 0.0
        while not self.stopping.wait(1):
            since_beat, since_purge, since_chores = since_beat + 1, since_purge + 1, since_chores + 1
            self._attempt(self._bury)
            if since_beat >= BEAT and self._attempt(self._beat):
                since_beat = 0.0
            if since_purge >= PURGE:
                self._attempt(self._purge)
                since_purge = 0.0

            if since_chores >= CHORES:
                for chore in self.chores:
                    self._attempt(lambda chore=chore: _do(chore))  # type: ignore[misc]
                since_chores = 0.0

    def _bury(self) -> bool:
        _, graves = presence.survey(self.folder)
        if not graves:
            return True
        cleared = False
        try:
            with transaction():
                freed = presence.bury(graves, self.tables, clock.now())
            cleared = True
            log.warning("worker.found_dead", workers=[grave.worker for grave in graves], freed=freed)
        finally:
            for grave in graves:
                grave.close(cleared=cleared)
        return True

    def _beat(self) -> bool:
        alive = presence.living(self.folder)
        with transaction():
            now = clock.now()
            self.presence.beat(now)
            for table in self.tables:
                table.renew(self.presence.id, now)
            presence.release_overdue(alive, self.tables, now)
        return True

    def _purge(self) -> bool:
        with transaction():
            now: datetime = clock.now()
            sessions.purge(now)
            limits.purge(now)
        return True

    def _give_back(self, lane: Lane) -> bool:
        with transaction():
            lane.table.release(self.presence.id, clock.now())
        return True

    def _leave(self) -> bool:
        with transaction():
            self.presence.leave(self.tables, clock.now())
        return True

    def _attempt(self, work: Callable[[], bool]) -> bool | None:
        """Do it in an app context of its own; None when it failed. The one place that catches everything."""
        try:
            with self.app.app_context():
                return work()
        except Exception:
            log.exception("worker.fault", thread=threading.current_thread().name)
            return None


def _do(chore: Chore) -> bool:
    with transaction():
        chore(clock.now())
    return True
