"""What the settings of mail may be: one pure function."""

from typing import Protocol

from flask_babel import gettext as _

FASTEST_MAIL, MOST_MAIL = 6_000, 1_000_000


class MailSettings(Protocol):
    """The settings looked at."""

    @property
    def quiet_from(self) -> int | None: ...
    @property
    def quiet_until(self) -> int | None: ...
    @property
    def mail_per_minute(self) -> int | None: ...
    @property
    def staff_mails_per_day(self) -> int | None: ...
    @property
    def site_mails_per_day(self) -> int | None: ...


def mail_faults(values: MailSettings) -> dict[str, str]:
    """A message for each setting of mail that cannot be, by its name."""
    faults = _quiet_hours(values.quiet_from, values.quiet_until)
    limits = {
        "mail_per_minute": (values.mail_per_minute, FASTEST_MAIL),
        "staff_mails_per_day": (values.staff_mails_per_day, MOST_MAIL),
        "site_mails_per_day": (values.site_mails_per_day, MOST_MAIL),
    }
    for name, (value, most) in limits.items():
        if value is not None and not 1 <= value <= most:
            faults[name] = _("Please enter 1 to %(most)s, or leave it blank for no limit.", most=most)
    return faults


def _quiet_hours(start: int | None, end: int | None) -> dict[str, str]:
    for name, hour in (("quiet_from", start), ("quiet_until", end)):
        if hour is not None and not 0 <= hour <= 23:
            return {name: _("Please choose from the list.")}
    if (start is None) != (end is None):
        missing = "quiet_from" if start is None else "quiet_until"
        return {missing: _("Please choose both hours, or neither.")}
    if start is not None and start == end:
        return {"quiet_until": _("Please choose another hour than the one before: all day long nothing would be sent.")}
    return {}
