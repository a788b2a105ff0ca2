"""The pages of a contact's own sign-in: signing out, password reset, e-mail confirmation."""

from flask import abort, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from limits import RateLimitItemPerHour

from portal.identity import links, queries, services
from portal.identity.forms import ForgotForm, PasswordForm
from portal.identity.guard import current_contact, end_session, how_signed_in
from portal.identity.profile_views import bp as bp  # one blueprint, whose shorter half this is
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict, Gone, Invalid
from portal.kernel.passwords import hash_password
from portal.providers.pending import ENDS
from portal.settings.queries import site
from portal.web import limits, sessions, throttle
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

ASKING = RateLimitItemPerHour(30)
OPENED = "opened_links"


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this browser's session; whoever came through a provider is led on to end theirs there, too."""
    elsewhere = how_signed_in().startswith("provider:") and ENDS in session
    end_session(keep=ENDS if elsewhere else None)
    if elsewhere:
        return see_other(url_for("provider_sign_in.signed_out"))
    return see_other(url_for("redemption.home"), _("You are signed out."))


@bp.route("/forgot-password", methods=["GET", "POST"])
@refills_form
def forgot_password() -> ResponseReturnValue:
    """Ask for a link to set a new password; the answer is the same for everybody."""
    _only_while(_resets())
    form = ForgotForm()
    if form.validate_on_submit():
        asking = (ASKING, f"forgot:ip:{limits.household(request.remote_addr)}")
        limits.check(_("You asked for many links. Please wait before you ask again."), asking)
        limits.hit(asking)
        contact_id = queries.resets(form.identifier.data)
        with transaction():
            services.ask_reset(contact_id, clock.now())
        return see_other(url_for("identity.forgot_password", sent=1))
    sent = request.method == "GET" and "sent" in request.args
    return render("identity/forgot_password.html", form=form, sent=sent, status=form.refusal() if form.errors else 200)


@bp.get("/reset-password/<token>")
def reset_link(token: str) -> ResponseReturnValue:
    """A mailed link to a new password: into the session with it, so that no secret stays in the address."""
    _only_while(_resets())
    return _open(token, links.RESET, "identity.reset_password")


@bp.route("/reset-password", methods=["GET", "POST"])
@refills_form
def reset_password() -> ResponseReturnValue:
    """Set a new password by the link that this browser opened."""
    _only_while(_resets())
    return _choose_password(links.RESET)


@bp.get("/set-password/<token>")
def set_link(token: str) -> ResponseReturnValue:
    """A link to a first password, which staff had mailed: into the session with it."""
    _only_while(site().local_sign_in)
    return _open(token, links.SET, "identity.set_password")


@bp.route("/set-password", methods=["GET", "POST"])
@refills_form
def set_password() -> ResponseReturnValue:
    """Set a password by the link that staff had mailed, and that this browser opened."""
    _only_while(site().local_sign_in)
    return _choose_password(links.SET)


@bp.get("/confirm-email/<token>")
def confirm_link(token: str) -> ResponseReturnValue:
    """A mailed link that confirms an address: into the session with it."""
    return _open(token, links.CONFIRM, "identity.confirm_email")


@bp.route("/confirm-email", methods=["GET", "POST"])
def confirm_email() -> ResponseReturnValue:
    """Confirm an e-mail address by the link that this browser opened: the page asks, its button confirms."""
    link_id = _opened(links.CONFIRM) or 0
    try:
        if request.method == "POST":
            with transaction():
                services.confirm_email(link_id, request.remote_addr, clock.now())
            here = "identity.profile" if current_contact() else "redemption.home"
            return see_other(url_for(here), _("Thank you. Your e-mail address is confirmed."))
        link, contact = queries.opened_link(link_id, links.CONFIRM)
        if contact.email1_verified_at is None:
            services.living(link, clock.now())
    except (Gone, Conflict) as over:
        return _link_over(over, links.CONFIRM)
    held = queries.credential(contact.id)
    return render("identity/confirm_email.html", contact=contact, username=held.username if held else None)


def _choose_password(purpose: str) -> ResponseReturnValue:
    """The page on which a new password is typed, and what its button does."""
    form, link_id = PasswordForm(), _opened(purpose) or 0
    typed = form.validate_on_submit()
    if not link_id and "csrf_token" in form.errors:
        abort(400)  # there is no page to show the form on once more
    if not link_id and purpose == links.RESET:
        return see_other(url_for("identity.forgot_password"))
    try:
        contact = services.usable_link(link_id, purpose, clock.now())[1]
        if typed:
            services.check_password(form.password.text, queries.words_about(contact))
            hashed = hash_password(form.password.text)
            with transaction():
                services.reset_password(link_id, purpose, hashed, request.remote_addr, clock.now())
                account = queries.throttled_as(contact.id)
            throttle.succeeded("contact", account, request.remote_addr)
            return see_other(url_for("sign_in.sign_in"), _("Your new password is set. Please sign in with it."))
    except Gone as over:
        return _link_over(over, purpose)
    except Invalid as refused:
        form.show(refused)
    status, held = form.refusal() if form.errors else 200, queries.credential(contact.id)
    username = held.username if held else ""
    page = "identity/reset_password.html"
    return render(page, status=status, form=form, contact=contact, username=username, first=purpose == links.SET)


def _open(token: str, purpose: str, page: str) -> ResponseReturnValue:
    """Keep the number of the link that a token names in the session, and lead to its page. Changes nothing else, for
    mail scanners open links, too."""
    try:
        link, contact = queries.link(token, purpose)
        if purpose != links.CONFIRM or contact.email1_verified_at is None:
            services.living(link, clock.now())
    except Gone as over:
        return _link_over(over, purpose)
    session[OPENED] = {**session.get(OPENED, {}), purpose: link.id}
    sessions.renew()  # a session that somebody else knows must not learn to set this password
    return see_other(url_for(page))


def _opened(purpose: str) -> int | None:
    """The number of the link of this purpose that this browser opened last."""
    number: int | None = session.get(OPENED, {}).get(purpose)
    return number


def _resets() -> bool:
    return site().local_sign_in and site().password_reset


def _only_while(switched_on: bool) -> None:
    if not switched_on:
        abort(404)


def _link_over(over: Gone | Conflict, purpose: str) -> ResponseReturnValue:
    taken = isinstance(over, Conflict)
    page = "identity/link_over.html"
    return render(page, status=over.status, message=over.message, purpose=purpose, taken=taken)
