"""Forms of signing in, of one's own profile, and of the people page."""

from collections.abc import Iterable
from typing import Any, Self

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import PasswordField, RadioField, SelectField, ValidationError

from portal.kernel import addresses, names, passwords
from portal.settings.queries import site
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffRole
from portal.staff.services import StaffValues
from portal.web.forms import Address, Form, Line, Longest, NotBlank, Version, required

HAND_OVER, END = "hand-over", "deactivate"


def role_labels() -> list[tuple[str, str]]:
    """The shipped roles with their names, most rights first."""
    return [
        (StaffRole.OWNER.value, _("Owner")),
        (StaffRole.MANAGER.value, _("Invitation manager")),
        (StaffRole.EDITOR.value, _("Template editor")),
        (StaffRole.VIEWER.value, _("Viewer")),
    ]


class CurrentPassword(PasswordField):
    """A password that is checked, not chosen; kept exactly as typed."""

    data: str

    def __init__(self, label: Any, **more: Any) -> None:
        checks = [required(), Longest(passwords.LONGEST)]
        super().__init__(label, checks, render_kw={"autocomplete": "current-password"}, **more)


class ChosenPassword(PasswordField):
    """A new password; `known` gives the words that others know of the person."""

    data: str

    def __init__(self, label: Any, **more: Any) -> None:
        super().__init__(label, [required()], render_kw={"autocomplete": "new-password"}, **more)
        self.known: Iterable[str] = ()

    def pre_validate(self, form: Any) -> None:
        least = site().minimum_password_length
        fault = passwords.weakness(self.data, minimum=least, words=self.known) if self.data else None
        if fault:
            raise ValidationError(fault)


class SameAs:
    """Refuses what differs from the other field."""

    def __init__(self, other: str) -> None:
        self.other = other

    def __call__(self, form: Any, field: Any) -> None:
        if field.data != form[self.other].data:
            raise ValidationError(_("The two passwords differ."))


class NoLink:
    """A name goes into the sender's line of mails: nothing in it may turn into a link."""

    def __call__(self, form: Any, field: Any) -> None:
        if names.holds_link(field.data or ""):
            raise ValidationError(_("A name cannot hold a web address."))


def _again(other: str) -> PasswordField:
    return PasswordField(
        _l("The same password again"), [required(), SameAs(other)], render_kw={"autocomplete": "new-password"}
    )


class SignInForm(Form):
    """E-mail address and password of a staff member."""

    email = Line(
        _l("E-mail address"),
        most=addresses.LONGEST,
        needed=True,
        render_kw={"type": "email", "autocomplete": "username"},
    )
    password = CurrentPassword(_l("Password"))


class ConfirmForm(Form):
    """One's own password, once more."""

    password = CurrentPassword(_l("Your password"))


class CodeForm(Form):
    """A code of one's authenticator app, or a recovery code."""

    code = Line(
        _l("Code"),
        most=40,
        needed=True,
        render_kw={"autocomplete": "one-time-code", "autocapitalize": "none", "spellcheck": "false"},
    )


class SetUpForm(Form):
    """The first password of somebody who was added."""

    password = ChosenPassword(_l("Password"))
    confirm = _again("password")


class FirstOwnerForm(Form):
    """The site's first owner."""

    email = Address(_l("E-mail address"), needed=True, render_kw={"autocomplete": "username"})
    name = Line(_l("Your name"), most=100, needed=True, validators=[NoLink()], render_kw={"autocomplete": "name"})
    password = ChosenPassword(_l("Password"))
    confirm = _again("password")

    def values(self) -> StaffValues:
        """What was typed."""
        return StaffValues(addresses.parse(self.email.data), self.name.data, StaffRole.OWNER)


class NameForm(Form):
    """One's own name."""

    name = Line(_l("Your name"), most=100, needed=True, validators=[NoLink()], render_kw={"autocomplete": "name"})
    version = Version()

    def reopened(self, saved: StaffMember) -> Self:
        """The form as typed, over what somebody saved in between: saving again replaces that."""
        self.version.data = str(saved.version)
        self.form_errors.append(_("Meanwhile this was saved as “%(name)s”. Save again to replace it.", name=saved.name))
        return self


class PasswordForm(Form):
    """Another password for oneself."""

    current = CurrentPassword(_l("Current password"))
    password = ChosenPassword(_l("New password"))
    confirm = _again("password")


class PersonForm(Form):
    """A new staff member."""

    email = Address(_l("E-mail address"), needed=True)
    name = Line(_l("Name"), most=100, needed=True, validators=[NoLink()])
    role = SelectField(_l("Role"), [NotBlank()])

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.role.choices = role_labels()

    def values(self) -> StaffValues:
        """What was typed."""
        return StaffValues(addresses.parse(self.email.data), self.name.data, self.role.data)


class EditPersonForm(PersonForm):
    """A staff member, changed."""

    version = Version()


class DeactivateForm(Form):
    """What becomes of the open invitations of somebody who leaves; asks nothing where there are none."""

    invitations = RadioField(_l("Their open invitations"), validate_choice=False)
    to = SelectField(_l("New owner"), validate_choice=False)

    def __init__(self, *, open_invitations: int, heirs: list[tuple[int, str]], **more: Any) -> None:
        super().__init__(**more)
        if not open_invitations:
            del self.invitations, self.to
            return
        self.heirs = [str(number) for number, _name in heirs]
        self.to.choices = [(str(number), name) for number, name in heirs]
        hand_over = [(HAND_OVER, _("Hand them over to somebody else"))] if heirs else []
        self.invitations.choices = [*hand_over, (END, _("Deactivate them: their codes and links stop working"))]

    def validate_invitations(self, field: RadioField) -> None:
        """One of the two must be chosen."""
        if field.data not in {choice[0] for choice in field.iter_choices()}:
            raise ValidationError(_("Please choose what becomes of them."))

    def validate_to(self, field: SelectField) -> None:
        """Only where they are handed over must there be somebody."""
        if self.invitations.data == HAND_OVER and field.data not in self.heirs:
            raise ValidationError(_("Please choose from the list."))

    @property
    def heir(self) -> int | None:
        """Who gets the invitations; None when they are deactivated."""
        handed = "invitations" in self and self.invitations.data == HAND_OVER
        return int(self.to.data) if handed else None
