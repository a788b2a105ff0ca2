"""Taking over the providers of `portal.toml`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from portal.config import BadSettings, DeclaredProvider
from portal.journal.services import record
from portal.kernel.actor import SYSTEM
from portal.kernel.errors import Invalid
from portal.providers import presets, queries
from portal.providers.models import FROM_FILE, FROM_PAGE, OAUTH2, Provider
from portal.providers.presets import Preset
from portal.providers.services.checking import ADDRESSES, ProviderValues, issuer_of
from portal.providers.services.saving import change, create, named, touch

FLAGS = ("for_sign_in", "for_registration", "for_staff", "trusted_for_email", "refreshes")


def sync(declared: Iterable[DeclaredProvider], now: datetime) -> None:
    """Make the providers that come from the file what the file says; called at each start.

    One that is no longer in the file is switched off, never deleted, and belongs to the page from then on. Raises
    BadSettings with one line per fault; then nothing is taken over.
    """
    declared = list(declared)
    known = {provider.slug: provider for provider in queries.all_of_them(lock=True)}
    faults: list[str] = []
    for one in declared:
        try:
            _take(one, known.get(one.slug), now)
        except Invalid as refused:
            faults.extend(f"providers.{one.slug}: {name}: {words}" for name, words in refused.fields.items())
    if faults:
        raise BadSettings(faults)
    gone = set(known) - {one.slug for one in declared}
    for provider in (known[slug] for slug in sorted(gone) if known[slug].source == FROM_FILE):
        provider.source, provider.enabled = FROM_PAGE, False
        touch(provider, now)
        record("provider.switched-off", named(provider), by=SYSTEM, now=now, detail={"source": FROM_FILE})


def _take(one: DeclaredProvider, provider: Provider | None, now: datetime) -> None:
    name = one.values.get("preset", provider.preset if provider else one.slug)
    if name not in presets.PRESETS:
        raise Invalid({"preset": f"must be one of {', '.join(presets.PRESETS)}"})
    values = _values(one.values, presets.of(name))
    if provider is None:
        try:
            provider = create(name, one.slug, values, one.client_secret, by=SYSTEM, now=now, source=FROM_FILE)
        except Invalid:
            # Where several processes start at once, another one may have taken it over just now.
            provider = queries.find(one.slug)
            if provider is None:
                raise
    elif provider.preset != name:
        raise Invalid({"preset": f"is {provider.preset} already, and never changes"})
    else:
        change(provider, values, one.client_secret, by=SYSTEM, now=now)
    enabled = one.values.get("enabled", True)
    changes: dict[str, Any] = {}
    if one.client_secret is None and provider.secret_sealed is not None:
        provider.secret_sealed, changes["client_secret"] = None, True
    if provider.source != FROM_FILE:
        provider.source, changes["source"] = FROM_FILE, True
    if changes:
        touch(provider, now)
        record("provider.updated", named(provider), by=SYSTEM, now=now, detail={"changes": changes})
    if provider.enabled != enabled:
        provider.enabled = enabled
        touch(provider, now)
        record(f"provider.switched-{'on' if enabled else 'off'}", named(provider), by=SYSTEM, now=now)


def _values(given: Mapping[str, Any], preset: Preset) -> ProviderValues:
    addresses: dict[str, Any] = {name: given.get(name) or getattr(preset, name) or "" for name in ADDRESSES}
    typed = {name: given.get(name, "") for name in ("issuer", "tenant")}
    return ProviderValues(
        caption=given.get("caption", preset.caption),
        mark=given.get("mark", preset.mark),
        issuer=issuer_of(preset, **typed, authorize_url=addresses["authorize_url"]),
        client_id=given.get("client_id", ""),
        scopes=given.get("scopes", preset.scopes),
        claims=given.get("claims", {}),
        **(addresses if preset.kind == OAUTH2 else {}),
        **{name: given[name] for name in FLAGS if name in given},
    )
