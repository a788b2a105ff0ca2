"""Starting the servers that are compared, and asking them by turns."""

import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

GUNICORN = (
    "-m",
    "gunicorn",
    "-k",
    "gthread",
    "-w",
    "2",
    "--threads",
    "4",
    "--keep-alive",
    "75",
    "--log-level",
    "error",
)


@contextmanager
def serving(target: str, environment: dict[str, str], ready: str) -> Iterator[int]:
    """Run a WSGI application under gunicorn (2 × 4) on a free loopback port; gives the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, **environment, "PORTAL_BASE_URL": f"http://127.0.0.1:{port}"}
    command = [sys.executable, *GUNICORN, "-b", f"127.0.0.1:{port}", target]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        _await(port, ready)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _await(port: int, path: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            Asker(port).get(path)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing answers on port {port}")


class Asker:
    """One connection that is kept open; remembers how long each answer took, in milliseconds."""

    def __init__(self, port: int, cookie: str = "") -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {"Cookie": cookie} if cookie else {}
        self.times: dict[str, list[float]] = {}

    def get(self, path: str, label: str = "") -> str:
        """The page, which must answer 200."""
        began = time.perf_counter()
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if label:
            self.times.setdefault(label, []).append((time.perf_counter() - began) * 1000)
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        return body.decode()

    def post(self, path: str, typed: dict[str, str], headers: dict[str, str], label: str) -> int:
        """Send a form, and give the status of the answer."""
        sent = {**self.headers, **headers, "Content-Type": "application/x-www-form-urlencoded"}
        began = time.perf_counter()
        self.connection.request("POST", path, body=urlencode(typed), headers=sent)
        answer = self.connection.getresponse()
        answer.read()
        self.times.setdefault(label, []).append((time.perf_counter() - began) * 1000)
        return answer.status

    def p50(self, label: str) -> float:
        """The median time of the answers under this label."""
        return statistics.median(self.times[label])
