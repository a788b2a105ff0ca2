"""The forms that invitees meet: the code, signing in, creating a sign-in."""

import unicodedata

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import ValidationError
from wtforms.fields.core import Field

from portal.identity.forms import LONGEST_IDENTIFIER, SameAs, Secret, StrongEnough
from portal.identity.queries import username_key
from portal.kernel import codes
from portal.kernel.names import holds_link
from portal.web.forms import Address, Form, Line, Lines

SHORTEST_USERNAME, LONGEST_USERNAME = 3, 100
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


class SignUpForm(Form):
    """A username and a password, for a contact whose name and address are known."""

    username = Line(_l("Username"), most=LONGEST_USERNAME, needed=True, render_kw={"autocomplete": "username", **PLAIN})
    password = Secret(_l("Password"), autocomplete="new-password")
    confirm = Secret(_l("Password again"), autocomplete="new-password")

    def validate_username(self, field: Field) -> None:
        """A username is no address, long enough, and shows everything it holds."""
        key = username_key(field.data or "")
        if not field.data:
            return
        if "@" in key:
            raise ValidationError(_("Please choose a username without “@”."))
        if any(unicodedata.category(c).startswith("C") for c in key):
            raise ValidationError(_("Please remove the invisible characters."))
        if not SHORTEST_USERNAME <= len(key) <= LONGEST_USERNAME:
            least, most = SHORTEST_USERNAME, LONGEST_USERNAME
            raise ValidationError(_("Please use %(least)s to %(most)s characters.", least=least, most=most))

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


class WordsForm(Form):
    """What somebody says who declines, or who asks for a new invitation."""

    words = Lines(_l("Your words"), most=LONGEST_WORDS)
