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
Outside = Callable[[dict[str, Any], datetime], Any]


class Registered(NamedTuple):
    """A handler, and what is told about each failed try (in a transaction of its own) where somebody wants to know.

    `outside` is what may wait for other machines: it is called before, outside any transaction, reads only, and what it
    gives stands in the handler's detail as `outside`. It may be called twice, the handler's effect happens once.
    """

    run: Handler
    failed: Report | None = None
    outside: Outside | None = None


registry: dict[str, Registered] = {}


def handles(kind: str, *, failed: Report | None = None, outside: Outside | None = None) -> Callable[[Handler], Handler]:
    """Let a function do the jobs of `kind`."""

    def register(run: Handler) -> Handler:
        registry[kind] = Registered(run, failed, outside)
        return run

    return register
