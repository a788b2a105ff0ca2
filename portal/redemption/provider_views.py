"""Signing in through a provider: on the way there, back again, what has to be asked, and signing out there."""

from typing import Any

from flask import Blueprint, abort, make_response, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from limits import RateLimitItemPerMinute
from structlog import get_logger
from werkzeug.wrappers import Response

from portal.identity import queries as identity
from portal.identity import services as identity_services
from portal.identity.guard import current_contact, proven, proven_now
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict, Invalid
from portal.kernel.secrets_ import digest
from portal.providers import exchange
from portal.providers import pending as journeys
from portal.providers import queries as providers
from portal.providers.claims import Claims
from portal.providers.models import Provider
from portal.providers.pending import Started
from portal.redemption import claims as asked
from portal.redemption import pending, queries, services
from portal.redemption.arriving import after, agrees, was_shown
from portal.redemption.forms import AboutYouForm
from portal.redemption.returning import arrived, decided, refused_page
from portal.redemption.services import Arrival, NewPerson
from portal.settings.queries import absolute_url, ring, site
from portal.web import limits
from portal.web.forms import Form
from portal.web.htmx import render, see_other, wanted
from portal.web.security import POLICY, local_target, refills_form

bp = Blueprint("provider_sign_in", __name__)
log = get_logger("providers")
SIGN_IN, LINK, PROVE = "sign-in", "link", "prove"
FAILING = RateLimitItemPerMinute(30, 5)
NEWCOMERS = RateLimitItemPerMinute(100, 5)
ONCE = RateLimitItemPerMinute(1, 15)
LONGEST_TARGET, LONGEST_MARK = 1000, 64
FORWARDING = POLICY.replace("form-action 'self'", "form-action 'none'")
bp.add_app_template_global(providers.offered, "sign_in_providers")


@bp.post("/sign-in/<slug>")
def start(slug: str) -> ResponseReturnValue:
    """Go to a provider: to sign in, to link an identity to one's own contact, or to prove once more who one is."""
    chosen, purpose = _offered(slug), request.form.get("purpose", SIGN_IN)
    if chosen is None or purpose not in (SIGN_IN, LINK, PROVE):
        abort(404 if chosen is None else 400)
    target = local_target(request.form.get("next", "")[:LONGEST_TARGET], "") or None
    if purpose == SIGN_IN:
        return see_other(after(target)) if current_contact() is not None else _leave(chosen, purpose, target)
    if current_contact() is None:
        return see_other(url_for("sign_in.sign_in", next=target))
    return _leave_to_link(chosen, target) if purpose == LINK else _leave(chosen, purpose, target)


@proven
def _leave_to_link(chosen: Provider, target: str | None) -> ResponseReturnValue:
    return _leave(chosen, LINK, target)


def _leave(chosen: Provider, purpose: str, target: str | None) -> Response:
    _check_failures()
    _count_newcomer()
    contact, now = current_contact(), clock.now()
    try:
        begun = exchange.begin(chosen, _redirect_uri(chosen), now, again=purpose == PROVE)
    except exchange.Ended as fault:
        return _failed(chosen, fault)
    started = Started(
        slug=chosen.slug,
        state=begun.state,
        purpose=purpose,
        kept=begun.kept,
        at=now.isoformat(),
        who=contact.get_id() if contact else "",
        seen=request.form.get("seen", "")[:LONGEST_MARK],
        target=target,
    )
    journeys.remember(session, started)
    return _forward(begun.url, _("Taking you to %(provider)s", provider=chosen.caption), chosen.caption)


def _forward(url: str, title: str, caption: str) -> Response:
    """A page that leads on: a redirect after a POST to another site is what `form-action` forbids (SECURITY L15)."""
    if wanted():
        answer = make_response("", 200)
        answer.headers["HX-Redirect"] = url
    else:
        answer = render("redemption/forward.html", url=url, title=title, caption=caption)
    answer.headers["Content-Security-Policy"] = FORWARDING
    return answer


@bp.get("/sign-in/<slug>/callback")
def callback(slug: str) -> ResponseReturnValue:
    """Back from a provider. Each journey ends once, here, whatever comes of it."""
    if request.method != "GET":
        abort(405)
    chosen = providers.get(slug)
    started = journeys.take(session, slug, request.args, clock.now())
    if started is None:
        return refused_page("faulty", 400, chosen)
    _check_failures()
    # The session is written when the request is over; of two callbacks at once only one may go on.
    if not limits.hit((ONCE, f"provider:state:{digest(started.state)}")):
        return refused_page("faulty", 400, chosen)
    if _offered(slug) is None:
        return refused_page("off", 403, chosen)
    try:
        secret, args = providers.secret(chosen), request.args
        claims = exchange.finish(chosen, secret, _redirect_uri(chosen), started.kept, args, clock.now())
    except exchange.Ended as fault:
        return _failed(chosen, fault)
    if started.purpose != SIGN_IN:
        return _of_the_same_person(chosen, started, claims)
    intent = pending.recall(session) if site().redeems else None
    arrival = _arrival(chosen, claims, intent, agreed=agrees(intent, started.seen))
    ends_at = exchange.ending(chosen, claims.id_token, absolute_url("/"))
    sealed = ring().seal(ends_at, journeys.ENDS) if ends_at else None  # it says who somebody is there
    return arrived(arrival, started.target, sealed)


def _of_the_same_person(chosen: Provider, started: Started, claims: Claims) -> Response:
    """Back to link, or to prove: only in the session that left for it."""
    contact = current_contact()
    if contact is None or contact.get_id() != started.who:
        return refused_page("signed_out", 403, chosen)
    profile = url_for("identity.profile")
    if started.purpose == PROVE:
        held = identity.identity(claims.issuer, claims.subject)
        if held is None or held.contact_id != contact.id:
            return refused_page("not_yours", 403, chosen)
        proven_now()
        return see_other(local_target(started.target, profile))
    whose = contact.id, contact.epoch
    try:
        with transaction():
            added = identity_services.add_identity(whose, claims, chosen.caption, request.remote_addr, clock.now())
    except Conflict:
        return refused_page("taken", 409, chosen)
    said = _("You can sign in with %(provider)s from now on.") if added else _("%(provider)s was linked already.")
    return see_other(local_target(started.target, profile), said % {"provider": chosen.caption})


@bp.route("/sign-in/<slug>/confirm", methods=["GET", "POST"])
@refills_form
def confirm(slug: str) -> ResponseReturnValue:
    """What has to be asked before an identity counts: whether it replaces a sign-in, whether another address is
    theirs, too, what they are called."""
    chosen, waiting = _offered(slug), asked.kept(session, slug, clock.now())
    about = waiting is not None and asked.ABOUT in waiting.asks
    said = vars(services.said_by(waiting.claims)) if waiting else {}
    form = AboutYouForm(data=said) if about else Form()
    answered = form.validate_on_submit()
    if "csrf_token" in form.errors and (chosen is None or waiting is None):
        abort(400)  # there is no form to show again
    if chosen is None or waiting is None or current_contact() is not None:
        return _nothing_to_confirm()
    intent = pending.recall(session) if site().redeems else None
    arrival = _arrival(chosen, waiting.claims, intent, agreed=bool(waiting.mark))
    verdict = services.judge(arrival, clock.now())
    same = not waiting.mark or (intent is not None and intent.mark == waiting.mark and was_shown(intent))
    if not same or verdict.asks != waiting.asks:
        return _nothing_to_confirm()
    if answered:
        try:
            return decided(arrival, verdict, waiting, _named(form, waiting.claims) if about else None)
        except Invalid as refused:
            form.show(refused)
    offer = queries.offer(verdict.opened, None) if verdict.opened else None
    status = form.refusal() if form.errors else 200
    page = "redemption/provider_confirm.html"
    more: dict[str, Any] = {"claims": waiting.claims, "asks": waiting.asks, "provider": chosen, "mark": waiting.mark}
    return render(page, status=status, form=form, offer=offer, **more)


def _named(form: Form, claims: Claims) -> NewPerson:
    typed = {name: form.data[name] for name in ("first_name", "last_name", "email")}
    return NewPerson(**typed, language=services.said_by(claims).language, otherwise=typed["email"])


def _nothing_to_confirm() -> Response:
    said = _("That took too long, or something changed. Please start again.") if asked.KEY in session else None
    asked.drop(session)
    waits = pending.recall(session) is not None and site().redeems
    return see_other(url_for("redemption.review" if waits else "sign_in.sign_in"), said, "info")


@bp.get("/signed-out")
def signed_out() -> ResponseReturnValue:
    """Signed out here; on to the provider, where the sign-in came from, to be signed out there too."""
    ends = session.pop(journeys.ENDS, None) if journeys.ENDS in session and current_contact() is None else None
    if not ends:
        return render("redemption/provider_signed_out.html")
    return _forward(ring().open(ends["sealed"], journeys.ENDS), _("You are signed out here"), ends["caption"])


def _offered(slug: str) -> Provider | None:
    return next((one for one in providers.offered() if one.slug == slug), None)


def _redirect_uri(chosen: Provider) -> str:
    return absolute_url(f"/sign-in/{chosen.slug}/callback")


def _arrival(chosen: Provider, claims: Claims, intent: pending.Intent | None, *, agreed: bool) -> Arrival:
    flags = {"registers": chosen.for_registration, "refreshes": chosen.refreshes}
    return Arrival(claims, chosen.caption, intent, agreed, **flags, ip=request.remote_addr)


def _check_failures() -> None:
    limits.check(_("That failed too often. Please wait a moment before you try again."), _failures())


def _failures() -> tuple[RateLimitItemPerMinute, str]:
    return FAILING, f"provider:ip:{limits.household(request.remote_addr)}"


def _count_newcomer() -> None:
    """Setting out makes a session for everybody who has none: from one address only so often."""
    if not getattr(session, "stored", False):
        newcomers = (NEWCOMERS, f"provider:new:{limits.household(request.remote_addr)}")
        limits.check(_("There were many requests from your network. Please wait before you try again."), newcomers)
        limits.hit(newcomers)


def _failed(chosen: Provider, fault: exchange.Ended) -> Response:
    """The provider said no, or nothing, or something that must not be believed."""
    kind = type(fault).__name__.lower()
    log.warning("provider.failed", provider=chosen.slug, kind=kind, reason=fault.reason)
    if not isinstance(fault, exchange.Denied):
        limits.hit(_failures())
    return refused_page(kind, {"denied": 400, "faulty": 400}.get(kind, 503), chosen)
