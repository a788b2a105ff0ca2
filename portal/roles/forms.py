"""The form of a web role."""

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField

from portal.roles.services import LONGEST_DESCRIPTION, LONGEST_NAME, RoleValues
from portal.web.forms import Form, Line, Version


class RoleForm(Form):
    """A new web role."""

    name = Line(_l("Name"), most=LONGEST_NAME, needed=True)
    description = Line(_l("Description"), most=LONGEST_DESCRIPTION)
    managers_may_grant = BooleanField(_l("Invitation managers may grant this role"))

    def values(self) -> RoleValues:
        """What was typed."""
        return RoleValues(self.name.data, self.description.data, bool(self.managers_may_grant.data))


class EditRoleForm(RoleForm):
    """A web role that exists."""

    version = Version()
