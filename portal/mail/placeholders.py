"""Which placeholders each template knows, and how typed values are made harmless before they fill one."""

import re
import unicodedata
from contextlib import suppress
from textwrap import wrap
from typing import Any

from portal.kernel import addresses
from portal.kernel.names import holds_link, visible
from portal.mail.dates import told

LONGEST_VALUE = 200
LONGEST_TEXT, LONG = 2000, ("personal_message", "words")
"""Placeholders that hold several lines of text."""
RIGHT_TO_LEFT = ("ar",)

_INVITATION = (
    *("site_name", "inviter_name", "owner_name", "contact_name", "contact_first_name", "invitation_name", "link"),
    *("code", "redeem_url", "expires_text", "account_name", "role_names", "personal_message"),
)
_TO_OWNERS = (
    *("site_name", "owner_name", "contact_name", "invitation_name", "account_name", "role_names", "when"),
    *("words", "link"),
)

KNOWN: dict[str, tuple[str, ...]] = {
    # inviter_name: who invites; code: in groups; expires_text: a `dates.LastDay`, nothing for no end.
    "invitation": _INVITATION,
    "reminder": _INVITATION,
    # To the owner of an invitation. words: what the contact wrote; link: the page for staff; when: a moment.
    "redeemed": _TO_OWNERS,
    "declined": _TO_OWNERS,
    "request": _TO_OWNERS,
    # items: short lines, each telling one thing that happened.
    "digest": ("site_name", "owner_name", "link", "items"),
    "welcome": ("site_name", "name", "link"),
    # What a workflow writes to a contact, in a template of the site's own; link: the contact's profile.
    "message": ("site_name", "contact_name", "contact_first_name", "name", "link", "account_name", "role_names"),
    "reset-password": ("site_name", "name", "link", "minutes"),
    "confirm-email": ("site_name", "name", "link", "hours"),
    "second-factor": ("site_name", "name", "code", "minutes"),
    "password-changed": ("site_name", "name", "when"),
    "sign-in-replaced": ("site_name", "name", "when"),
    # what: which change; which: the one thing that it names, such as the provider.
    "staff-sign-in-changed": ("site_name", "name", "when", "what", "which"),
    "sign-in-changed": ("site_name", "name", "when", "what", "which"),
    "change-email": ("site_name", "name", "link", "hours"),
    "set-password": ("site_name", "name", "link", "hours", "username"),
    # To the staff member who tests the way to the mail server.
    "test-mail": ("site_name", "name", "link"),
}  # fmt: skip
"""The placeholders of each template. One that is left out or empty is nil there; another name is a mistake."""

_TAG = re.compile(r"<[^<>]*>")
_DOMAIN = re.compile(r"(?<=[^\s.])[.。．｡](?=[^\W\d_]{2,})")
_SLASHES = re.compile(r"(?<=[:/])(?=/)")
_PLAIN_ADDRESS = re.compile(r"(?!www\.)[\w.+'-]+@[^@]+", re.IGNORECASE)


def filled(template: str, values: dict[str, Any], base_url: str, language: str = "en") -> dict[str, Any]:
    """The values for `template`, ours as they are, days and moments told in `language`, typed ones made harmless.

    Raises ValueError for a name the template does not know, or a link that leads away from this site.
    """
    known = KNOWN[template]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"{template} has no placeholder {', '.join(unknown)}")
    given = {name: told(value, language) for name, value in values.items()}
    made = {name: _value(name, given[name], base_url) if given.get(name) else None for name in known}
    return {name: value if _as_it_is(name) else _apart(value, language) for name, value in made.items()}


def is_link(name: str) -> bool:
    """Whether a placeholder holds an address of this site."""
    return name == "link" or name.endswith("_url")


def _value(name: str, value: Any, base_url: str) -> Any:
    if is_link(name):
        if not str(value).startswith(f"{base_url}/"):
            raise ValueError(f"{name} leads away from this site")
        return str(value)
    if isinstance(value, list | tuple):
        return [_value(name, item, base_url) for item in value]
    if name == "site_name" or isinstance(value, int):
        return value
    if name == "username" and not holds_link(str(value)):
        return visible(str(value))  # it is typed as it stands here: no gap may get into it
    if name in LONG:
        return "\n".join(harmless(line) for line in _wrapped(str(value)[:LONGEST_TEXT]))
    return harmless(str(value))


def _as_it_is(name: str) -> bool:
    """Whether a placeholder must hold nothing but its value: it is opened, copied, compared, or a paragraph itself."""
    return is_link(name) or name in ("code", "what", *LONG)


def _apart(value: Any, language: str) -> Any:
    """Values that run against the direction of the message, set apart so that they turn nothing around them: an Arabic
    name in an English line, a Latin one in an Arabic line."""
    if isinstance(value, list):
        return [_apart(item, language) for item in value]
    against = ("L",) if language in RIGHT_TO_LEFT else ("R", "AL")
    if isinstance(value, str) and any(unicodedata.bidirectional(sign) in against for sign in value):
        return f"\u2068{value}\u2069"
    return value


def _wrapped(text: str) -> list[str]:
    """The lines of a text, none longer than a value may be."""
    return [part for line in text.splitlines() for part in (wrap(line, LONGEST_VALUE) or [""])]


def harmless(typed: str) -> str:
    """Text that people typed, so that no mail program makes a link of it: no tags, a gap in every address.

    An e-mail address by itself stays whole: it stands in for a missing name, and leads to a mailbox only.
    """
    bare = _TAG.sub("", typed).replace("<", "").replace(">", "")
    text = re.sub(" +", " ", bare).strip(" ")[:LONGEST_VALUE]
    # An address may begin like a web page (`www.evil.example/x@example.org`): such a one does not stay whole.
    if _PLAIN_ADDRESS.fullmatch(text):
        with suppress(addresses.BadAddress):
            return addresses.parse(text)
    return _SLASHES.sub(" ", _DOMAIN.sub(". ", text))
