"""Structured logs: one JSON line per event, in UTC, without codes, tokens or anything typed."""

import logging
import secrets
import sys
import time

import structlog
from flask import Flask, Response, g, request


def configure() -> None:
    """Send every log of the process, libraries' too, to standard error as JSON lines.

    A person at a terminal sees warnings only: what happens in a healthy portal would bury what they were told.
    """
    level = logging.WARNING if sys.stderr.isatty() else logging.INFO
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=structlog.processors.JSONRenderer(), foreign_pre_chain=shared)
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def init(app: Flask) -> None:
    """Give each request an id, and log its route (never its address, which may hold a secret)."""

    @app.before_request
    def _begin() -> None:
        g.request_id = secrets.token_hex(8)
        g.began = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.after_request
    def _end(response: Response) -> Response:
        if "request_id" in g:
            structlog.get_logger("web").info(
                "web.request",
                method=request.method,
                route=request.url_rule.rule if request.url_rule else None,
                status=response.status_code,
                ms=round((time.perf_counter() - g.began) * 1000, 1),
            )
            response.headers["X-Request-ID"] = g.request_id
        return response
