"""What states and kinds of messages are called on the page."""

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
    }


def kinds() -> dict[str, str]:
    """Name of each kind."""
    return {
        "invitation": _("Invitation"),
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
    }
