"""Frames a message as the bytes that go over the line: exactly these headers, no line too long.

Written here rather than with Flask-Mail's message or `email.mime`: those let a vertical tab in a subject become
a header of its own, emit overlong lines, and take a hundred times as long.
"""

import base64
import binascii
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

WORD_BYTES = 39  # with "Subject: " in front and the signs around it, 76 characters at most
_PLAIN = re.compile(r"[\x20-\x7e]*")


class Unframeable(ValueError):
    """The message holds something that must not reach a header; the text says where."""


@dataclass(frozen=True)
class Letter:
    """A message with everything settled: addresses are checked, texts may hold anything."""

    message_id: str
    sender_name: str
    sender: str
    to: str
    reply_to: str | None
    subject: str
    date: datetime
    text: str
    html: str
    language: str = "en"

    @property
    def shown_sender(self) -> str:
        """The From line as people read it."""
        return f"{self.sender_name} <{self.sender}>"


def frame(letter: Letter) -> bytes:
    """The letter as bytes with CRLF line ends. Raises Unframeable, or UnicodeEncodeError for half a character."""
    for name in ("message_id", "sender_name", "sender", "to", "reply_to", "subject", "language"):
        _refuse_controls(name, getattr(letter, name) or "")
    # Quoted-printable writes every "=" as "=3D", so no body can hold this line.
    boundary = "=_" + re.sub(r"[^A-Za-z0-9]", "", letter.message_id)[:40]
    headers = [
        f"From: {_phrase(letter.sender_name)} <{letter.sender}>",
        f"To: {letter.to}",
        f"Subject: {_words(letter.subject)}",
        f"Date: {format_datetime(letter.date)}",
        f"Message-ID: {letter.message_id}",
        "Auto-Submitted: auto-generated",
        f"Content-Language: {letter.language}",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
    ]
    if letter.reply_to:
        headers.insert(2, f"Reply-To: {letter.reply_to}")
    parts = [
        "\r\n".join(headers).encode() + b"\r\n\r\n",
        _part(boundary, "plain", letter.text),
        _part(boundary, "html", letter.html),
        f"--{boundary}--\r\n".encode(),
    ]
    return b"".join(parts)


def _refuse_controls(name: str, text: str) -> None:
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in text):
        raise Unframeable(f"{name.replace('_', ' ')} holds a control character")


def _part(boundary: str, subtype: str, content: str) -> bytes:
    lines = "\r\n".join(content.splitlines()) + "\r\n"
    head = (
        f"--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    return head.encode() + binascii.b2a_qp(lines.encode(), istext=True) + b"\r\n"


def _phrase(name: str) -> str:
    """A display name: quoted where it is plain, encoded where it is not."""
    if _PLAIN.fullmatch(name) and "=?" not in name:
        escaped = re.sub(r'(["\\])', r"\\\1", name)
        return f'"{escaped}"'
    return _words(name)


def _words(text: str) -> str:
    """Header text; what is not plain ASCII becomes encoded words, cut between characters."""
    if _PLAIN.fullmatch(text) and "=?" not in text:
        return text
    chunks = [b""]
    for character in text:
        encoded = character.encode()
        if len(chunks[-1]) + len(encoded) > WORD_BYTES:
            chunks.append(b"")
        chunks[-1] += encoded
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(chunk).decode()}?=" for chunk in chunks)
