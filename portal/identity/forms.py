"""The forms of a contact's password and e-mail address."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, ValidationError
from wtforms.fields.core import Field

from portal.kernel.passwords import LONGEST, weakness
from portal.web.forms import Form, Line, NotBlank

LONGEST_IDENTIFIER = 254


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
        fault = weakness(str(field.data or ""))
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
