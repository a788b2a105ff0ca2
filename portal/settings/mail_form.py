"""The part of the settings' form that is about mail."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField

from portal.settings.rules import FASTEST_MAIL, MOST_MAIL
from portal.web.forms import Form, WholeNumber, choices


class Hour(SelectField):
    """A full hour of the day, or none."""

    def __init__(self, label: Any, **more: Any) -> None:
        hours = choices([("", _l("none")), *((str(hour), f"{hour:02}:00") for hour in range(24))])
        super().__init__(label, choices=hours, coerce=_hour, validate_choice=False, **more)

    def process_formdata(self, valuelist: Any) -> None:
        typed = valuelist[0] if valuelist else ""
        self.data = _hour(typed)
        if self.data is None and typed:
            raise ValueError(_("Please choose from the list."))


def _hour(value: Any) -> int | None:
    text = "" if value is None else str(value)
    known = text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= 23
    return int(text) if known else None


class MailFields(Form):
    """When reminders are sent, and how much mail goes out. The names are those of `SiteSettings`."""

    quiet_from = Hour(_l("Quiet from"))
    quiet_until = Hour(_l("Quiet until"))
    mail_per_minute = WholeNumber(_l("E-mails in a minute"), render_kw={"min": 1, "max": FASTEST_MAIL})
    staff_mails_per_day = WholeNumber(_l("E-mails of one person in a day"), render_kw={"min": 1, "max": MOST_MAIL})
    site_mails_per_day = WholeNumber(_l("E-mails of the site in a day"), render_kw={"min": 1, "max": MOST_MAIL})
