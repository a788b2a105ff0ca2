"""Watches over the two halves of the portal: the web process and the worker."""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.error import HTTPError
from urllib.request import urlopen

import structlog

from portal.serving.faults import CannotServe

log = structlog.get_logger("serving")
STARTS_WITHIN = 60.0
STOPS_WITHIN = 40.0
FIRST_REST, LONGEST_REST = 0.5, 30.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def supervise(host: str, port: int, workers: int, ready: Callable[[], None]) -> None:
    """Run web and worker as children until Ctrl-C or SIGTERM; a worker that ends is started again.

    `ready` is called once the pages answer. Raises CannotServe when the web process ends by itself.
    """
    stopping = _stop_signals()
    pages = _child(["web", "--host", host, "--port", str(port), "--workers", str(workers)])
    worker = _Kept(lambda: _child(["worker"]))
    try:
        _until_it_answers(pages, host, port, stopping)
        if not stopping():
            ready()
        while not stopping():
            if pages.poll() is not None:
                raise CannotServe("the web process ended; its last lines above say why")
            worker.look_after()
            time.sleep(0.2)
    finally:
        _stop([pages, worker.process])


class _Kept:
    """A child that is started again when it ends, after a rest that grows while it keeps ending."""

    def __init__(self, start: Callable[[], "subprocess.Popen[bytes]"]) -> None:
        self.start, self.rest, self.ended_at = start, FIRST_REST, 0.0
        self.process, self.began_at = start(), time.monotonic()

    def look_after(self) -> None:
        if self.process.poll() is None:
            return
        now = time.monotonic()
        if not self.ended_at:
            lasted = now - self.began_at
            self.rest = FIRST_REST if lasted > LONGEST_REST else min(self.rest * 2, LONGEST_REST)
            self.ended_at = now
            log.error("serve.worker_ended", code=self.process.returncode, again_in=self.rest)
        if now - self.ended_at >= self.rest:
            self.process, self.began_at, self.ended_at = self.start(), now, 0.0


def _child(arguments: list[str]) -> "subprocess.Popen[bytes]":
    """A process of ours that ends with us, even if we are killed, and in its own group, so that Ctrl-C reaches it
    through us alone."""
    command = [sys.executable, "-m", "portal.cli", *arguments]
    return subprocess.Popen(command, preexec_fn=_end_with_parent, process_group=0)  # noqa: S603


def _end_with_parent() -> None:
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _stop_signals() -> Callable[[], bool]:
    received: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda which, _frame: received.append(which))
    return lambda: bool(received)


def _until_it_answers(pages: "subprocess.Popen[bytes]", host: str, port: int, stopping: Callable[[], bool]) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while not stopping() and not _answers(host, port):
        if pages.poll() is not None or time.monotonic() > until:
            raise CannotServe("the web process did not start")
        time.sleep(0.05)


def _answers(host: str, port: int) -> bool:
    asked = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    try:
        with urlopen(f"http://{f'[{asked}]' if ':' in asked else asked}:{port}/health/live", timeout=5):
            return True
    except HTTPError:
        return True
    except OSError:
        return False


def _stop(children: "list[subprocess.Popen[bytes]]") -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    until = time.monotonic() + STOPS_WITHIN
    for child in children:
        try:
            child.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
