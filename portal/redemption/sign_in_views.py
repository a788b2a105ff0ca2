"""Signing in and signing up, with or without an invitation."""

from flask import Blueprint, abort, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.contacts.models import Contact
from portal.identity import queries as identity
from portal.identity import services as identity_services
from portal.identity import staying
from portal.identity.guard import begin_session, current_contact, end_session
from portal.identity.services import second_factor
from portal.identity.services.second_factor import Passed
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.kernel.passwords import hash_password
from portal.providers import queries as providers
from portal.redemption import halfway, pending, queries, services
from portal.redemption.arriving import accepted, after, was_shown
from portal.redemption.forms import SignInForm, SignUpForm
from portal.redemption.guard import count_registration, registers_openly
from portal.redemption.services import BY_PASSWORD, NewPerson, Refused
from portal.redemption.status import Reason, Standing
from portal.redemption.views import refusal, sign_up_form
from portal.settings.queries import site
from portal.web import throttle
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = Blueprint("sign_in", __name__)
SIGN_UP_IS_FOR = frozenset({Standing.SIGN_UP, Standing.REPLACE})


@bp.route("/sign-in", methods=["GET", "POST"])
@refills_form
def sign_in() -> ResponseReturnValue:
    """Sign in with a username or a confirmed address; from the review page this accepts the invitation too."""
    target = request.args.get("next")
    if request.method == "GET":
        # Whoever comes from elsewhere has not the review page before their eyes: they get to see it first.
        if target != url_for("redemption.review"):
            pending.mark_reviewed(session, False)
        if current_contact() is not None:
            return see_other(after(target))
    if request.method == "POST" and not site().local_sign_in:
        abort(404)
    form = SignInForm()
    if site().sign_in_by_email_only:
        form.identifier.label.text = _("E-mail address")
    if form.validate_on_submit():
        try:
            passed, account = _checked(form)
        except Invalid as refused:
            form.show(refused)
        else:
            return halfway.go_on(passed, account, target, remember=form.remember.data and site().remember_me)
    intent = pending.recall(session) if site().redeems else None
    by_password = site().local_sign_in and (request.method == "POST" or "password" in request.args or not _only_one())
    return render(
        "redemption/sign_in.html",
        status=form.refusal() if form.errors else 200,
        form=form,
        by_password=by_password,
        password_url=url_for("sign_in.sign_in", next=target, password=1) if site().local_sign_in else "",
        invited=intent is not None,
        accepts=intent.mark if intent is not None and intent.reviewed else "",
        redeems=site().redeems,
        open_registration=registers_openly(),
    )


def _only_one() -> bool:
    """Whether the one provider behind *Sign in* is there to be used; a password is then asked for on demand."""
    return any(provider.slug == site().only_provider for provider in providers.offered())


def _checked(form: SignInForm) -> tuple[Passed, str]:
    """Whose password was typed, and under what their failures are counted. Raises Invalid, one answer for every kind
    of failure."""
    found = identity.sign_in(form.identifier.data, by_email_only=site().sign_in_by_email_only)
    account = identity.throttled_as(found.contact_id if found else None, form.identifier.data)
    ip = request.remote_addr
    throttle.check("contact", account, ip)
    stored = identity_services.checked(found, form.password.text)
    if found is not None and stored is not None:
        rehashed = identity_services.renewed(stored, form.password.text)
        number, known = found.contact_id, site().two_factor and staying.spared(found.contact_id)
        with transaction():
            passed = second_factor.password_passed(number, stored, rehashed, known=known, ip=ip, now=clock.now())
        if passed is not None:
            if passed.done:
                throttle.succeeded("contact", account, ip)
            return passed, account
    limited = throttle.failed("contact", account, ip)
    with transaction():
        identity_services.sign_in_failed(found, ip, clock.now(), limited=limited)
    raise Invalid({"": _("That did not work. Please check both fields, or set a new password by e-mail.")})


@bp.post("/sign-in/switch")
def switch() -> ResponseReturnValue:
    """*Use another account*: sign out, and keep the invitation."""
    end_session(keep=pending.KEY)
    return see_other(url_for("redemption.review" if pending.recall(session) else "sign_in.sign_in"))


@bp.route("/sign-up", methods=["GET", "POST"])
@refills_form
def sign_up() -> ResponseReturnValue:
    """Create a sign-in: for the invitation that is waiting, or for anybody where registration is open."""
    if not site().registration_enabled or (request.method == "POST" and not site().local_sign_in):
        abort(404)
    intent, opened = _waiting()
    if current_contact() is not None:
        return see_other(url_for("redemption.review" if intent else "identity.profile"))
    if intent is None and not registers_openly():
        return see_other(url_for("redemption.code")) if site().redeems else abort(404)
    if (intent is not None and request.method == "GET" and not intent.reviewed) or not was_shown(intent):
        return see_other(url_for("redemption.review"))
    offer = queries.offer(opened, None) if opened else None
    if intent is not None and (offer is None or offer.opened.over or offer.standing not in SIGN_UP_IS_FOR):
        return _not_by_signing_up(offer)
    form = sign_up_form(opened)
    if form.validate_on_submit():
        try:
            return _sign_up(form, offer)
        except Invalid as refused:
            form.show(refused)
        except Refused as refused:
            return refusal(refused.reason)
    status = form.refusal() if form.errors else 200
    return render("redemption/sign_up.html", status=status, form=form, offer=offer)


def _waiting() -> tuple[pending.Intent | None, queries.Opened | None]:
    """The invitation that is waiting, if any. One that is over keeps nobody from open registration."""
    intent = pending.recall(session) if site().redeems else None
    opened = queries.opened(intent, clock.now())
    over = intent is not None and (opened is None or opened.over is not None)
    if over and request.method == "GET" and registers_openly():
        pending.forget(session)
        return None, None
    return intent, opened


def _not_by_signing_up(offer: queries.Offer | None) -> Response:
    """The review page says why not; whoever posted gets the refusal itself."""
    if request.method == "GET" or offer is None:
        return see_other(url_for("redemption.review"))
    if offer.opened.over is not None and not queries.redeemed(offer.opened.invitation, offer.opened.meant):
        return refusal(offer.opened.over)
    return refusal(Reason.HAS_SIGN_IN)


def _sign_up(form: SignUpForm, offer: queries.Offer | None) -> Response:
    intent, meant = (offer.opened.intent, offer.opened.meant) if offer else (None, None)
    if intent is None:
        count_registration()
    typed = {name: form.data.get(name) or "" for name in ("first_name", "last_name", "email")}
    words = identity.words_about(meant, *typed.values(), (offer.account if offer else None) or "")
    whom = meant.id if meant else None
    identity_services.check_new(form.username.data, form.password.text, words, whose=whom)
    username, hashed = form.username.data, hash_password(form.password.text)
    new = NewPerson(**typed, otherwise=username)
    ip, now = request.remote_addr, clock.now()

    def give(contact: Contact) -> None:
        identity_services.create_sign_in(contact, username, hashed, ip, now)

    with transaction():
        if intent:
            contact = services.enter(intent, new, give, by=BY_PASSWORD, ip=ip, now=now)
        else:
            contact = services.register(new, give, ip=ip, now=now)
        whose = contact.id, contact.epoch
    begin_session(*whose, by=BY_PASSWORD)
    if intent is not None:
        return accepted(intent)
    toast = _("Welcome. We have sent you an e-mail: please open the link in it to confirm your address.")
    return see_other(url_for("identity.profile"), toast)
