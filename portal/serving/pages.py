"""Serves the pages in this process, with gunicorn."""

import socket
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.http.wsgi import Response  # type: ignore[import-untyped]

from portal.serving.faults import CannotServe

THREADS = 4


class _Pages(BaseApplication):  # type: ignore[misc]
    def __init__(self, app: Flask, options: dict[str, Any]) -> None:
        self.app, self.options = app, options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self.app


def serve(app: Flask, host: str, port: int, workers: int) -> None:
    """Answer until SIGTERM, then finish what is being answered. Raises CannotServe when the port is taken."""
    check_port(host, port)
    _tell_no_server()
    _Pages(app, _options(host, port, workers)).run()


def _options(host: str, port: int, workers: int) -> dict[str, Any]:
    return {
        "bind": [f"[{host}]:{port}" if ":" in host else f"{host}:{port}"],
        "worker_class": "gthread",
        "workers": workers,
        "threads": THREADS,
        "preload_app": True,
        "timeout": 60,
        "graceful_timeout": 30,
        "keepalive": 5,
        "accesslog": None,
        "loglevel": "warning",
        "control_socket_disable": True,
    }


def check_port(host: str, port: int) -> None:
    """Say plainly that the port is taken, instead of trying for five seconds."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as fault:
        raise CannotServe(f"cannot listen on {host}:{port}: {fault.strerror}") from fault


def _tell_no_server() -> None:
    """An answer need not tell what serves it; gunicorn has no setting for that."""
    usual = Response.default_headers

    def quiet(response: Response) -> list[str]:
        return [line for line in usual(response) if not line.startswith("Server:")]

    Response.default_headers = quiet
