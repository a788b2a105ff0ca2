"""E-mail addresses: which ones are accepted, and when two are the same."""

import re
from contextlib import suppress

import idna
from email_validator import EmailNotValidError, validate_email

LONGEST, LONGEST_LOCAL = 254, 64
_PLAIN_LOCAL = re.compile(r"[^\s@,;:<>()\[\]\"\\\x00-\x20\x7f-\x9f\u2028\u2029]+")


class BadAddress(ValueError):
    """Not one plain address; the text says why."""


def parse(typed: str) -> str:
    """The one address that was typed, as it will be stored and mailed.

    One address only: no display name, list, comment or quoted local part. Raises BadAddress.
    """
    text = typed.strip()
    local, at, _ = text.rpartition("@")
    if not at or len(text) > LONGEST or len(local.encode()) > LONGEST_LOCAL or not _PLAIN_LOCAL.fullmatch(local):
        raise BadAddress(text)
    try:
        valid = validate_email(
            text, check_deliverability=False, allow_smtputf8=True, test_environment=True, globally_deliverable=False
        )
    except EmailNotValidError as fault:
        raise BadAddress(str(fault)) from fault
    address = f"{local}@{valid.ascii_domain or valid.domain}"
    if len(address) > LONGEST:
        raise BadAddress(text)
    return address


def canonical(address: str) -> str:
    """The form in which addresses are compared: the domain as IDNA in lower case, ASCII letters of the local
    part in lower case. Other letters stay as they are: `mıke@` is not `mike@` (Django CVE-2019-19844)."""
    local, _, domain = address.rpartition("@")
    with suppress(idna.IDNAError):
        domain = idna.encode(domain, uts46=True).decode()  # the same rules by which parse() stores a domain
    return f"{lowered(local)}@{domain.lower()}"


def lowered(text: str) -> str:
    """`text` with its ASCII letters in lower case and all others as they are."""
    return "".join(c.lower() if c.isascii() else c for c in text)
