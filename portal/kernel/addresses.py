"""E-mail addresses: which ones are accepted, and when two are the same."""

import re

from email_validator import EmailNotValidError, validate_email

LONGEST = 254
_PLAIN_LOCAL = re.compile(r"[^\s@,;:<>()\[\]\"\\\x00-\x20\x7f-\x9f\u2028\u2029]+")


class BadAddress(ValueError):
    """Not one plain address; the text says why."""


def parse(typed: str) -> str:
    """The one address that was typed, as it will be stored and mailed.

    One address only: no display name, list, comment or quoted local part. Raises BadAddress.
    """
    text = typed.strip()
    local, at, _ = text.rpartition("@")
    if not at or len(text) > LONGEST or not _PLAIN_LOCAL.fullmatch(local):
        raise BadAddress(text)
    try:
        valid = validate_email(
            text, check_deliverability=False, allow_smtputf8=True, test_environment=True, globally_deliverable=False
        )
    except EmailNotValidError as fault:
        raise BadAddress(str(fault)) from fault
    return f"{local}@{valid.ascii_domain or valid.domain}"


def canonical(address: str) -> str:
    """The form in which addresses are compared: the domain as IDNA in lower case, ASCII letters of the local
    part in lower case. Other letters stay as they are: `mıke@` is not `mike@` (Django CVE-2019-19844)."""
    local, _, domain = address.rpartition("@")
    lowered = "".join(c.lower() if c.isascii() else c for c in local)
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        pass
    return f"{lowered}@{domain.lower()}"
