"""The form of an account."""

from flask_babel import lazy_gettext as _l

from portal.accounts.services import LONGEST
from portal.web.forms import Form, Line, Version


class AccountForm(Form):
    """A new account."""

    name = Line(_l("Name"), most=LONGEST, needed=True)


class EditAccountForm(AccountForm):
    """An account that exists."""

    version = Version()
