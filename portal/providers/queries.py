"""Reading providers."""

from sqlalchemy import select

from portal.kernel.db import db
from portal.kernel.errors import NotFound
from portal.providers.models import Provider
from portal.settings.queries import ring, site


def offered() -> list[Provider]:
    """The providers that contacts may sign in with now, in the order their owner chose; none while external sign-in
    is switched off."""
    if not site().external_sign_in:
        return []
    found = select(Provider).where(Provider.for_sign_in).order_by(Provider.position, Provider.id)
    return list(db.session.scalars(found))


def offered_to_staff() -> list[Provider]:
    """The providers that staff may sign in with."""
    found = select(Provider).where(Provider.for_staff).order_by(Provider.position, Provider.id)
    return list(db.session.scalars(found))


def all_of_them() -> list[Provider]:
    """Every provider, in order."""
    return list(db.session.scalars(select(Provider).order_by(Provider.position, Provider.id)))


def get(slug: str) -> Provider:
    """The provider of this slug. Raises NotFound."""
    found = db.session.scalar(select(Provider).where(Provider.slug == slug))
    if found is None:
        raise NotFound
    return found


def secret(provider: Provider) -> str | None:
    """The client secret; None for a public client."""
    return ring().open(provider.secret_sealed, f"provider:{provider.slug}") if provider.secret_sealed else None
