"""The forms of a contact's password and e-mail address."""

import unicodedata
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, SelectField, ValidationError
from wtforms.fields.core import Field

from portal.contacts.services import languages
from portal.identity.queries import username_key
from portal.kernel.passwords import LONGEST, weakness
from portal.settings.queries import site
from portal.web.forms import Address, Form, Line, NotBlank, Version, choices

LONGEST_IDENTIFIER = 254
SHORTEST_USERNAME, LONGEST_USERNAME = 3, 100
LONGEST_NAME = 100


class Secret(PasswordField):
    """A password: kept as typed, never shown again, and never cut by the browser."""

    def __init__(self, label: Any, *, autocomplete: str, **more: Any) -> None:
        super().__init__(label, [NotBlank(), NotOverlong()], render_kw={"autocomplete": autocomplete}, **more)

    @property
    def text(self) -> str:
        """What was typed."""
        return self.data or ""


class NotOverlong:
    """Refuses a text that no password can be, before anything is computed from it."""

    def __call__(self, form: Any, field: Field) -> None:
        if len(str(field.data or "")) > LONGEST:
            raise ValidationError(_("Please use at most %(most)s characters.", most=LONGEST))


class SameAs:
    """The second of two equal fields."""

    def __init__(self, other: str) -> None:
        self.other = other

    def __call__(self, form: Any, field: Field) -> None:
        if field.data != form[self.other].data:
            raise ValidationError(_("The two passwords are not the same. Please type it again."))


class StrongEnough:
    """Refuses a new password that anybody might guess; what others know of the person is checked by the service."""

    def __call__(self, form: Any, field: Field) -> None:
        fault = weakness(str(field.data or ""), minimum=site().minimum_password_length)
        if fault:
            raise ValidationError(fault)


class PasswordForm(Form):
    """A new password, twice."""

    password = Secret(_l("New password"), autocomplete="new-password")
    confirm = Secret(_l("New password again"), autocomplete="new-password")

    def validate_password(self, field: Field) -> None:
        """Not easy to guess."""
        StrongEnough()(self, field)

    def validate_confirm(self, field: Field) -> None:
        """Both fields hold the same."""
        SameAs("password")(self, field)


class ChangePasswordForm(PasswordForm):
    """A new password in place of the current one."""

    current = Secret(_l("Current password"), autocomplete="current-password")


class ForgotForm(Form):
    """Whose password is forgotten."""

    identifier = Line(
        _l("Username or e-mail address"),
        most=LONGEST_IDENTIFIER,
        needed=True,
        render_kw={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"},
    )


class Username(Line):
    """A username: no address, long enough, and showing everything it holds."""

    def __init__(self, label: Any, **more: Any) -> None:
        render_kw = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
        super().__init__(label, most=LONGEST_USERNAME, needed=True, render_kw=render_kw, **more)

    def pre_validate(self, form: Any) -> None:
        key = username_key(self.data or "")
        if not self.data:
            return
        if "@" in key:
            raise ValidationError(_("Please choose a username without “@”."))
        if any(unicodedata.category(c).startswith("C") for c in key):
            raise ValidationError(_("Please remove the invisible characters."))
        if not SHORTEST_USERNAME <= len(key) <= LONGEST_USERNAME:
            least, most = SHORTEST_USERNAME, LONGEST_USERNAME
            raise ValidationError(_("Please use %(least)s to %(most)s characters.", least=least, most=most))


class UsernameForm(Form):
    """A username."""

    username = Username(_l("Username"))


class FirstPasswordForm(PasswordForm):
    """A password for somebody who has none, and a username unless they have one."""

    username = Username(_l("Username"))


class TemporaryPasswordForm(Form):
    """A password that somebody else sets, to be changed at its first use."""

    password = Secret(_l("Temporary password"), autocomplete="new-password")

    def validate_password(self, field: Field) -> None:
        """Not easy to guess, for as long as it lasts."""
        StrongEnough()(self, field)


class ProofForm(Form):
    """The password once more, to show who is there."""

    password = Secret(_l("Password"), autocomplete="current-password")


class PersonalForm(Form):
    """How a contact is called and written to."""

    first_name = Line(_l("First name"), most=LONGEST_NAME, render_kw={"autocomplete": "given-name"})
    last_name = Line(_l("Last name"), most=LONGEST_NAME, render_kw={"autocomplete": "family-name"})
    language = SelectField(_l("Language"))
    version = Version()

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.language.choices = choices(languages().items())


class MoveForm(Form):
    """Another e-mail address."""

    email = Address(_l("New e-mail address"), needed=True, render_kw={"autocomplete": "email"})
