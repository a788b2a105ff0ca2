"""Exactly the expected headers reach the line, whatever is in a name."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest

from portal.mail.framing import Letter, Unframeable, frame

EXPECTED = {
    "From",
    "To",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "Auto-Submitted",
    "Content-Language",
    "MIME-Version",
    "Content-Type",
}
# CR, LF and what CPython's own header code takes for a line end; the others are refused all the same.
CONTROLS = ["\r", "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x00", "\x7f"]


def letter(**changes: Any) -> Letter:
    values = {
        "message_id": "<m7.abc@portal.example>",
        "sender_name": "Anna Weber via Portal",
        "sender": "portal@portal.example",
        "to": "bert@example.org",
        "reply_to": "anna@example.org",
        "subject": "Anna Weber invites you",
        "date": datetime(2026, 11, 20, 12, tzinfo=UTC),
        "text": "Hello\n",
        "html": "<p>Hello</p>\n",
    }
    return Letter(**{**values, **changes})


@pytest.mark.parametrize("control", CONTROLS, ids=repr)
@pytest.mark.parametrize("name", ["subject", "sender_name", "reply_to", "to", "sender", "message_id"])
def test_a_control_character_is_refused(name: str, control: str) -> None:
    with pytest.raises(Unframeable, match="control character"):
        frame(letter(**{name: f"hi{control}X-Evil: yes"}))


@pytest.mark.parametrize(
    "name",
    [
        "Müller, Anna",
        'Anna "die Große" Weber',
        "back\\slash",
        "=?utf-8?q?X-Evil?=",
        " ".join(["Ана Вебер"] * 12),
        "王" * 60,
        "O'Neill <evil@example.org>",
    ],
)
def test_any_name_comes_out_as_it_went_in(name: str) -> None:
    parsed: Any = message_from_bytes(frame(letter(sender_name=name, subject=name)), policy=policy.default)
    assert set(parsed.keys()) == EXPECTED
    assert len(parsed.keys()) == len(EXPECTED)
    assert parsed["Subject"] == name
    [sender] = parsed["From"].addresses
    assert sender.addr_spec == "portal@portal.example"
    # CPython 3.11 puts blanks between encoded words of a display name; they are not there.
    assert sender.display_name.replace(" ", "") == name.replace(" ", "")
    assert [address.addr_spec for address in parsed["To"].addresses] == ["bert@example.org"]


def test_no_line_is_too_long_and_both_parts_arrive_whole() -> None:
    text = "é" * 3000 + "\n.\n..dots\nFrom here\ntrailing blank \n"
    html = "<p>" + "x" * 5000 + "=</p>"
    raw = frame(letter(text=text, html=html, subject="ü" * 150))
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert b"\n" not in raw.replace(b"\r\n", b"")
    parsed: Any = message_from_bytes(raw, policy=policy.default)
    plain, rich = parsed.iter_parts()
    assert plain.get_content().replace("\r\n", "\n") == text
    assert rich.get_content().strip() == html
    assert [part.get_content_type() for part in (plain, rich)] == ["text/plain", "text/html"]


def test_half_a_character_cannot_be_framed() -> None:
    with pytest.raises(UnicodeEncodeError):
        frame(letter(text="half \ud800"))


def test_without_a_reply_address_there_is_no_such_header() -> None:
    assert b"Reply-To" not in frame(letter(reply_to=None))
