"""How often signing in may fail: per account, per address and for the whole site, counted by all processes."""

from flask_babel import gettext as _
from limits import RateLimitItem, RateLimitItemPerMinute

from portal.kernel.secrets_ import digest
from portal.web import limits

ACCOUNT = RateLimitItemPerMinute(10, 5)
ADDRESS = RateLimitItemPerMinute(30, 5)
SITE = RateLimitItemPerMinute(1000, 5)


def check(kind: str, account_key: str, ip: str | None) -> None:
    """Raise TooFast when this account, this address or the site failed too often; counts nothing.

    `kind` is `staff` or `contact`; `account_key` what was typed to name the account, in its one spelling,
    whether such an account exists or not.
    """
    message = _("Signing in failed too often. Please wait a moment before you try again.")
    limits.check(message, *_all(kind, account_key, ip))


def failed(kind: str, account_key: str, ip: str | None) -> bool:
    """Count a failure and say whether it was the last one allowed for now. Never inside `transaction()`."""
    return limits.hit(*_all(kind, account_key, ip))


def succeeded(kind: str, account_key: str, ip: str | None) -> None:
    """Forget what this account and this address failed before. Never inside `transaction()`."""
    limits.clear(*_all(kind, account_key, ip)[:2])


def _all(kind: str, account_key: str, ip: str | None) -> tuple[tuple[RateLimitItem, str], ...]:
    # The account is named by its digest: what was typed there may be a password, and is not kept.
    return (
        (ACCOUNT, f"sign-in:{kind}:account:{digest(account_key)}"),
        (ADDRESS, f"sign-in:{kind}:ip:{limits.household(ip)}"),
        (SITE, f"sign-in:{kind}:site"),
    )
