"""What the HTTP twins share: a server on the loopback interface that records what it is sent, and has faults."""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class Sent:
    """A request that came in."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    headers: dict[str, str]


@dataclass
class Answer:
    """What goes back: JSON of `body`, unless it is bytes or text already; with `pause`, byte by byte."""

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pause: float = 0

    @property
    def raw(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


def redirect(url: str) -> Answer:
    """Sends the browser on."""
    return Answer(status=302, headers={"Location": url})


class WebTwin:
    """A server. `sent` holds what came in. Faults, by path: `answers[path]` replaces the usual answer (`Answer(…)`),
    `slow[path]` is waited for first, `stop()` refuses connections until `listen()`."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.answers: dict[str, Answer] = {}
        self.slow: dict[str, float] = {}
        self.stopped = threading.Event()
        self.port = 0
        self._server: ThreadingHTTPServer | None = None
        self.listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, sent: Sent) -> Answer:
        """The usual answer to a request."""
        raise NotImplementedError

    def to(self, path: str) -> list[Sent]:
        """What came in for one path."""
        return [one for one in self.sent if one.path == path]

    def listen(self) -> None:
        """Start, or start again at the same port."""
        self.stopped.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.stopped.set()  # whoever is being slow stops waiting
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _respond(self, sent: Sent) -> Answer:
        self.sent.append(sent)
        self.stopped.wait(self.slow.get(sent.path, 0))
        return self.answers.get(sent.path) or self.answer(sent)


def _handler(twin: WebTwin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            parts, body = urlsplit(self.path), self.rfile.read(length).decode()
            form = dict(parse_qsl(body, keep_blank_values=True))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = twin._respond(Sent(self.command, parts.path, query, form, headers))
            raw = answer.raw
            try:
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                for part in [raw] if not answer.pause else [raw[i : i + 1] for i in range(len(raw))]:
                    twin.stopped.wait(answer.pause)
                    self.wfile.write(part)
            except OSError:
                pass  # the other side gave up waiting

        do_GET = do_POST = _any  # noqa: N815  (the names that the library calls)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    return Handler
