"""The intent to redeem, kept in the session between the link or the code and the acceptance; nothing secret in it."""

from collections.abc import MutableMapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from portal.kernel.secrets_ import digest

KEY = "intent"
LINK: Literal["link"] = "link"
CODE: Literal["code"] = "code"


@dataclass(frozen=True)
class Intent:
    """Which invitation somebody means to redeem, and what they have proven.

    `contact_id` is the contact whom the proof names: that of the link, or of a Single that only its invited contact
    may redeem. `fingerprint` changes with the code, the links or the address, so that an intent does not outlive them.
    `reviewed`: the review page was the last they saw, so signing in there means accepting.
    """

    proof: Literal["link", "code"]
    invitation_id: int
    contact_id: int | None
    fingerprint: str
    returnurl: str | None = None
    reviewed: bool = False

    @property
    def mark(self) -> str:
        """What the buttons of a page about this intent carry, so that they never act on another."""
        return digest(f"{self.invitation_id}|{self.contact_id}|{self.fingerprint}")[:16]


def of_link(link_version: int, email_key: str | None) -> str:
    """The fingerprint of a link intent."""
    return digest(f"link|{link_version}|{email_key or ''}")


def of_code(code_lookup: str) -> str:
    """The fingerprint of a code intent."""
    return digest(f"code|{code_lookup}")


def remember(session: MutableMapping[str, Any], intent: Intent) -> None:
    """Keep the intent, in place of an earlier one."""
    session[KEY] = asdict(intent)


def recall(session: MutableMapping[str, Any]) -> Intent | None:
    """The intent of this browser, or None."""
    kept = session.get(KEY)
    return Intent(**kept) if kept else None


def mark_reviewed(session: MutableMapping[str, Any], seen: bool) -> None:
    """Note whether the review page is what the person saw last; writes only what changes."""
    intent = recall(session)
    if intent is not None and intent.reviewed != seen:
        remember(session, replace(intent, reviewed=seen))


def forget(session: MutableMapping[str, Any]) -> None:
    """Drop the intent, if there is one."""
    if KEY in session:
        del session[KEY]
