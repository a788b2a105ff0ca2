"""A machine that webhooks call: answers as it is told to, and keeps what it was sent."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Call:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Hook:
    """`answers` are the statuses to answer with, the last one from then on; a redirect leads to `leads_to`."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    leads_to: str = ""
    calls: list[Call] = field(default_factory=list)


@contextmanager
def listening(host: str = "127.0.0.1") -> Iterator[Hook]:
    """A hook on a free port."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            hook.calls.append(Call(self.path, dict(self.headers.items()), body))
            status = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", hook.leads_to)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815  (the server's own names)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer((host, 0), Handler)
    hook.url = f"http://{host}:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
