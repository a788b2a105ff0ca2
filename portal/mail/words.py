"""What states and kinds of messages are called on the page, and what the codes of mail servers mean."""

import re

from flask_babel import gettext as _


def states() -> dict[str, tuple[str, str]]:
    """Name and tone of each state."""
    return {
        "queued": (_("Queued"), "blue"),
        "sending": (_("Sending"), "blue"),
        "deferred": (_("Deferred"), "yellow"),
        "sent": (_("Sent"), "green"),
        "failed": (_("Failed"), "red"),
        "cancelled": (_("Cancelled"), "grey"),
        "bounced": (_("Came back"), "red"),
    }


def kinds() -> dict[str, str]:
    """Name of each kind."""
    return {
        "invitation": _("Invitation"),
        "reminder": _("Reminder"),
        "workflow": _("Message of a workflow"),
        "welcome": _("Welcome"),
        "reset-password": _("New password"),
        "confirm-email": _("Confirm the address"),
        "second-factor": _("Code to sign in"),
        "password-changed": _("Password changed"),
        "sign-in-replaced": _("Sign-in replaced"),
        "sign-in-changed": _("Sign-in changed"),
        "staff-sign-in-changed": _("Staff sign-in changed"),
        "change-email": _("Confirm the new address"),
        "set-password": _("Set a password"),
        "redeemed": _("Invitation accepted"),
        "declined": _("Invitation declined"),
        "request": _("Request for a new invitation"),
        "digest": _("Daily digest"),
        "test-mail": _("Test message"),
        "template-test": _("Test of a template"),
    }


def outcomes() -> dict[str, str]:
    """What each thing that can happen to a message is called."""
    return {
        "sent": _("The mail server took it"),
        "deferred": _("Not taken yet"),
        "failed": _("Refused"),
        "cancelled": _("Cancelled"),
        "bounced": _("Came back"),
        "delayed": _("Taken, but late: a further server is still trying"),
        "retried": _("Tried again at once"),
    }


def reason(answer: str) -> str:
    """What a server's answer means, in plain words; empty where its code says nothing that is known."""
    found = _CODE.search(answer)
    if found is None:
        return ""
    known = _reasons()
    kind, subject, exact = found[1], found[2], f"{found[2]}.{found[3]}"
    if exact in known:
        return known[exact]
    if subject in known:
        return known[subject]
    return _("A mail server refused it for good.") if kind == "5" else ""


_CODE = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.])", re.ASCII)


def _reasons() -> dict[str, str]:
    """By subject and detail of the enhanced status codes (RFC 3463 and its registry)."""
    nobody = _("Nobody has this address.")
    no_domain = _("The part of the address after the @ does not exist, or takes no mail.")
    policy = _("The recipient's mail server does not want this mail. Its administrator can say why.")
    return {
        "1.0": nobody,
        "1.1": nobody,
        "1.2": no_domain,
        "1.3": _("The address is not one that the recipient's mail server understands."),
        "1.6": _("The recipient has moved, and left no new address."),
        "1.10": no_domain,
        "2.0": _("The mailbox does not take mail at present."),
        "2.1": _("The mailbox is switched off."),
        "2.2": _("The mailbox is full."),
        "2.3": _("The mail is longer than the mailbox takes."),
        "3.4": _("The mail is larger than the recipient's mail server takes."),
        "4.1": _("The recipient's mail server does not answer."),
        "4.4": _("No mail server for this address can be found."),
        "4.7": _("It could not be delivered for so long that the server gave up."),
        "4": _("The way to the recipient's mail server is disturbed."),
        "7": policy,
    }
