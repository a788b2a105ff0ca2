"""The form of the site's settings."""

from dataclasses import fields
from typing import Any
from zoneinfo import available_timezones

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, SelectField

from portal.settings.mail_form import MailFields
from portal.settings.queries import SiteSettings, known_providers
from portal.settings.services import LONGEST_EXPIRY_DAYS, LONGEST_MINIMUM, SHORTEST_MINIMUM
from portal.web.forms import Line, Version, WholeNumber


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


class SettingsForm(MailFields):
    """What owners set: a field for each value of `SiteSettings`."""

    name = Line(_l("Name of the site"), most=100, needed=True)
    timezone = SelectField(_l("Time zone"), validate_choice=False)
    default_expiry_days = WholeNumber(_l("Default expiry"), render_kw={"min": 1, "max": LONGEST_EXPIRY_DAYS})
    registration_enabled = BooleanField(_l("Registration enabled"))
    open_registration = BooleanField(_l("Open registration"))
    invitation_redemption = BooleanField(_l("Invitation redemption"))
    local_sign_in = BooleanField(_l("Sign in with a password"))
    external_sign_in = BooleanField(_l("Sign in with a provider"))
    passkeys = BooleanField(_l("Sign in with a passkey"))
    only_provider = SelectField(_l("Behind “Sign in”"), validate_choice=False)
    sign_in_by_email_only = BooleanField(_l("Sign in by e-mail address only"))
    remember_me = BooleanField(_l("“Stay signed in”"))
    two_factor = BooleanField(_l("Second factor by e-mail"))
    remember_browser = BooleanField(_l("“Remember this browser”"))
    minimum_password_length = WholeNumber(
        _l("Minimum length"), render_kw={"min": SHORTEST_MINIMUM, "max": LONGEST_MINIMUM, "required": True}
    )
    password_reset = BooleanField(_l("Reset by e-mail"))
    reset_needs_confirmed_email = BooleanField(_l("Reset needs a confirmed address"))
    lockout = BooleanField(_l("Slow down and stop guessing"))
    owners_need_second_factor = BooleanField(_l("Owners need a second factor"))
    version = Version()

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        choices, chosen = zones(), self.timezone.data
        # A zone under one of its older names, which the list leaves out, stays what it is.
        if chosen in available_timezones() and not any((chosen, _shown(chosen)) in group for group in choices.values()):
            choices["UTC"].append((chosen, _shown(chosen)))
        self.timezone.choices = choices
        self.only_provider.choices = self._providers()

    def _providers(self) -> list[tuple[str, str]]:
        choices = [("", _("all ways that are switched on"))]
        choices += [(provider.slug, provider.caption) for provider in known_providers() if provider.for_sign_in]
        chosen = self.only_provider.data or ""
        # One that is gone or off stays in sight until somebody chooses another.
        known = chosen in [slug for slug, _caption in choices]
        return choices if known else [*choices, (chosen, _("%(slug)s (not switched on)", slug=chosen))]

    def values(self) -> SiteSettings:
        """What was typed, and the version it was typed over."""
        typed = {one.name: self[one.name].data for one in fields(SiteSettings) if one.name != "version"}
        typed["only_provider"] = typed["only_provider"] or ""
        typed["minimum_password_length"] = typed["minimum_password_length"] or 0
        return SiteSettings(**typed, version=self.version.number)

    def differences(self, saved: SiteSettings) -> list[tuple[str, str, str]]:
        """Label, saved value and typed value of each setting that is not typed as it is saved."""
        typed = self.values()
        pairs = [(self[one.name], getattr(saved, one.name), getattr(typed, one.name)) for one in fields(saved)]
        return [
            (str(field.label.text), _said(theirs), _said(mine))
            for field, theirs, mine in pairs
            if theirs != mine and field.name != "version"
        ]


def _said(value: str | int | bool | None) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "" if value is None else str(value)
