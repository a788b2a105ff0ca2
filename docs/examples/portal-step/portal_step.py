"""Two steps for workflows: a member number on the timeline, and waiting for a weekday."""

from datetime import timedelta

from portal.journal.services import record
from portal.kernel.actor import SYSTEM
from portal.workflows.steps import Context, Outcome, StepFailed

SATURDAY = 5


def member_number(about: Context, argument: str) -> str:
    """Give a member number.

    The argument is what the number begins with. What is written to the database here is committed together with the
    mark that this step is done, so that a step that was killed half way never counts twice.
    """
    prefix = argument.strip()
    if not prefix.isalnum():
        raise StepFailed("Type letters or digits as the argument: the number begins with them.")
    contact = about.person()
    number = f"{prefix}-{contact.id:06}"
    record("note", *about.records, by=SYSTEM, now=about.now, text=f"Member number {number}")
    return f"Gave the member number {number}."


def only_weekdays(about: Context, argument: str) -> Outcome:
    """Wait for a weekday."""
    away = (7 - about.now.weekday()) % 7 if about.now.weekday() >= SATURDAY else 0
    if not away:
        return Outcome("It is a weekday; went on at once.")
    return Outcome("Waits for Monday.", until=about.now + timedelta(days=away))
