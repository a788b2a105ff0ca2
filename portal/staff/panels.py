"""The first steps on a fresh site: what is done follows from facts, nothing is ticked by hand."""

from typing import Any, NamedTuple

from flask import current_app, url_for
from flask_babel import gettext as _
from sqlalchemy import Select, select

from portal.kernel.db import db
from portal.settings.queries import operator, site
from portal.web.guard import may


class Step(NamedTuple):
    """A line of the list; `url` leads to where it is done, None for somebody who may not, or elsewhere."""

    label: str
    hint: str
    done: bool
    url: str | None = None


class Planned(NamedTuple):
    """A step, and the rows of which one makes it done; all steps are asked about in one statement."""

    step: Step
    rows: Select[Any]


def steps() -> list[Step]:
    """The steps in their order, or none once all are done. Composition adds those of the slices above."""
    above: list[Planned] = [step() for step in current_app.extensions.get("first_steps", [])]
    done = db.session.execute(select(*(one.rows.exists() for one in above))).one() if above else ()
    found = [
        _name(),
        _mail(),
        *(one.step._replace(done=bool(is_done)) for one, is_done in zip(above, done, strict=True)),
    ]
    return [] if all(step.done for step in found) else found


def first(rows: Select[Any], words: tuple[str, str], endpoint: str, permission: str) -> Planned:
    """A step that is done once `rows` holds any."""
    label, hint = words
    return Planned(Step(label, hint, False, url_for(endpoint) if may(permission) else None), rows)


def _name() -> Step:
    url = url_for("settings.edit") if may("manage_settings") else None
    done = site().version > 0
    return Step(_("Give the site its name and time zone"), _("Everybody you invite sees the name."), done, url)


def _mail() -> Step:
    hint = _("Until then mails stay in the outbox. The operator sets PORTAL_MAIL_URL and PORTAL_MAIL_FROM.")
    return Step(_("Let mail leave this machine"), hint, not operator().keeps_mail)
