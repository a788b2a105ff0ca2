"""The form that corrects an address."""

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField

from portal.web.forms import Address, Form, Version


class AddressForm(Form):
    """A contact's primary address."""

    email1 = Address(_l("Primary e-mail"), needed=True)
    create_anyway = BooleanField(_l("Use it anyway"))
    version = Version()
