"""Steps and workflows in words."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.workflows import steps
from portal.workflows.forms import Offers, triggers
from portal.workflows.labels import cause as cause
from portal.workflows.labels import states as states
from portal.workflows.models import Workflow


class Line(NamedTuple):
    """A step as people read it."""

    label: str
    words: str
    icon: str


class InWords:
    """Puts steps into words; what several steps need is asked for once."""

    def __init__(self, entity: str, *several: Iterable[dict[str, Any]]) -> None:
        self.offers = Offers(entity)
        ids = [step.get("account") for given in several for step in given if step.get("type") == "assign_account"]
        self.accounts = accounts.names(one for one in ids if isinstance(one, int)) if ids else {}

    def lines(self, given: Sequence[dict[str, Any]]) -> list[Line]:
        """A line for each step."""
        return [self._line(step) for step in given]

    def _line(self, step: dict[str, Any]) -> Line:
        name = str(step.get("type", ""))
        kind = steps.types.get(name)
        if kind is None:
            return Line(name, _("There is no step of this type any more."), "alert-triangle")
        return Line(str(kind.label), self._words(kind, step), kind.icon)

    def _words(self, kind: steps.StepType, step: dict[str, Any]) -> str:
        """By what is offered where that says it all, else as the type puts it."""
        if len(kind.fields) == 1:
            field = kind.fields[0]
            value = step.get(field.name)
            if field.kind == steps.ACCOUNT:
                return self.accounts.get(value, "") if isinstance(value, int) else ""
            if field.kind == steps.CHOICE and str(value) in (found := self.offers.of(field)):
                return found[str(value)]
        try:
            return kind.in_words(step) if kind.in_words and any(map(step.get, _names(kind))) else ""
        except (LookupError, TypeError, ValueError):  # a draft may hold anything
            return ""


def standing(workflow: Workflow) -> tuple[str, str]:
    """What a workflow's badge says, with its tone."""
    if workflow.activated:
        return _("Activated"), "green"
    return (_("Draft"), "grey") if workflow.activated_at is None else (_("Deactivated"), "red")


def entity(workflow: Workflow) -> str:
    """What it runs on."""
    return _("Contact") if workflow.primary_entity == steps.CONTACT else _("Invitation")


def trigger(workflow: Workflow) -> str:
    """What starts it by itself; blank where nothing does."""
    return dict(triggers(workflow.primary_entity)).get(workflow.trigger, workflow.trigger)


def invitation_names(ids: Iterable[int]) -> dict[int, str]:
    """The names of the invitations that exist."""
    wanted = set(ids)
    return steps.known.invitations.names(wanted) if wanted and steps.known.invitations else {}


def _names(kind: steps.StepType) -> list[str]:
    return [field.name for field in kind.fields]
