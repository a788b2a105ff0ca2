"""What an authenticator's answer, and the name of a passkey, are sent with."""

from flask import request
from flask_babel import lazy_gettext as _l

from portal.passkeys.ceremonies import Answer, Faulty, read
from portal.passkeys.services import LONGEST_NAME, Refused
from portal.web.forms import Form, Line


class NameForm(Form):
    """The name of a passkey."""

    name = Line(_l("Name of the passkey"), most=LONGEST_NAME, needed=True)


def sent_answer() -> Answer:
    """The authenticator's answer in this request. Raises Refused where there is none that can be read."""
    try:
        return read(request.form.get("credential", ""))
    except Faulty as fault:
        raise Refused(str(fault)) from fault
