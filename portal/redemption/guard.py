"""What guards redeeming: whether the site offers it at all, and how often typed codes may fail."""

from functools import wraps
from typing import ParamSpec

from flask import abort, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute

from portal.identity.guard import View
from portal.settings.queries import site
from portal.web import limits

ADDRESS = RateLimitItemPerMinute(10, 5)
ADDRESS_PER_DAY = RateLimitItemPerDay(50)
SITE = RateLimitItemPerMinute(1000, 5)
P = ParamSpec("P")


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


def check_codes() -> None:
    """Raise TooFast when this address, or the whole site, tried too many codes that do not work; counts nothing."""
    limits.check(_("There were too many codes that do not work. Please wait before you try again."), *_limits())


def code_failed() -> None:
    """Count a code that does not work."""
    limits.hit(*_limits())


def _limits() -> tuple[tuple[RateLimitItem, str], ...]:
    whose = f"code:ip:{limits.household(request.remote_addr)}"
    return (
        (ADDRESS, whose),
        (ADDRESS_PER_DAY, whose),
        (SITE, "code:site"),
    )
