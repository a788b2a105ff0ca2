"""Somebody is back from a provider: signed in, asked something first, or told why not."""

from dataclasses import replace
from typing import Any, Protocol

from flask import session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.identity import services as identity_services
from portal.identity.guard import begin_session, current_contact
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict
from portal.providers import pending as journeys
from portal.redemption import claims as asked
from portal.redemption import pending, services
from portal.redemption.arriving import accepted, arrive
from portal.redemption.claims import Waiting
from portal.redemption.guard import count_registration
from portal.redemption.services import Arrival, NewPerson, Refused, Verdict, Way
from portal.redemption.status import Reason
from portal.redemption.views import refusal
from portal.settings.queries import site
from portal.web.htmx import render, see_other


class Named(Protocol):
    """What a page says of a provider."""

    @property
    def caption(self) -> str: ...


def arrived(arrival: Arrival, target: str | None, ends_at: str | None) -> Response:
    """Go on with somebody whom a provider has named: sign them in, ask them something first, or say why not."""
    now = clock.now()
    verdict, person = services.judge(arrival, now), current_contact()
    named = verdict.contact.id if verdict.contact is not None and verdict.way is Way.KNOWN else None
    if person is not None and person.id != named:
        return refused_page("signed_in", 409, arrival, verdict=verdict)
    mark = arrival.intent.mark if arrival.agreed and arrival.intent else ""
    waiting = Waiting(replace(arrival.claims, id_token=""), verdict.asks, mark, ends_at, target, now.isoformat())
    if verdict.asks:
        asked.keep(session, waiting)
        return see_other(url_for("provider_sign_in.confirm", slug=arrival.claims.slug))
    return decided(arrival, verdict, waiting, None)


def decided(arrival: Arrival, verdict: Verdict, answered: Waiting, new: NewPerson | None) -> Response:
    """Do what the verdict says. Raises Invalid."""
    if verdict.way is Way.LOOK_FIRST:
        return see_other(url_for("redemption.review"), _("An invitation is waiting. Please look at it first."), "info")
    if verdict.way is Way.OVER:
        return refusal((verdict.opened.over if verdict.opened else None) or Reason.CHANGED)
    if verdict.way not in (Way.KNOWN, Way.MAPPED, Way.ENTERS, Way.REGISTERS):
        return _turned_away(arrival, verdict)
    if verdict.way is Way.REGISTERS:
        count_registration()
    try:
        with transaction():
            whose = _done(arrival, verdict.way, answered.asks, new)
    except Refused as refused:
        return refusal(refused.reason)
    except Conflict:
        return refused_page("taken", 409, arrival)
    if whose is None:
        return refused_page("changed", 409, arrival)
    asked.drop(session)
    session.pop(journeys.ENDS, None)
    if answered.ends_at:
        session[journeys.ENDS] = {"sealed": answered.ends_at, "caption": arrival.caption}
    if verdict.way is Way.ENTERS and arrival.intent is not None:
        begin_session(*whose, by=arrival.by)
        return accepted(arrival.intent)
    return arrive(whose, by=arrival.by, target=answered.target, agreed=arrival.agreed)


def _done(arrival: Arrival, way: Way, asks: tuple[str, ...], new: NewPerson | None) -> tuple[int, int] | None:
    now = clock.now()
    if way is Way.ENTERS:
        return services.enter_with(arrival, asks, new, now)
    if way is Way.REGISTERS:
        return services.register_with(arrival, asks, new, now)
    return services.come_in(arrival, now)


def _turned_away(arrival: Arrival, verdict: Verdict) -> Response:
    if verdict.way is Way.INACTIVE:
        with transaction():
            identity_services.refused_at(arrival.claims, arrival.ip, clock.now())
    statuses = {Way.INACTIVE: 403, Way.OTHERS: 409, Way.HAS_SIGN_IN: 409, Way.USE_LINK: 409, Way.STRANGER: 403}
    return refused_page(verdict.way.value, statuses[verdict.way], arrival, verdict=verdict)


def refused_page(why: str, status: int, chosen: Named, *, verdict: Verdict | None = None) -> Response:
    """Why this was no sign-in; the invitation that waits is kept, and the other ways are offered."""
    waits = pending.recall(session) is not None and site().redeems
    opened = verdict.opened if verdict else None
    more: dict[str, Any] = {"meant": opened.meant if opened else None, "whose": verdict.contact if verdict else None}
    page = "redemption/provider_refused.html"
    answer = render(page, status=status, why=why, caption=chosen.caption, waits=waits, **more)
    if status == 503:
        answer.headers["Retry-After"] = "30"
    return answer
