"""How a mail tells days and moments: in its own language, with the zone they are meant in."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time

FIRST = "en"
MOMENTS = {
    "en": "{day}, {time} ({zone})",
    "de": "{day}, {time}\N{NO-BREAK SPACE}Uhr ({zone})",
    "fr": "{day} à {time} ({zone})",
    "es": "{day}, {time} ({zone})",
    "ar": "{day}، {time} ({zone})",
}
LAST_DAYS = {
    "en": "{day}, end of day ({zone})",
    "de": "{day}, 24\N{NO-BREAK SPACE}Uhr ({zone})",
    "fr": "{day} inclus ({zone})",
    "es": "{day} inclusive ({zone})",
    "ar": "نهاية يوم {day} ({zone})",
}


@dataclass(frozen=True)
class LastDay:
    """The day through whose end something may be done, in the zone whose day it is."""

    day: date
    zone: ZoneInfo


def told(value: Any, language: str) -> Any:
    """A LastDay, a moment (in the zone it carries) or a day in words of `language`; any other value as it is."""
    chosen = language if language in MOMENTS else FIRST
    if isinstance(value, LastDay):
        return LAST_DAYS[chosen].format(day=_day(value.day, chosen), zone=_zone(value.zone))
    if isinstance(value, datetime):
        # Babel parts the hour from AM by a narrow blank, which some mail programs show as a box.
        time = format_time(value, "short", tzinfo=value.tzinfo, locale=chosen).replace("\u202f", "\N{NO-BREAK SPACE}")
        return MOMENTS[chosen].format(day=_day(value.date(), chosen), time=time, zone=_zone(value.tzinfo))
    return _day(value, chosen) if isinstance(value, date) else value


def _day(day: date, language: str) -> str:
    return format_date(day, "long", locale=language)


def _zone(zone: object) -> str:
    return str(zone).replace("_", " ")
