"""The address that undeliverable mail comes back to, with the message in it."""

import re
from collections.abc import Iterator
from email.utils import parseaddr
from hmac import compare_digest

from portal.kernel.db import load
from portal.mail.models import Message
from portal.settings.queries import operator, ring

MAC = 20
_OURS = re.compile(rf"\+m([1-9][0-9]{{0,9}})-([0-9a-f]{{{MAC}}})@", re.IGNORECASE | re.ASCII)


def address(message: Message, sender: str) -> str:
    """The envelope sender of a message that comes from `sender`: `bounces+m123-<mac>@domain`, or `sender` where no
    return path is configured. Only we can make the MAC."""
    configured = operator().mail_return_path
    if not configured:
        return sender
    local, _, domain = configured.rpartition("@")
    return f"{local}+m{message.id}-{ring().lookup(_about(message))[:MAC]}@{domain}"


def usual() -> str:
    """An envelope sender as the mail server will see it, to ask whether it takes that."""
    return operator().mail_return_path or parseaddr(operator().mail_from)[1]


def messages(text: str) -> Iterator[Message]:
    """The messages that genuine return addresses in `text` name; a forged one names none."""
    for number, mac in _OURS.findall(text):
        message = load(Message, int(number))
        if message is not None and any(
            compare_digest(mac.lower(), known[:MAC]) for known in ring().lookups(_about(message))
        ):
            yield message


def _about(message: Message) -> str:
    return f"return-path:{message.id}:{message.message_id}"
