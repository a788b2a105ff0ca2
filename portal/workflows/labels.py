"""What the states of runs and what started them are called."""

from flask_babel import gettext as _


def states() -> dict[str, tuple[str, str]]:
    """The states of a run in the order in which it goes through them, with their tones."""
    return {
        "queued": (_("Queued"), "grey"),
        "running": (_("Running"), "blue"),
        "waiting": (_("Waiting"), "yellow"),
        "done": (_("Done"), "green"),
        "failed": (_("Failed"), "red"),
        "cancelled": (_("Cancelled"), "grey"),
    }


def cause(kind: str) -> str:
    """What started a run."""
    return {
        "staff": _("By hand"),
        "redemption": _("Redemption"),
        "invitation": _("Invitation sent"),
        "workflow-run": _("Another workflow"),
        "contact_created": _("Contact created"),
        "invitation_expired": _("Invitation expired"),
    }.get(kind, kind)
