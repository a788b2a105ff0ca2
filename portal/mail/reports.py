"""Reads what mail servers write about mail that did not arrive: RFC 3464, and what came before it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import policy
from email.message import Message as Part
from email.parser import BytesParser, HeaderParser
from email.utils import getaddresses

from portal.mail.transport import words

LONGEST = 10_000_000
# All that is needed stands at the beginning; the rest is the mail that came back.
READ = 1_000_000
MOST_PARTS, LONGEST_FIELD, LONGEST_TOLD = 100, 2_000, 50_000
_RETURNED_TO = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
_RECIPIENTS = ("Original-Recipient", "Final-Recipient")
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])", re.ASCII)
_BASIC = re.compile(r"(?<![\d.])([45])\d\d(?![\d.])", re.ASCII)
_MESSAGE_ID = re.compile(rb"<(m[1-9][0-9]{0,9}\.[A-Za-z0-9_-]{16}@[A-Za-z0-9.-]{1,255})>")
_BLANK_LINE = re.compile(r"\r?\n[ \t]*\r?\n")
_STATUS_PARTS = ("message/delivery-status", "message/global-delivery-status")
_NOT_YET = "has not yet been delivered"


@dataclass(frozen=True)
class Fate:
    """What became of a mail on its way to a recipient. `recipients` are the address it was sent to and the one that the
    server made of it; `status` is an enhanced status code such as 5.1.1, empty where there is none."""

    recipients: tuple[str, ...]
    action: str
    status: str
    words: str

    @property
    def final(self) -> bool:
        """Whether it will never arrive; else it is only late."""
        return self.action == "failed" or (not self.action and self.status.startswith("5"))

    @property
    def late(self) -> bool:
        """Whether the server is still trying."""
        return self.action == "delayed" or (not self.action and self.status.startswith("4"))


@dataclass(frozen=True)
class Report:
    """A report: the addresses that it came back to, the Message-IDs of ours that it holds, and what it says."""

    returned_to: str
    message_ids: tuple[str, ...]
    fates: tuple[Fate, ...]


def read(raw: bytes) -> Report | None:
    """What a mail reports; None when it is no report that can be understood."""
    if raw.lower().count(b"boundary", 0, READ) > MOST_PARTS:
        return None
    try:
        return _read(raw[:READ])
    except (RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError):
        # The parser of the standard library stumbles over some of what a stranger may send.
        return None


def _read(raw: bytes) -> Report | None:
    mail = BytesParser(policy=policy.compat32).parsebytes(raw)
    parts = list(_parts(mail))
    fates = [fate for part in parts if part.get_content_type() in _STATUS_PARTS for fate in _fates(part)]
    fates = fates or _as_exim(mail, parts)
    if not fates:
        return None
    returned_to = " ".join(value for name in _RETURNED_TO for value in _fields(mail, name))
    found = dict.fromkeys(identifier.decode() for identifier in _MESSAGE_ID.findall(raw))
    return Report(returned_to, tuple(found)[:MOST_PARTS], tuple(fates[:MOST_PARTS]))


def _parts(mail: Part) -> Iterator[Part]:
    """The parts of the mail itself, not those of a mail inside it."""
    waiting, seen = [mail], 0
    while waiting and seen < MOST_PARTS:
        part, seen = waiting.pop(0), seen + 1
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            waiting = [*part.get_payload(), *waiting]
        else:
            yield part


def _fates(part: Part) -> Iterator[Fate]:
    for block in _blocks(part):
        shown = [_address(value) for name in _RECIPIENTS for value in _fields(block, name)]
        recipients = tuple(dict.fromkeys(filter(None, shown)))
        if recipients:
            said = _after_type(" ".join(_fields(block, "Diagnostic-Code")[:1]))
            action = " ".join(_fields(block, "Action")[:1]).lower()
            yield Fate(recipients, action, _status(" ".join(_fields(block, "Status")[:1]), said), words(0, said))


def _blocks(part: Part) -> list[Part]:
    """The groups of fields of a delivery status, each as a message without a body."""
    payload = part.get_payload()
    if isinstance(payload, list) and part.get_content_type() == _STATUS_PARTS[0]:
        return [block for block in payload if isinstance(block, Part)]
    # The newer kind (RFC 6533) is not known to the parser, which takes it for a mail of its own.
    inner = payload[0] if isinstance(payload, list) and payload else part
    if not isinstance(inner, Part):
        return []
    rest = inner.get_payload(decode=True)
    texts = _BLANK_LINE.split(rest.decode("utf-8", "replace")) if isinstance(rest, bytes) else []
    return [inner, *(HeaderParser().parsestr(text.lstrip("\r\n")) for text in texts[:MOST_PARTS])]


def _as_exim(mail: Part, parts: list[Part]) -> list[Fate]:
    """Exim's way before it knew the standard: the recipients in a header, the words in the text."""
    listed = [value[:LONGEST_FIELD] for value in _fields(mail, "X-Failed-Recipients")[:MOST_PARTS]]
    failed = [address for _, address in getaddresses(listed)][:MOST_PARTS]
    plain = next((part for part in parts if part.get_content_type() == "text/plain"), None)
    body = plain.get_payload(decode=True) if plain is not None else None
    text = body.decode("utf-8", "replace").replace("\r\n", "\n") if isinstance(body, bytes) else ""
    told = text.partition("\n------")[0][:LONGEST_TOLD]
    if failed:
        return [_said_by_exim(address, told) for address in failed if address]
    if _NOT_YET in " ".join(told.split()):
        late = re.findall(r"(?m)^[ \t]+([^\s@]+@[^\s@]+)[ \t]*$", told)
        return [Fate((address,), "delayed", "", "") for address in late]
    return []


def _said_by_exim(address: str, told: str) -> Fate:
    lines = told.splitlines()
    begin = next((n for n, line in enumerate(lines) if address.lower() in line.lower()), len(lines))
    said = []
    for line in lines[begin + 1 : begin + 8]:
        if not line[:1].isspace() or not line.strip():
            break
        said.append(line.strip())
    return Fate((address,), "failed", _status("", " ".join(said)), words(0, " ".join(said)))


def _status(code: str, said: str) -> str:
    """The most telling of the codes: many servers put 5.0.0 into the field and the reason into their words."""
    for text in (code, said):
        for found in _ENHANCED.finditer(text):
            if found[2] != "0":
                return found[0]
    general = _ENHANCED.search(code) or _ENHANCED.search(said)
    if general:
        return general[0]
    basic = _BASIC.search(said)
    return f"{basic[1]}.0.0" if basic else ""


def _address(field: str) -> str:
    """The address of a recipient field, such as `rfc822;anna@example.org`."""
    return _after_type(field).strip().strip("<>").strip()


def _after_type(text: str) -> str:
    kind, mark, rest = text.partition(";")
    return rest.strip() if mark and re.fullmatch(r"\s*[A-Za-z0-9-]+\s*", kind) else text


def _fields(part: Part, name: str) -> list[str]:
    """The header fields of that name on one line each, read as UTF-8 whatever they claim."""
    raw = [str(value) for found, value in part.raw_items() if found.lower() == name.lower()]
    return [" ".join(v.encode("utf-8", "surrogateescape").decode("utf-8", "replace").split()) for v in raw]
