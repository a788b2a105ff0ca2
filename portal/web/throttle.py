"""How often signing in may fail: per account, per address and for the whole site, counted by all processes.

An account waits after ten failures within five minutes, half a minute at first, twice as long with each failure that
follows, and a quarter of an hour at most. Where the site has no lockout, accounts never wait; addresses still do.
"""

from flask import current_app
from flask_babel import gettext as _
from limits import RateLimitItem, RateLimitItemPerMinute

from portal.kernel.errors import TooFast
from portal.kernel.secrets_ import digest
from portal.web import limits

ACCOUNT, WITHIN = 10, 5 * 60
FIRST_WAIT, LONGEST_WAIT = 30, 15 * 60
WAITS_KEPT = 60 * 60
ADDRESS = RateLimitItemPerMinute(30, 5)
SITE = RateLimitItemPerMinute(1000, 5)


def check(kind: str, account_key: str, ip: str | None) -> None:
    """Raise TooFast when this account, this address or the site failed too often; counts nothing.

    `kind` is `staff` or `contact`; `account_key` what was typed to name the account, in its one spelling,
    whether such an account exists or not.
    """
    message = _("Signing in failed too often. Please wait a moment before you try again.")
    waits, left = limits.counted(_keys(kind, account_key)[2]) if _accounts_wait() else (0, 0)
    if waits:
        raise TooFast(message, left)
    limits.check(message, *_shared(kind, ip))


def failed(kind: str, account_key: str, ip: str | None) -> bool:
    """Count a failure and say whether it was the last one allowed for now. Never inside `transaction()`."""
    waits = _accounts_wait() and _account_failed(*_keys(kind, account_key))
    return limits.hit(*_shared(kind, ip)) or waits


def succeeded(kind: str, account_key: str, ip: str | None) -> None:
    """Forget what this account failed before. Never inside `transaction()`.

    What its address failed stays counted: else one account of one's own would buy endless guesses at others.
    """
    limits.uncount(*_keys(kind, account_key))


def _account_failed(failures: str, waits: str, waiting: str) -> bool:
    """Count a failure of an account; whether it has to wait from now on."""
    waited, _left = limits.counted(waits)
    if limits.count(failures, WITHIN) < ACCOUNT and not waited:
        return False
    # Of several failures at once the first begins the wait; the others do not make it longer.
    first = limits.count(waiting, min(FIRST_WAIT * 2**waited, LONGEST_WAIT)) == 1
    if first:
        limits.count(waits, WAITS_KEPT)
    return first


def _accounts_wait() -> bool:
    lockout: bool = current_app.extensions["lockout"]()
    return lockout


def _keys(kind: str, account_key: str) -> tuple[str, str, str]:
    """Where the failures of an account are counted, its waits, and the one it is in."""
    # The account is named by its digest: what was typed there may be a password, and is not kept.
    whose = f"sign-in:{kind}:account:{digest(account_key)}"
    return f"{whose}:failures", f"{whose}:waits", f"{whose}:waiting"


def _shared(kind: str, ip: str | None) -> tuple[tuple[RateLimitItem, str], ...]:
    return (
        (ADDRESS, f"sign-in:{kind}:ip:{limits.household(ip)}"),
        (SITE, f"sign-in:{kind}:site"),
    )
