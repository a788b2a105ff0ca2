"""Staff at a sign-in provider: going there, coming back, and what is linked on one's own profile."""

from flask import abort, make_response, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from limits import RateLimitItemPerMinute
from structlog import get_logger

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.secrets_ import digest
from portal.providers import exchange, pending
from portal.providers import queries as providers
from portal.providers.claims import Claims
from portal.providers.models import Provider
from portal.providers.pending import Started
from portal.settings.queries import absolute_url
from portal.staff import queries, services
from portal.staff.arriving import arrive, how_signed_in, renewed, staff_target
from portal.staff.guard import actor, current_staff, detour, own_transaction
from portal.staff.permissions import Permission
from portal.web import limits, proof
from portal.web.guard import before_sign_in, needs, staff_blueprint
from portal.web.htmx import go, render, see_other, wanted
from portal.web.security import POLICY

bp = staff_blueprint("staff_providers", __name__)
log = get_logger("providers")
FAILING = RateLimitItemPerMinute(30, 5)
ONCE = RateLimitItemPerMinute(1, 15)
FORWARDING = POLICY.replace("form-action 'self'", "form-action 'none'")
SIGN_IN, LINK, PROVE = "sign-in", "link", "prove"


@bp.post("/sign-in/<slug>")
@before_sign_in
def start(slug: str) -> ResponseReturnValue:
    """Begin, and answer with a page that leads to the provider: a redirect after a form would be blocked (L15)."""
    provider, purpose = _offered(slug), request.form.get("purpose", SIGN_IN)
    target = staff_target(request.form.get("next"))
    if purpose not in (SIGN_IN, LINK, PROVE):
        abort(400)
    if purpose == SIGN_IN and current_user.is_authenticated:
        return see_other(target)
    if purpose != SIGN_IN and not current_user.is_authenticated:
        return go(url_for("staff.sign_in"))
    if purpose == LINK and (elsewhere := detour()):
        return go(elsewhere)
    if purpose == LINK and not proof.proven_recently():
        return go(url_for("staff_proof.confirm", next=url_for("staff.profile")))
    _check_failures()
    now = clock.now()
    try:
        begun = exchange.begin(provider, _callback_address(slug), now, again=purpose == PROVE)
    except exchange.Away as fault:
        return _failed(provider, fault)
    kept = Started(slug, begun.state, purpose, begun.kept, now.isoformat(), who=_who(), target=target)
    pending.remember(session, kept)
    return _forward(begun.url, provider)


@bp.get("/sign-in/<slug>/callback")
@before_sign_in
def callback(slug: str) -> ResponseReturnValue:
    """Somebody comes back. What this browser has not begun here, or has ended already, is believed nothing of."""
    if request.method != "GET":
        abort(405)
    now = clock.now()
    begun = pending.take(session, slug, request.args, now)
    provider = _offered(slug)
    if begun is None or begun.who != _who():
        return _came_to_nothing(provider, exchange.Faulty("state"))
    _check_failures()
    # The session is written when the request is over; of two callbacks at once only one may go on.
    if not limits.hit((ONCE, f"staff-provider:state:{digest(begun.state)}")):
        return _came_to_nothing(provider, exchange.Faulty("state"))
    try:
        uri, secret = _callback_address(slug), providers.secret(provider)
        claims = exchange.finish(provider, secret, uri, begun.kept, request.args.to_dict(), now)
    except exchange.Ended as fault:
        return _failed(provider, fault)
    if begun.purpose == LINK:
        return _link(claims)
    if begun.purpose == PROVE:
        return _prove(claims, provider, begun.target)
    return _sign_in(claims, provider, begun.target)


@bp.post("/profile/identities/<int:identity_id>/remove")
@needs(Permission.VIEW, proven=True)
def unlink(identity_id: int) -> ResponseReturnValue:
    """One's own sign-in at a provider no longer counts here."""
    with own_transaction():
        me = services.remove_identity(current_staff().id, identity_id, actor(), clock.now())
        whose = me.id, me.epoch
    toast = _("The sign-in is removed. Other sessions have ended.")
    return renewed(whose, by=how_signed_in(), target=url_for("staff.profile"), toast=toast)


def _sign_in(claims: Claims, provider: Provider, target: str | None) -> ResponseReturnValue:
    slug = provider.slug
    with transaction():
        now, ip = clock.now(), request.remote_addr
        member = services.sign_in_with(claims, now, ip)
        whose = (member.id, member.epoch) if member else None
        if whose is None:
            services.sign_in_failed(None, now, ip, limited=False)
    if whose is None:
        limits.hit(_failures())
        return render("staff/provider_refused.html", provider=_offered(slug), mine=False, status=403)
    return arrive(whose, by=f"provider:{slug}", target=target)


def _link(claims: Claims) -> ResponseReturnValue:
    with own_transaction():
        services.link_identity(current_staff().id, claims, actor(), clock.now())
    return see_other(url_for("staff.profile"), _("The sign-in is linked. You can use it from now on."))


def _prove(claims: Claims, provider: Provider, target: str | None) -> ResponseReturnValue:
    found = queries.identity(claims.issuer, claims.subject)
    if found is None or found.staff_id != current_staff().id:
        return render("staff/provider_refused.html", provider=provider, mine=True, status=403)
    proof.proven_now()
    return see_other(staff_target(target))


def _offered(slug: str) -> Provider:
    """The provider, while staff may use it: it may have been switched off since somebody went there."""
    return next((one for one in providers.offered_to_staff() if one.slug == slug), None) or abort(404)


def _callback_address(slug: str) -> str:
    return absolute_url(url_for("staff_providers.callback", slug=slug))


def _who() -> str:
    return str(current_user.get_id()) if current_user.is_authenticated else ""


def _check_failures() -> None:
    limits.check(_("That failed too often. Please wait a moment before you try again."), _failures())


def _failures() -> tuple[RateLimitItemPerMinute, str]:
    return FAILING, f"staff-provider:ip:{limits.household(request.remote_addr)}"


def _failed(provider: Provider, fault: exchange.Ended) -> ResponseReturnValue:
    """The provider said no, or nothing, or something that must not be believed."""
    log.warning("provider.failed", provider=provider.slug, kind=type(fault).__name__.lower(), reason=fault.reason)
    if not isinstance(fault, exchange.Denied):
        limits.hit(_failures())
    return _came_to_nothing(provider, fault)


def _came_to_nothing(provider: Provider, fault: exchange.Ended) -> ResponseReturnValue:
    kind = "away" if isinstance(fault, exchange.Away) else "denied" if isinstance(fault, exchange.Denied) else "faulty"
    status = 503 if kind == "away" else 400
    return render("staff/provider_trouble.html", provider=provider, kind=kind, status=status)


def _forward(url: str, provider: Provider) -> ResponseReturnValue:
    if wanted():
        answer = make_response("", 200)
        answer.headers["HX-Redirect"] = url
        return answer
    answer = render("staff/forward.html", url=url, provider=provider)
    answer.headers["Content-Security-Policy"] = FORWARDING
    return answer
