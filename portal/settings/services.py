"""Changing the site's settings, and making sure that no key is missing."""

from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from portal.journal.services import Record, record
from portal.kernel import passwords
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Invalid, Stale
from portal.settings.models import KeyInUse, SiteSettingsRow
from portal.settings.queries import SiteSettings, ground, known_providers, ring, site
from portal.settings.rules import mail_faults
from portal.settings.status import availability

LONGEST_EXPIRY_DAYS = 3650
SHORTEST_MINIMUM, LONGEST_MINIMUM = passwords.FLOOR, 64


def update(values: SiteSettings, by: Actor, now: datetime) -> None:
    """Put the new settings in force. `values.version` is the one whose values the person saw. Stored instants do not
    move with the time zone.

    Raises Stale when somebody saved meanwhile, Invalid.
    """
    row = db.session.get(SiteSettingsRow, 1, with_for_update=True)
    if (row.version if row else 0) != values.version:
        raise Stale(_("Somebody else changed the settings in the meantime."))
    _check(values)
    new, before = _stored(values), _stored(site())
    changes = {name: [before[name], value] for name, value in new.items() if before[name] != value}
    if row is None:
        _insert(SiteSettingsRow(id=1, values=new, version=1))
    else:
        row.values, row.version = new, row.version + 1
    if changes:
        record("settings.updated", Record("settings", 1, values.name), by=by, now=now, detail={"changes": changes})


def check_keys() -> str | None:
    """Say what is wrong when stored values were made with a key that the ring does not hold; else None.

    Notes the current key as in use. Called at each start, after migrating, inside `transaction()`.
    """
    held = ring()
    in_use = set(db.session.scalars(select(KeyInUse.key_id)))
    missing = sorted(in_use - set(held.keys))
    if missing:
        names = ", ".join(missing)
        return f"PORTAL_KEYS: the database holds codes and links made with {names}, and that key is not among yours"
    if held.current not in in_use:
        # Where several processes start at once, one of them notes it.
        with suppress(IntegrityError), db.session.begin_nested():
            db.session.add(KeyInUse(key_id=held.current))
    return None


def _insert(row: SiteSettingsRow) -> None:
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError as saved:  # by somebody else, since this looked
        raise Stale(_("Somebody else changed the settings in the meantime.")) from saved


def _stored(values: SiteSettings) -> dict[str, Any]:
    return {name: value for name, value in asdict(values).items() if name != "version"}


def _check(values: SiteSettings) -> None:
    faults: dict[str, str] = {}
    if not values.name:
        faults["name"] = _("Please fill this in.")
    if values.timezone not in available_timezones():
        faults["timezone"] = _("Please choose a time zone such as Europe/Berlin.")
    days = values.default_expiry_days
    if days is not None and not 1 <= days <= LONGEST_EXPIRY_DAYS:
        faults["default_expiry_days"] = _(
            "Please enter 1 to %(most)s days, or leave it blank.", most=LONGEST_EXPIRY_DAYS
        )
    least, most = SHORTEST_MINIMUM, LONGEST_MINIMUM
    if not least <= values.minimum_password_length <= most:
        faults["minimum_password_length"] = _("Please enter %(least)s to %(most)s characters.", least=least, most=most)
    faults |= _interplay(values) | mail_faults(values)
    if faults:
        raise Invalid(faults)


def _interplay(values: SiteSettings) -> dict[str, str]:
    """What each switch allows by itself, but not together with the others."""
    faults: dict[str, str] = {}
    if not (values.local_sign_in or values.external_sign_in or values.passkeys):
        faults["local_sign_in"] = _("Please leave at least one way to sign in switched on.")
    elif not availability(values, ground()).sign_in:
        faults["local_sign_in"] = _(
            "Nobody could sign in: what is left needs a provider that is switched on, or a site address with a name."
        )
    if values.only_provider and not values.external_sign_in:
        faults["only_provider"] = _("Signing in with a provider is switched off. Please choose “all ways”.")
    elif values.only_provider and not any(
        provider.slug == values.only_provider and provider.for_sign_in for provider in known_providers()
    ):
        faults["only_provider"] = _("This provider is not switched on for signing in. Please choose another one.")
    return faults
