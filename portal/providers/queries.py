"""Reading providers."""

from sqlalchemy import select

from portal.kernel.db import db, load
from portal.kernel.errors import NotFound
from portal.providers.models import Provider
from portal.settings.queries import ring, site


def offered() -> list[Provider]:
    """The providers that contacts may sign in with now, in the order their owner chose; none while external sign-in
    is switched off."""
    if not site().external_sign_in:
        return []
    found = select(Provider).where(Provider.enabled, Provider.for_sign_in).order_by(Provider.position, Provider.id)
    return list(db.session.scalars(found))


def offered_to_staff() -> list[Provider]:
    """The providers that staff may sign in with."""
    found = select(Provider).where(Provider.enabled, Provider.for_staff).order_by(Provider.position, Provider.id)
    return list(db.session.scalars(found))


def all_of_them(*, lock: bool = False) -> list[Provider]:
    """Every provider, in order."""
    found = select(Provider).order_by(Provider.position, Provider.id)
    return list(db.session.scalars(found.with_for_update() if lock else found))


def get(slug: str) -> Provider:
    """The provider of this slug. Raises NotFound."""
    found = find(slug)
    if found is None:
        raise NotFound
    return found


def find(slug: str) -> Provider | None:
    """The provider of this slug, or None."""
    return db.session.scalar(select(Provider).where(Provider.slug == slug))


def with_id(provider_id: int, *, lock: bool = False) -> Provider:
    """The provider with this id. Raises NotFound."""
    found = load(Provider, provider_id, lock=lock)
    if found is None:
        raise NotFound
    return found


def secret(provider: Provider) -> str | None:
    """The client secret; None for a public client."""
    return ring().open(provider.secret_sealed, f"provider:{provider.slug}") if provider.secret_sealed else None
