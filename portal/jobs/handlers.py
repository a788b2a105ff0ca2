"""Which function does which kind of job; the composition root fills the table."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple, Protocol


class Handler(Protocol):
    """Does a job inside `transaction()`, together with the mark that it is done: its effect happens once."""

    def __call__(self, detail: dict[str, Any], job_id: int, now: datetime) -> None: ...


class Failure(NamedTuple):
    """A try that failed: why, the how-manieth it was, and whether it was the last."""

    error: str
    attempts: int
    final: bool


Report = Callable[[dict[str, Any], int, datetime, Failure], None]


class Registered(NamedTuple):
    """A handler, and what is told about each failed try (in a transaction of its own) where somebody wants to know."""

    run: Handler
    failed: Report | None = None


registry: dict[str, Registered] = {}


def handles(kind: str, *, failed: Report | None = None) -> Callable[[Handler], Handler]:
    """Let a function do the jobs of `kind`."""

    def register(run: Handler) -> Handler:
        registry[kind] = Registered(run, failed)
        return run

    return register
