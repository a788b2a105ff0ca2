"""Signing in and signing up with a passkey, with or without an invitation."""

from flask import Blueprint, abort, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.contacts.models import Contact
from portal.identity import services as identity_services
from portal.identity.guard import begin_session, current_contact
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict, Invalid
from portal.passkeys import pending as challenges
from portal.passkeys import queries as passkeys
from portal.passkeys.ceremonies import Made, Person
from portal.passkeys.guard import answered, ask_to_make, ask_to_use, count_failure, require_passkeys
from portal.passkeys.labels import name_by
from portal.passkeys.services import Refused as Unusable
from portal.passkeys.services import made
from portal.redemption import pending, queries, services
from portal.redemption.arriving import accepted, agrees, arrive, was_shown
from portal.redemption.forms import SignUpForm
from portal.redemption.guard import count_registration, registers_openly
from portal.redemption.queries import Offer
from portal.redemption.services import BY_PASSKEY, NewPerson, Refused
from portal.redemption.status import Reason, Standing
from portal.redemption.views import refusal, sign_up_form
from portal.settings.queries import site
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = Blueprint("passkey_sign_in", __name__)
BY_PASSWORD_ONLY = ("username", "password", "confirm")
PERSONAL = ("first_name", "last_name", "email")
OFFERED_TO = frozenset({Standing.SIGN_UP, Standing.REPLACE})


@bp.post("/sign-in/passkey/options")
def options() -> ResponseReturnValue:
    """What the browser is asked in order to sign in."""
    return ask_to_use(challenges.SIGN_IN)


@bp.post("/sign-in/passkey")
def sign_in() -> ResponseReturnValue:
    """Sign in with the answer of an authenticator; from the review page this accepts the invitation too."""
    ip, now = request.remote_addr, clock.now()
    try:
        answer, challenge = answered(challenges.SIGN_IN)
        with transaction():
            whose = identity_services.signed_in_by_passkey(answer, challenge, ip, now)
    except Unusable as refused:
        count_failure()
        with transaction():
            identity_services.passkey_refused(refused, ip, now)
        return _refused(refused.message)
    agreed = agrees(pending.recall(session), request.form.get("seen", ""))
    return arrive(whose, by=BY_PASSKEY, target=request.form.get("next"), agreed=agreed)


@bp.post("/sign-up/passkey/options")
@refills_form
def sign_up_options() -> ResponseReturnValue:
    """What the browser is asked in order to make a passkey for a new sign-in; 422 where the form is not filled in."""
    offer = _offer()
    if isinstance(offer, Response):
        return {}, 409
    form = personal_form(offer)
    if not form.validate_on_submit():
        return {}, form.refusal()
    meant, typed = offer.opened.meant if offer else None, _typed(form)
    address = (meant.email1 or meant.name) if meant else typed["email"]
    name = meant.name if meant else f"{typed['first_name']} {typed['last_name']}".strip()
    return ask_to_make(challenges.SIGN_UP, Person(passkeys.handle([]), address, name or address))


@bp.post("/sign-up/passkey")
@refills_form
def sign_up() -> ResponseReturnValue:
    """Create a sign-in that is a passkey: for the invitation that is waiting, or where registration is open."""
    offer = _offer()
    if isinstance(offer, Response):
        return offer
    form = personal_form(offer)
    if form.validate_on_submit():
        try:
            return _sign_up(form, offer, made(*answered(challenges.SIGN_UP)))
        except Invalid as refused:
            form.show(refused)
        except Unusable:
            count_failure()
            return _refused(_("The passkey was not made. Please try again, or choose a password."), creating=True)
        except Refused as refused:
            return refusal(refused.reason)
        except Conflict as refused:
            return _refused(refused.message, creating=True)
    return render("redemption/sign_up.html", status=form.refusal(), form=_whole(form, offer), offer=offer)


def personal_form(offer: Offer | None) -> SignUpForm:
    """The sign-up form without what only a password needs."""
    form = sign_up_form(offer.opened if offer else None)
    for name in BY_PASSWORD_ONLY:
        del form[name]
    return form


def _whole(refused: SignUpForm, offer: Offer | None) -> SignUpForm:
    """The sign-up form as it is shown again, with what was typed and what was wrong with it."""
    form = sign_up_form(offer.opened if offer else None)
    form.form_errors.extend(refused.form_errors)
    for field in refused:
        form[field.name].errors = field.errors
    return form


def _typed(form: SignUpForm) -> dict[str, str]:
    return {name: form.data.get(name) or "" for name in PERSONAL}


def _offer() -> Offer | Response | None:
    """The invitation for which somebody signs up, None where anybody may; or the answer to somebody who may not."""
    require_passkeys()
    if not site().registration_enabled:
        abort(404)
    intent = pending.recall(session) if site().redeems else None
    if current_contact() is not None:
        return see_other(url_for("redemption.review" if intent else "identity.profile"))
    if intent is None:
        return None if registers_openly() else see_other(url_for("redemption.code"))
    if not was_shown(intent):
        return see_other(url_for("redemption.review"))
    opened = queries.opened(intent, clock.now())
    offer = queries.offer(opened, None) if opened else None
    if offer is None or offer.opened.over:
        return refusal((offer.opened.over if offer else None) or Reason.CHANGED)
    return offer if offer.standing in OFFERED_TO else refusal(Reason.HAS_SIGN_IN)


def _sign_up(form: SignUpForm, offer: Offer | None, new: Made) -> Response:
    intent, typed = offer.opened.intent if offer else None, _typed(form)
    if intent is None:
        count_registration()
    person = NewPerson(**typed, otherwise=typed["email"])
    ip, now, name = request.remote_addr, clock.now(), name_by(request.user_agent.string)

    def give(contact: Contact) -> None:
        identity_services.give_passkey(contact, new, name, ip, now)

    with transaction():
        if intent:
            contact = services.enter(intent, person, give, by=BY_PASSKEY, ip=ip, now=now)
        else:
            contact = services.register(person, give, ip=ip, now=now)
        whose = contact.id, contact.epoch
    begin_session(*whose, by=BY_PASSKEY)
    if intent is not None:
        return accepted(intent)
    toast = _("Welcome. We have sent you an e-mail: please open the link in it to confirm your address.")
    return see_other(url_for("identity.profile"), toast)


def _refused(message: str, *, creating: bool = False) -> Response:
    """A page of its own that keeps the invitation and offers the ways on."""
    intent = pending.recall(session) if site().redeems else None
    return render(
        "redemption/passkey_refused.html",
        status=422,
        message=message,
        creating=creating,
        invited=intent is not None,
        mark=intent.mark if intent is not None and intent.reviewed else "",
        target=request.form.get("next", ""),
    )
