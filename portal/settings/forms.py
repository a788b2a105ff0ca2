"""The form of the site's settings."""

from typing import Any
from zoneinfo import available_timezones

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, SelectField

from portal.settings.services import LONGEST_EXPIRY_DAYS, SettingsValues
from portal.web.forms import Form, Line, Version, WholeNumber


def zones() -> dict[str, list[tuple[str, str]]]:
    """The names of all time zones, grouped by continent; those without one come first."""
    grouped: dict[str, list[tuple[str, str]]] = {"UTC": [("UTC", "UTC")]}
    for name in sorted(available_timezones()):
        region, slash, _place = name.partition("/")
        if slash and region not in ("Etc", "SystemV", "US", "posix", "right"):
            grouped.setdefault(region, []).append((name, _shown(name)))
    return grouped


def _shown(name: str) -> str:
    return name.replace("_", " ").replace("/", " / ")


class SettingsForm(Form):
    """What owners set."""

    name = Line(_l("Name of the site"), most=100, needed=True)
    timezone = SelectField(_l("Time zone"), validate_choice=False)
    default_expiry_days = WholeNumber(_l("Default expiry"), render_kw={"min": 1, "max": LONGEST_EXPIRY_DAYS})
    registration_enabled = BooleanField(_l("Registration enabled"))
    open_registration = BooleanField(_l("Open registration"))
    invitation_redemption = BooleanField(_l("Invitation redemption"))
    version = Version()

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        choices, chosen = zones(), self.timezone.data
        # A zone under one of its older names, which the list leaves out, stays what it is.
        if chosen in available_timezones() and not any((chosen, _shown(chosen)) in group for group in choices.values()):
            choices["UTC"].append((chosen, _shown(chosen)))
        self.timezone.choices = choices

    def values(self) -> SettingsValues:
        """What was typed."""
        return SettingsValues(
            name=self.name.data,
            timezone=self.timezone.data,
            default_expiry_days=self.default_expiry_days.data,
            registration_enabled=self.registration_enabled.data,
            open_registration=self.open_registration.data,
            invitation_redemption=self.invitation_redemption.data,
        )
