"""The forms that invitees meet: the code, signing in, creating a sign-in."""

import re
import unicodedata

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, ValidationError
from wtforms.fields.core import Field

from portal.identity.forms import LONGEST_IDENTIFIER, SameAs, Secret, StrongEnough, Username
from portal.kernel import codes
from portal.kernel.names import holds_link
from portal.web.forms import Address, Form, Line, Lines

LONGEST_NAME, LONGEST_WORDS = 100, 500
PLAIN = {"autocapitalize": "none", "spellcheck": "false"}


class CodeForm(Form):
    """The invitation code."""

    code = Line(
        _l("Invitation code"),
        most=codes.LONGEST_TYPED,
        needed=True,
        render_kw={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"},
    )

    def validate_code(self, field: Field) -> None:
        """Whether it could be a code at all."""
        if field.data and len(codes.normalise(field.data)) < codes.SHORTEST:
            raise ValidationError(_("This does not look like an invitation code. It is in your invitation e-mail."))


class SignInForm(Form):
    """Username or e-mail address, and password."""

    identifier = Line(
        _l("Username or e-mail address"),
        most=LONGEST_IDENTIFIER,
        needed=True,
        render_kw={"autocomplete": "username", **PLAIN},
    )
    password = Secret(_l("Password"), autocomplete="current-password")
    remember = BooleanField(_l("Stay signed in on this device"))


class FactorForm(Form):
    """The code that was mailed as a second factor."""

    code = Line(
        _l("Code"),
        most=30,
        needed=True,
        render_kw={"autocomplete": "one-time-code", "inputmode": "numeric", **PLAIN},
    )
    remember_browser = BooleanField(_l("Do not ask for a code on this device for 30 days"))

    def validate_code(self, field: Field) -> None:
        """Six digits, whatever stands between them."""
        digits = re.sub(r"[\s.-]+", "", unicodedata.normalize("NFKC", field.data or ""))
        if not re.fullmatch(r"[0-9]{6}", digits):
            raise ValidationError(_("The code has six digits. It is in the e-mail we have just sent you."))
        field.data = digits


class SignUpForm(Form):
    """A username and a password, for a contact whose name and address are known."""

    username = Username(_l("Username"))
    password = Secret(_l("Password"), autocomplete="new-password")
    confirm = Secret(_l("Password again"), autocomplete="new-password")

    def validate_password(self, field: Field) -> None:
        """Not easy to guess."""
        StrongEnough()(self, field)

    def validate_confirm(self, field: Field) -> None:
        """Both fields hold the same."""
        SameAs("password")(self, field)


class StrangerSignUpForm(SignUpForm):
    """The same for somebody whom the site does not know yet."""

    first_name = Line(_l("First name"), most=LONGEST_NAME, render_kw={"autocomplete": "given-name"})
    last_name = Line(_l("Last name"), most=LONGEST_NAME, render_kw={"autocomplete": "family-name"})
    email = Address(_l("E-mail address"), needed=True, render_kw={"autocomplete": "email"})

    def validate_first_name(self, field: Field) -> None:
        """Mails greet people by name: a name must hold no web address."""
        if field.data and holds_link(field.data):
            raise ValidationError(_("Please enter a name without a web address."))

    validate_last_name = validate_first_name


class AboutYouForm(Form):
    """What somebody is called whose provider does not say enough."""

    first_name = Line(_l("First name"), most=LONGEST_NAME, render_kw={"autocomplete": "given-name"})
    last_name = Line(_l("Last name"), most=LONGEST_NAME, render_kw={"autocomplete": "family-name"})
    email = Address(_l("E-mail address"), needed=True, render_kw={"autocomplete": "email"})

    validate_first_name = StrangerSignUpForm.validate_first_name
    validate_last_name = StrangerSignUpForm.validate_last_name


class WordsForm(Form):
    """What somebody says who declines, or who asks for a new invitation."""

    words = Lines(_l("Your words"), most=LONGEST_WORDS)
