"""What guards redeeming: whether the site offers it at all, and how often typed codes may fail."""

import threading
import time
from functools import wraps
from typing import ParamSpec

from flask import abort, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute

from portal.identity.guard import View
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import TooFast
from portal.redemption import services
from portal.settings.queries import site
from portal.web import limits

ADDRESS = RateLimitItemPerMinute(10, 5)
ADDRESS_PER_DAY = RateLimitItemPerDay(50)
SITE = RateLimitItemPerMinute(1000, 5)
REGISTERING = RateLimitItemPerHour(10)
SLOWED_SECONDS = 2
MOST_WAITING = 2
"""Of the four threads that each process has."""
P = ParamSpec("P")
_waiting = threading.BoundedSemaphore(MOST_WAITING)


def while_redeeming_is_on(view: View[P]) -> View[P]:
    """Answer 404 while registration or invitations are switched off."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
        if not site().redeems:
            abort(404)
        return view(*args, **kwargs)

    return guarded


def registers_openly() -> bool:
    """Whether anybody may create a sign-in without an invitation."""
    return site().registration_enabled and site().open_registration


def count_registration() -> None:
    """Count a try to register without an invitation against its address. Raises TooFast after ten within an hour.

    For every way of registering; never inside `transaction()`.
    """
    registering = (REGISTERING, f"register:ip:{limits.household(request.remote_addr)}")
    limits.check(_("There were many registrations from your network. Please wait before you try again."), registering)
    limits.hit(registering)


def check_codes() -> None:
    """Raise TooFast when this address tried too many codes that do not work; counts nothing.

    When the whole site was tried too often, by whatever number of addresses, every code has to wait instead: guessing
    stays slow, and nobody who was invited is turned away. Only so many wait at once, or they would keep the threads
    from all other pages; the next ones are asked to come back.
    """
    limits.check(_("There were too many codes that do not work. Please wait before you try again."), *_of_address())
    if not limits.exceeded(SITE, "code:site"):
        return
    if not _waiting.acquire(blocking=False):
        raise TooFast(_("Many people are entering codes just now. Please try again in a moment."), SLOWED_SECONDS)
    try:
        db.session.rollback()  # no connection is held for those seconds
        time.sleep(SLOWED_SECONDS)
    finally:
        _waiting.release()


def code_failed() -> None:
    """Count a code that does not work; the one that makes the whole site slow down is noted for staff."""
    limits.hit(*_of_address())
    if limits.hit((SITE, "code:site")):
        with transaction():
            services.guessing(clock.now())


def _of_address() -> tuple[tuple[RateLimitItem, str], ...]:
    whose = f"code:ip:{limits.household(request.remote_addr)}"
    return (ADDRESS, whose), (ADDRESS_PER_DAY, whose)
