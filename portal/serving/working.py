"""Runs the worker in this process."""

from flask import Flask

from portal.config import Settings
from portal.jobs import queue, runner
from portal.jobs.worker import Lane, Worker
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.mail import delivery, states


def work(app: Flask) -> None:
    """Do jobs and deliver mail until SIGTERM, then finish what is under way."""
    settings: Settings = app.config["PORTAL_SETTINGS"]
    with app.app_context(), transaction():
        # Whoever starts a worker may just have mended the configuration.
        states.try_again_now(clock.now())
    Worker(app, lanes(), settings.instance / "run", app.extensions["chores"]).run()


def lanes() -> list[Lane]:
    """The kinds of work, each with a thread of its own."""
    return [Lane("jobs", runner.turn, queue.JOBS), Lane("mail", delivery.turn, states.MESSAGES)]
