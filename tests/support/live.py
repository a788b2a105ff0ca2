"""The portal as real processes: `portal web` on a free port of the loopback interface, and `portal worker`."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent.parent
START_WITHIN_SECONDS = 30
BIN = Path(sys.executable).parent


def free_port() -> int:
    """A port that nothing listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """A process of ours with its log; ended by its own id, with all that it started."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.command, self.environment, self.log_file = command, dict(environment), log
        self.start()

    def start(self) -> None:
        """Start it, or start it again; its log goes on."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """Everything it wrote so far."""
        return self.log_file.read_text(errors="replace")

    def kill(self) -> None:
        """`kill -9` it and its children."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, within: float = 10) -> int:
        """Ask it to end; kill it when it does not. Returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(within)
            except subprocess.TimeoutExpired:
                self.kill()
        self._signal(signal.SIGKILL)
        return self.process.returncode

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


class Server(Process):
    """A web server that answers at `url`; under the name `localhost` its pages may offer passkeys."""

    def __init__(self, environment: Mapping[str, str], log: Path, *, workers: int, host: str = "127.0.0.1") -> None:
        self.port = free_port()
        self.url = f"http://{host}:{self.port}"
        command = [str(BIN / "portal"), "web", "--port", str(self.port), "--workers", str(workers)]
        super().__init__(command, {**environment, "PORTAL_BASE_URL": self.url}, log)
        self.wait()

    def wait(self) -> None:
        """Until it answers."""
        until = time.monotonic() + START_WITHIN_SECONDS
        while True:
            try:
                with urlopen(f"{self.url}/health/live", timeout=5):
                    return
            except HTTPError:
                return
            except OSError as fault:
                if self.process.poll() is not None or time.monotonic() > until:
                    self.stop()
                    raise AssertionError(f"the server did not start:\n{self.log[-3000:]}") from fault
                time.sleep(0.05)


def worker(environment: Mapping[str, str], log: Path) -> Process:
    """`portal worker` on the same instance."""
    return Process([str(BIN / "portal"), "worker"], environment, log)
