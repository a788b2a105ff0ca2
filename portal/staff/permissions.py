"""Every permission and which staff role holds it, on one page."""

from dataclasses import dataclass, field
from enum import StrEnum

from portal.kernel.actor import Actor, ActorKind


class Permission(StrEnum):
    """What a staff member may do."""

    VIEW = "view"
    """Open the staff side and read records; no codes, no message bodies."""
    MANAGE_CONTACTS = "manage_contacts"
    """Create and change contacts and accounts."""
    SET_PASSWORDS = "set_passwords"
    """Set a contact's temporary password, which they must change at its first use."""
    CREATE = "create"
    """Create, change, deactivate and activate invitations."""
    SEND = "send"
    """Send invitations, and own them."""
    SHOW_CODES = "show_codes"
    """See an invitation's code and copy its link."""
    GRANT = "grant"
    """Give web roles: managers those ticked for them on the role's page, owners all."""
    MANAGE_ROLES = "manage_roles"
    """Create and change web roles, and say who may grant them."""
    READ_MESSAGES = "read_messages"
    """Read the bodies of messages in the outbox."""
    EDIT_TEMPLATES = "edit_templates"
    """Change the e-mail templates."""
    EDIT_WORKFLOWS = "edit_workflows"
    """Change workflows."""
    MANAGE_SETTINGS = "manage_settings"
    """Change the site's settings."""
    MANAGE_STAFF = "manage_staff"
    """Add staff members, change their role, deactivate them."""
    READ_JOURNAL = "read_journal"
    """Read the journal of the whole site."""


class StaffRole(StrEnum):
    """The roles that ship with the portal; each staff member has one."""

    OWNER = "owner"
    MANAGER = "manager"
    EDITOR = "editor"
    VIEWER = "viewer"


_MANAGER = {
    Permission.VIEW,
    Permission.MANAGE_CONTACTS,
    Permission.CREATE,
    Permission.SEND,
    Permission.SHOW_CODES,
    Permission.GRANT,
    Permission.READ_MESSAGES,
}
HOLDS: dict[str, frozenset[Permission]] = {
    StaffRole.OWNER: frozenset(Permission),
    StaffRole.MANAGER: frozenset(_MANAGER),
    StaffRole.EDITOR: frozenset({Permission.VIEW, Permission.EDIT_TEMPLATES, Permission.EDIT_WORKFLOWS}),
    StaffRole.VIEWER: frozenset({Permission.VIEW}),
}


@dataclass(frozen=True)
class StaffActor(Actor):
    """A signed-in staff member as services see them: who, and with which rights."""

    kind: ActorKind = "staff"
    id: int = 0
    name: str = ""
    ip: str | None = None
    role: str = field(default="", kw_only=True)

    def may(self, permission: str) -> bool:
        """Whether their role holds the permission."""
        return permission in HOLDS.get(self.role, frozenset())


def may_grant(staff_role: str, *, managers_may_grant: bool) -> bool:
    """Whether somebody in `staff_role` may give a web role that is ticked for managers or not."""
    if staff_role == StaffRole.OWNER:
        return True
    return Permission.GRANT in HOLDS.get(staff_role, frozenset()) and managers_may_grant
