"""Creating, changing, ordering, switching and deleting providers."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.exc import IntegrityError

from portal.journal.services import Record, record
from portal.kernel import references
from portal.kernel.actor import Actor
from portal.kernel.db import db
from portal.kernel.errors import Conflict, Invalid, Stale
from portal.providers import presets, queries
from portal.providers.models import FROM_FILE, FROM_PAGE, Provider
from portal.providers.services.checking import ADDRESSES, ProviderValues, check, check_slug
from portal.settings.queries import ring, site


def create(
    preset_name: str,
    slug: str,
    values: ProviderValues,
    secret: str | None,
    by: Actor,
    now: datetime,
    source: str = FROM_PAGE,
) -> Provider:
    """A new provider, last in the order and switched on. Raises Invalid, for a slug that is taken too."""
    preset = presets.of(preset_name)
    check_slug(slug)
    check(preset, values, secret)
    last = max((other.position for other in queries.all_of_them()), default=-1)
    provider = Provider(
        slug=slug,
        preset=preset_name,
        kind=preset.kind,
        secret_sealed=_seal(slug, secret),
        waives=list(preset.waives),
        source=source,
        position=last + 1,
        created_at=now,
        updated_at=now,
        **_columns(values),
    )
    try:
        with db.session.begin_nested():
            db.session.add(provider)
    except IntegrityError as fault:
        raise Invalid({"slug": _("Another provider has this name already.")}) from fault
    record("provider.created", named(provider), by=by, now=now, detail={"preset": preset_name, "source": source})
    return provider


def update(
    provider_id: int, values: ProviderValues, secret: str | None, version: int, by: Actor, now: datetime
) -> Provider:
    """Change a provider that still has this version; without a `secret` it keeps its own.

    Raises NotFound, Conflict (set in the file), Stale or Invalid.
    """
    provider = queries.with_id(provider_id, lock=True)
    refuse_declared(provider)
    if provider.version != version:
        raise Stale
    if provider.for_sign_in and not values.for_sign_in and _is_the_only_one(provider):
        raise Invalid({"for_sign_in": _only_one()})
    moved = any(getattr(provider, name) != _columns(values)[name] for name in ("issuer", *ADDRESSES))
    if moved and provider.secret_sealed and secret is None:
        # Else whoever may change the address, and no more, could have the secret sent to a place of theirs.
        raise Invalid({"client_secret": _("Please enter the secret again: from now on it goes to another address.")})
    change(provider, values, secret, by, now)
    return provider


def change(provider: Provider, values: ProviderValues, secret: str | None, by: Actor, now: datetime) -> None:
    """Put values into a provider that is locked, and journal what changed. Raises Invalid."""
    check(presets.of(provider.preset), values, secret)
    columns = _columns(values)
    held = held_by(provider.id)
    if columns["issuer"] != provider.issuer and held:
        words = _("%(what)s belong to the address so far. Add another provider instead.", what=", ".join(held))
        raise Invalid({"issuer": words})
    changes: dict[str, Any] = {
        name: [getattr(provider, name), value] for name, value in columns.items() if getattr(provider, name) != value
    }
    for name, (_before, value) in changes.items():
        setattr(provider, name, value)
    if secret is not None and secret != queries.secret(provider):
        provider.secret_sealed = _seal(provider.slug, secret)
        changes["client_secret"] = True  # that it changed, and no more
    if changes:
        touch(provider, now)
        record("provider.updated", named(provider), by=by, now=now, detail={"changes": changes})


def switch(provider_id: int, on: bool, by: Actor, now: datetime) -> Provider:
    """Switch a provider on or off; everybody keeps the identity they have there.

    Raises NotFound, or Conflict for one that is set in the file or that is the only way to sign in.
    """
    provider = queries.with_id(provider_id, lock=True)
    refuse_declared(provider)
    if not on and _is_the_only_one(provider):
        raise Conflict(_only_one())
    if provider.enabled != on:
        provider.enabled = on
        touch(provider, now)
        record(f"provider.switched-{'on' if on else 'off'}", named(provider), by=by, now=now)
    return provider


def move(provider_id: int, up: bool, by: Actor, now: datetime) -> None:
    """Move a provider one place up or down in the order in which they are offered. Raises NotFound."""
    provider = queries.with_id(provider_id, lock=True)
    order = queries.all_of_them()
    here = order.index(provider)
    there = here - 1 if up else here + 1
    if 0 <= there < len(order):
        order[here], order[there] = order[there], order[here]
        for place, one in enumerate(order):
            one.position = place
        record("provider.moved", named(provider), by=by, now=now)


def delete(provider_id: int, by: Actor, now: datetime) -> None:
    """Delete a provider that nobody signs in with. Raises NotFound or Conflict."""
    provider = queries.with_id(provider_id, lock=True)
    refuse_declared(provider)
    held = held_by(provider_id)
    if held:
        raise Conflict(_("%(what)s need this provider, so it stays. You can switch it off.", what=", ".join(held)))
    if _is_the_only_one(provider):
        raise Conflict(_only_one())
    about = named(provider)
    db.session.delete(provider)
    try:
        db.session.flush()
    except IntegrityError as fault:  # somebody signed in with it just now
        raise Conflict(_("Somebody has just signed in with this provider, so it stays.")) from fault
    record("provider.deleted", about, by=by, now=now)


def held_by(provider_id: int) -> list[str]:
    """Whose sign-ins are at this provider, in words: "3 contacts", "1 staff member"."""
    held = references.holding(Provider.__tablename__, provider_id)
    return [
        str(ngettext("%(num)s staff sign-in", "%(num)s staff sign-ins", rows))
        if table == "staff_identity"
        else str(ngettext("%(num)s sign-in of a contact", "%(num)s sign-ins of contacts", rows))
        for table, rows in held.items()
    ]


def refuse_declared(provider: Provider) -> None:
    """Raise Conflict for a provider of `portal.toml`, which is changed there only."""
    if provider.source == FROM_FILE:
        raise Conflict(_("%(name)s is set in portal.toml and can only be changed there.", name=provider.caption))


def touch(provider: Provider, now: datetime) -> None:
    """Count a change."""
    provider.version += 1
    provider.updated_at = now


def named(provider: Provider) -> Record:
    """The provider as the journal names it."""
    return Record("provider", provider.id, provider.caption)


def _columns(values: ProviderValues) -> dict[str, Any]:
    columns = asdict(values)
    return {**columns, **{name: columns[name] or None for name in ADDRESSES}}


def _seal(slug: str, secret: str | None) -> str | None:
    return ring().seal(secret, f"provider:{slug}") if secret else None


def _is_the_only_one(provider: Provider) -> bool:
    return provider.enabled and site().only_provider == provider.slug


def _only_one() -> str:
    return _("The settings name it as the one provider behind “Sign in”. Please choose there first.")
