"""Names: how they are folded for searching and sorting, and what none may hold."""

import re
import unicodedata

LONGEST_SEARCH = 100
_LINK = re.compile(
    r"://|//|\bwww\.|\b(?:mailto|javascript|data):"
    r"|[\w-]\.(?:com|net|org|info|biz|io|app|dev|xyz|top|site|online|shop|club|link|click|ru|cn|example)\b",
    re.IGNORECASE,
)


def fold(text: str, most: int) -> str:
    """`text` as it is compared, sorted and searched: case folded, blanks collapsed, at most `most` characters.

    Done here and not by the database, whose ideas of case differ.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())[:most]


# They turn the text around them, or show nothing at all. (The joiners stay: some languages write names with them.)
_DECEIVING = frozenset("\u200b\u2060\ufeff\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: str) -> str:
    """`text` without control characters and line separators (PostgreSQL refuses some, and mail headers others), and
    without what makes it look like another text."""
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs", "Zl", "Zp") and c not in _DECEIVING)


def searchable(text: str) -> str:
    """What somebody typed to search for, safe to look up: visible, trimmed, not overlong."""
    return visible(unicodedata.normalize("NFC", text)).strip()[:LONGEST_SEARCH].strip()


def holds_link(name: str) -> bool:
    """Whether a person's name holds what a mail program would turn into a link: invitations mail names to strangers."""
    return _LINK.search(name) is not None
