"""The site's settings as services and pages read them, and the operator's behind them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import current_app

from portal.config import Settings
from portal.kernel import clock
from portal.kernel.db import db
from portal.kernel.secrets_ import KeyRing
from portal.settings.models import SiteSettingsRow
from portal.settings.status import Ground

_KEPT = "site_settings"


class KnownProvider(NamedTuple):
    """A sign-in provider, as far as the settings need to know it."""

    slug: str
    caption: str
    for_sign_in: bool
    for_registration: bool


asked_for_providers: list[Callable[[], list[KnownProvider]]] = []
"""Who knows the providers; the composition says so, for their slice stands above this one."""


@dataclass(frozen=True)
class SiteSettings:
    """What owners can set in the browser; the reference product's name stands beside each."""

    name: str = "Invitation Portal"
    timezone: str = "UTC"
    default_expiry_days: int | None = 30
    registration_enabled: bool = True
    """`Registration/Enabled`"""
    open_registration: bool = False
    """`Registration/OpenRegistrationEnabled`"""
    invitation_redemption: bool = True
    """`Registration/InvitationEnabled`"""
    local_sign_in: bool = True
    """`Registration/LocalLoginEnabled`"""
    external_sign_in: bool = True
    """`Registration/ExternalLoginEnabled`"""
    passkeys: bool = True
    sign_in_by_email_only: bool = False
    """`Registration/LocalLoginByEmail`; off: username and confirmed address both work"""
    remember_me: bool = True
    """`Registration/RememberMeEnabled`"""
    password_reset: bool = True
    """`Registration/ResetPasswordEnabled`"""
    reset_needs_confirmed_email: bool = True
    """`Registration/ResetPasswordRequiresConfirmedEmail`"""
    two_factor: bool = False
    """`Registration/TwoFactorEnabled`: a code by e-mail after the password"""
    remember_browser: bool = True
    """`Registration/RememberBrowserEnabled`: may spare a browser the code for 30 days"""
    only_provider: str = ""
    """`Registration/LoginButtonAuthenticationType`: slug of the one provider behind *Sign in*, or empty"""
    minimum_password_length: int = 15
    lockout: bool = True
    """Throttle after 10 wrong passwords, and none accepted after 100"""
    owners_need_second_factor: bool = False
    """Owners must use an authenticator app (or a passkey) to sign in to the staff side"""
    quiet_from: int | None = None
    """The hour of the site's day from which on no reminder is sent, until `quiet_until`; both None: at any hour"""
    quiet_until: int | None = None
    mail_per_minute: int | None = None
    """How many e-mails leave the outbox in a minute at most; None: as many as the mail server takes"""
    staff_mails_per_day: int | None = None
    """How many invitations and reminders one staff member may mail on a day in the site's zone; None: any number"""
    site_mails_per_day: int | None = None
    """The same for the site as a whole, workflows and scheduled reminders included"""
    version: int = 0

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)

    def awake(self, instant: datetime) -> datetime:
        """`instant`, or the end of the quiet hours it falls into."""
        if self.quiet_from is None or self.quiet_until is None or self.quiet_from == self.quiet_until:
            return instant
        return clock.after_quiet(instant, self.quiet_from, self.quiet_until, self.zone)

    @property
    def redeems(self) -> bool:
        """Whether invitations can be redeemed at all."""
        return self.registration_enabled and self.invitation_redemption


def site() -> SiteSettings:
    """The settings in force; read once per transaction."""
    session = db.session()
    kept = session.info.get(_KEPT)
    if kept is not None and kept[0] is session.get_transaction():
        found: SiteSettings = kept[1]
        return found
    row = session.get(SiteSettingsRow, 1)
    values = {"timezone": operator().timezone, **(row.values if row else {})}
    found = SiteSettings(**values, version=row.version if row else 0)
    session.info[_KEPT] = (session.get_transaction(), found)
    return found


def operator() -> Settings:
    """What the operator configured."""
    settings: Settings = current_app.config["PORTAL_SETTINGS"]
    return settings


def known_providers() -> list[KnownProvider]:
    """The providers, in their order."""
    return [provider for ask in asked_for_providers for provider in ask()]


def ground() -> Ground:
    """What the switches stand on."""
    providers = [provider for provider in known_providers() if provider.for_sign_in]
    registers = any(provider.for_registration for provider in providers)
    return Ground(bool(providers), registers, passkeys_possible())


def passkeys_possible() -> bool:
    """Whether the site's address has a name: passkeys are bound to one, and a bare IP address is none."""
    try:
        ip_address(urlsplit(operator().base_url).hostname or "")
    except ValueError:
        return True
    return False


def ring() -> KeyRing:
    """The key ring for codes, links and message bodies."""
    return operator().keys


def absolute_url(path: str) -> str:
    """The address of a page for a mail, built from the configured base URL and from nothing else."""
    return operator().base_url + path
