"""Trying whether a provider can be reached and is what its settings say."""

from collections.abc import Iterator
from dataclasses import dataclass

from flask_babel import gettext as _
from flask_babel import ngettext

from portal.providers import discovery, network
from portal.providers.models import OIDC, Provider
from portal.providers.network import Trouble
from portal.providers.services.checking import ADDRESSES


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at, in words."""

    good: bool
    text: str


def try_out(provider: Provider) -> list[Finding]:
    """Ask the provider over the network; never inside `transaction()`. What follows a fault is not asked any more.

    Whether client id and secret are right shows in a real sign-in only.
    """
    found: list[Finding] = []
    try:
        for text in _steps_openid(provider) if provider.kind == OIDC else _steps_oauth2(provider):
            found.append(Finding(True, text))
    except Trouble as trouble:
        found.append(Finding(False, trouble.reason))
    return found


def _steps_openid(provider: Provider) -> Iterator[str]:
    about = discovery.metadata(provider.issuer, fresh=True)
    yield _("The provider answers, and calls itself %(issuer)s as it should.", issuer=about.issuer)
    number = len(discovery.keys(about))
    yield ngettext("It publishes %(num)s usable key.", "It publishes %(num)s usable keys.", number)
    network.reachable(about.authorize_url)
    yield _("Its sign-in page can be reached: %(url)s", url=about.authorize_url)


def _steps_oauth2(provider: Provider) -> Iterator[str]:
    for name in ADDRESSES:
        url = getattr(provider, name)
        network.reachable(url)
        yield _("There is an answer at %(url)s", url=url)
