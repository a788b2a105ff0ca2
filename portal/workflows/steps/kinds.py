"""What a type of step is: its fields, how it is checked, what it does."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from flask_babel import lazy_gettext as _l

from portal.contacts.models import Contact
from portal.journal.services import Record
from portal.kernel.errors import PortalError
from portal.staff.permissions import HOLDS, Permission
from portal.workflows.models import WorkflowRun

CONTACT, INVITATION = "contact", "invitation"
LINE, LINES, WHOLE, CHOICE, SECRET = "line", "lines", "whole", "choice", "secret"
ACCOUNT = "account"
Choices = Iterable[tuple[str, str]]


class StepFailed(PortalError):
    """The step could not be done; `message` is shown to staff. It is tried again."""


@dataclass(frozen=True)
class Field:
    """One thing that is set on a step. `kind` is line, lines, whole, choice, account (one of many, with a picker) or
    secret (sealed before it is stored, never shown again); `choices` gives (value, label) of what can be chosen now.
    `most` and `least` are lengths, of a whole number its bounds."""

    name: str
    label: Any
    kind: str = LINE
    needed: bool = True
    choices: Callable[[str], Choices] | None = None
    """Called with the workflow's primary entity."""
    help: Any = ""
    most: int = 500
    least: int = 0


def may_change_contacts(role: str) -> bool:
    """Whether somebody in this staff role may."""
    return Permission.MANAGE_CONTACTS in HOLDS.get(role, frozenset())


@dataclass(frozen=True)
class Context:
    """What a step works on. `contact` is None in a run on an invitation. `records` are those whose timelines it
    writes to; `facts` what conditions and webhooks may know; `activators` the staff roles of whoever activated it and
    the workflows that started it, blank for one who is not there any more."""

    run: WorkflowRun
    position: int
    contact: Contact | None
    records: tuple[Record, ...]
    facts: Mapping[str, Any]
    activators: tuple[str, ...]
    now: datetime

    @property
    def key(self) -> str:
        """Names this step of this run: what is done under this key is done once."""
        return f"workflow-run:{self.run.id}:{self.position}"

    def person(self) -> Contact:
        """The contact. Raises StepFailed in a run that has none."""
        if self.contact is None:
            raise StepFailed(str(_l("This step needs a contact.")))
        return self.contact

    def must_change_contacts(self) -> None:
        """Go on only while all of `activators` may change contacts. Raises StepFailed."""
        if not all(map(may_change_contacts, self.activators)):
            raise StepFailed(str(_l("Whoever activated this workflow may not change contacts (any more).")))


@dataclass(frozen=True)
class Outcome:
    """What a step did, in words. `until`: the next step waits for this instant. `stop`: there is no next step."""

    result: str
    until: datetime | None = None
    stop: bool = False


Values = Mapping[str, Any]
Do = Callable[[Values, Context], Outcome]
"""Does one step inside the transaction that counts it as done; raises to be tried again."""
Check = Callable[[Values, str, str], dict[str, str]]
"""Faults by field, for (values, primary entity, staff role of the activator)."""


def no_faults(values: Values, entity: str, role: str) -> dict[str, str]:
    """For a type with nothing to check beyond its fields."""
    return {}


@dataclass(frozen=True)
class StepType:
    """A type of step. `entities` are the primary entities it can run on. With `outside`, that is called first and
    outside any transaction (it may wait for other machines), and `do` gets what it returned as `values["outside"]`."""

    name: str
    label: Any
    icon: str
    do: Do
    help: Any = ""
    fields: tuple[Field, ...] = ()
    entities: frozenset[str] = frozenset({CONTACT, INVITATION})
    check: Check = no_faults
    outside: Callable[[Values, Context], Any] | None = None
    in_words: Callable[[Values], str] | None = None


class Invitations(Protocol):
    """What steps need of invitations, which stand above this slice."""

    def facts(self, invitation_id: int) -> dict[str, Any]:
        """What conditions, waits and webhooks may know of one; empty where it is gone."""

    def names(self, ids: Iterable[int]) -> dict[int, str]:
        """The names of those that exist."""

    def send(self, invitation_id: int, template: str, about: Context) -> str:
        """Queue the template's message for everybody who is still due one, and say how many. Raises StepFailed."""


@dataclass
class Known:
    """What the composition root tells this slice about."""

    invitations: Invitations | None = None
    types: dict[str, StepType] = field(default_factory=dict)


known = Known()
