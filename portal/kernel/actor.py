"""Who acts: what the journal remembers of a person, free of any session or request."""

from dataclasses import dataclass
from typing import Literal

ActorKind = Literal["staff", "contact", "system"]


@dataclass(frozen=True)
class Actor:
    """A staff member, a contact, or the portal itself, with the address they came from."""

    kind: ActorKind
    id: int | None
    name: str
    ip: str | None = None

    def may(self, permission: str) -> bool:
        """Whether they hold a staff permission; only staff members hold any."""
        return False


SYSTEM = Actor("system", None, "Portal")
