"""What every template can use: dates in the site's zone, asset addresses, who is signed in."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask, g
from flask_babel import format_date, format_datetime, format_decimal, format_time, get_domain
from jinja2 import StrictUndefined
from markupsafe import Markup

from portal.web.assets import Assets
from portal.web.panels import panels


def init(app: Flask, assets: Assets, zone: Callable[[], ZoneInfo]) -> None:
    """Bind globals and filters; `zone` gives the site's time zone."""
    app.jinja_options = {**app.jinja_options, "undefined": StrictUndefined}
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.undefined = StrictUndefined

    def static_url(name: str) -> str:
        return assets.hashed[name]

    def local_time(instant: datetime | None) -> Markup | str:
        if instant is None:
            return ""
        local = instant.astimezone(zone())
        return Markup('<time datetime="{}" title="{} ({} UTC)">{}</time>').format(
            instant.isoformat(timespec="seconds"),
            f"{format_datetime(local, 'full', rebase=False)}",
            f"{instant:%Y-%m-%d %H:%M}",
            f"{format_date(local, 'medium', rebase=False)}, {_short_time(local)}",
        )

    def number(value: float) -> str:
        # Below a thousand there is nothing to group, and a list shows hundreds of such numbers.
        plain = isinstance(value, int) and 0 <= value < 1000
        return str(value) if plain else format_decimal(value)

    def local_date(day: date | None) -> str:
        return "" if day is None else str(format_date(day, "medium", rebase=False))

    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]  # of the i18n extension
        lambda text: _translations().ugettext(text),
        lambda one, many, number: _translations().ungettext(one, many, number),
        newstyle=True,
    )
    app.jinja_env.globals.update(static_url=static_url, panels=panels)
    app.jinja_env.filters.update(local_time=local_time, local_date=local_date, number=number)

    @app.context_processor
    def _shell() -> dict[str, object]:
        return {"request_id": g.get("request_id", "")}


def _short_time(local: datetime) -> str:
    """The time of day; the narrow space that stands before AM and PM is next to nothing in our font."""
    return format_time(local.timetz(), "short", rebase=False).replace("\u202f", "\u00a0")


def _translations() -> Any:
    """The catalogue of this request, looked up once: a list asks for hundreds of words."""
    if "translations" not in g:
        g.translations = get_domain().get_translations()
    return g.translations
