"""An SMTP server on the loopback interface that behaves as a test tells it to, faults included."""

import socket
import socketserver
import ssl
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.twins.certificates import self_signed


@dataclass
class Received:
    """A message that came in whole; `answered` once its 250 was sent."""

    sender: str
    recipients: list[str]
    data: bytes
    answered: bool = False

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.data, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])


@dataclass
class Behaviour:
    """How the server answers. Stages are CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA and END (of the data).

    `answers[stage]` replaces the usual reply, or is a function of the command that gives one (None: the usual).
    `silent` names stages that get no reply at all. `drop` closes the line: `mid-data`, `no-reply` (all of the
    message taken, nothing said) or `after-250`. `delay` is slept before each reply. `hook` is
    called at each stage, and at `mid-data`, `received` and `replied`, with the stage and the recipient, if known.
    """

    answers: dict[str, str | Callable[[str], str | None]] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    drop: str = ""
    delay: float = 0.0
    tls: str = ""
    users: dict[str, str] = field(default_factory=dict)
    hook: Callable[[str, str], None] | None = None


class SmtpTwin:
    """The server. `messages` holds what came in, `commands` every command line, `connections` how many called."""

    def __init__(self) -> None:
        self.behaviour = Behaviour()
        self.messages: list[Received] = []
        self.commands: list[str] = []
        self.connections = 0
        self.stopped = threading.Event()
        self._open: set[socket.socket] = set()
        self._reserved: socket.socket | None = None
        self._server: socketserver.ThreadingTCPServer | None = None
        self.port = 0
        self.listen()

    @property
    def url(self) -> str:
        """For PORTAL_MAIL_URL."""
        return f"smtp://127.0.0.1:{self.port}"

    def behave(self, **changes: Any) -> None:
        """Answer anew from now on: `behave(answers={"RCPT": "550 no"})`; what is not named is as usual."""
        self.behaviour = Behaviour(**changes)

    def listen(self) -> None:
        """Take calls, at the same port as before."""
        twin = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                twin._talk(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None
        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def refuse(self) -> None:
        """Take no calls: connecting is refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
            # Bound without listening, the port stays ours: nobody else's server answers there meanwhile.
            self._reserved = socket.socket()
            self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._reserved.bind(("127.0.0.1", self.port))

    def stop(self) -> None:
        """End it, and the calls under way."""
        self.stopped.set()
        self.refuse()
        if self._reserved is not None:
            self._reserved.close()
        for line in list(self._open):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def wait_for(self, count: int, within: float = 60) -> None:
        """Until so many messages came in; fails when they do not."""
        self.until(lambda: len(self.messages) >= count, within, lambda: f"{len(self.messages)} of {count} messages")

    def until(self, holds: Callable[[], bool], within: float = 60, says: Callable[[], str] = str) -> None:
        """Until something holds."""
        deadline = time.monotonic() + within
        while not holds():
            assert time.monotonic() < deadline, f"not within {within} s: {says()}"
            time.sleep(0.01)

    @property
    def recipients(self) -> list[str]:
        """Who was written to, once per message."""
        return [address for received in self.messages for address in received.recipients]

    def _talk(self, line: socket.socket) -> None:
        self.connections += 1
        self._open.add(line)
        call = _Call(self, line)
        try:
            call.run()
        except (OSError, _HungUp):
            pass
        finally:
            self._open.discard(line)
            call.close()


class _HungUp(Exception):
    pass


class _Call:
    """One connection."""

    def __init__(self, twin: SmtpTwin, line: socket.socket) -> None:
        self.twin, self.line, self.file = twin, line, line.makefile("rb")
        self.sender, self.recipients = "", list[str]()

    @property
    def told(self) -> Behaviour:
        return self.twin.behaviour

    def run(self) -> None:
        if self.told.tls == "implicit":
            self._encrypt()
        self._reply("CONNECT", "", "220 twin.example ESMTP")
        while True:
            line = self.file.readline()
            if not line:
                return
            command = line.decode("utf-8", "replace").strip()
            self.twin.commands.append(command)
            verb = command.split(" ", 1)[0].upper()
            if verb == "QUIT":
                self._send("221 bye")
                return
            getattr(self, f"_{verb.lower()}", self._unknown)(command)

    def close(self) -> None:
        for end in (self.file, self.line):
            with suppress(OSError):
                end.close()

    def _ehlo(self, command: str) -> None:
        offers = ["twin.example", "8BITMIME", "SMTPUTF8"]
        if self.told.tls == "starttls" and not isinstance(self.line, ssl.SSLSocket):
            offers.append("STARTTLS")
        if self.told.users or "AUTH" in self.told.answers:
            offers.append("AUTH PLAIN")
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        self._reply("EHLO", command, "\r\n".join(lines))

    _helo = _ehlo

    def _starttls(self, command: str) -> None:
        if self._reply("STARTTLS", command, "220 go ahead").startswith("220"):
            self._encrypt()

    def _auth(self, command: str) -> None:
        parts = command.split(" ")
        if len(parts) < 3:
            self._send("334 ")
            parts.append(self.file.readline().decode().strip())
        _, user, password = b64decode(parts[2]).decode().split("\0")
        good = self.told.users.get(user) == password
        self._reply("AUTH", command, "235 welcome" if good else "535 5.7.8 authentication failed")

    def _mail(self, command: str) -> None:
        self.sender = command.partition("<")[2].partition(">")[0]
        self._reply("MAIL", command, "250 sender ok")

    def _rcpt(self, command: str) -> None:
        if self._reply("RCPT", command, "250 recipient ok").startswith("25"):
            self.recipients.append(command.partition("<")[2].partition(">")[0])

    def _rset(self, command: str) -> None:
        self.sender, self.recipients = "", []
        self._send("250 forgotten")

    def _noop(self, command: str) -> None:
        self._send("250 ok")

    def _unknown(self, command: str) -> None:
        self._send("502 what?")

    def _data(self, command: str) -> None:
        if not self._reply("DATA", command, "354 go on").startswith("354"):
            return
        lines: list[bytes] = []
        while (line := self.file.readline()) != b".\r\n":
            if not line:
                raise _HungUp
            lines.append(line[1:] if line.startswith(b".") else line)
            if len(lines) == 5:
                self._hook("mid-data")
                if self.told.drop == "mid-data":
                    raise _HungUp
        received = Received(self.sender, self.recipients, b"".join(lines))
        self._end(command, received)

    def _end(self, command: str, received: Received) -> None:
        usual = f"250 2.0.0 taken as {len(self.twin.messages) + 1}"
        if self._answer("END", command, usual).startswith("250"):
            self.twin.messages.append(received)
        self._hook("received")
        if self.told.drop == "no-reply":
            raise _HungUp
        received.answered = self._reply("END", command, usual).startswith("250")
        self._hook("replied")
        self.recipients = []
        if self.told.drop == "after-250":
            raise _HungUp

    def _answer(self, stage: str, command: str, usual: str) -> str:
        told = self.told.answers.get(stage)
        return (told(command) if callable(told) else told) or usual

    def _reply(self, stage: str, command: str, usual: str) -> str:
        if stage != "END":
            self._hook(stage)
        if stage in self.told.silent:
            self.twin.stopped.wait()
            raise _HungUp
        answer = self._answer(stage, command, usual)
        self._send(answer)
        if answer.startswith("421"):
            raise _HungUp
        return answer

    def _send(self, answer: str) -> None:
        if self.told.delay:
            self.twin.stopped.wait(self.told.delay)
        self.line.sendall(answer.encode() + b"\r\n")

    def _hook(self, stage: str) -> None:
        if self.told.hook is not None:
            self.told.hook(stage, self.recipients[0] if self.recipients else "")

    def _encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self_signed())
        self.file.close()
        self.line = context.wrap_socket(self.line, server_side=True)
        self.file = self.line.makefile("rb")


@contextmanager
def running() -> Iterator[SmtpTwin]:
    """A server that ends with the block."""
    twin = SmtpTwin()
    try:
        yield twin
    finally:
        twin.stop()


def certificate() -> Path:
    """The file that a client must trust (SSL_CERT_FILE) to find the twin's certificate good."""
    return self_signed()[0]
