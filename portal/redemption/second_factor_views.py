"""Between the right password and the sign-in: the mailed code, and a password of one's own for a temporary one."""

from flask import Blueprint, abort, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.contacts import queries as contacts
from portal.identity import queries as identity
from portal.identity import services as identity_services
from portal.identity import staying
from portal.identity.forms import PasswordForm
from portal.identity.guard import resume_session
from portal.identity.services import second_factor
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.kernel.passwords import hash_password, verify_password
from portal.redemption import halfway, pending
from portal.redemption.forms import FactorForm
from portal.redemption.halfway import Halfway
from portal.settings.queries import site
from portal.web import limits, throttle
from portal.web.forms import Form
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = Blueprint("second_factor", __name__)
bp.before_app_request(resume_session)
TRIES = 5


@bp.route("/sign-in/verify", methods=["GET", "POST"])
@refills_form
def verify() -> ResponseReturnValue:
    """Ask for the code that was mailed after the password."""
    half, form = _on_their_way(), FactorForm()
    given = form.validate_on_submit()
    if half is None or half.passed.link_id is None:
        return _astray(half, form)
    if given:
        throttle.check("contact", half.account, request.remote_addr)
        # Counted before the code is looked at: of many tries at once no more than five get an answer.
        tries = limits.count(f"second-factor:{half.passed.link_id}", int(halfway.LASTS.total_seconds()))
        if tries <= TRIES and _right(half, form.code.data):
            return _code_was_right(half, remember=bool(form.remember_browser.data))
        _wrong(half, last=tries >= TRIES)
        if tries >= TRIES:
            toast = _("That was the wrong code too often. Please sign in again to get a new one.")
            return see_other(halfway.start_again(half), toast, "error")
        form.show(Invalid({"code": _("This is not the code we sent you last, or it has expired.")}))
    return render(
        "redemption/second_factor.html",
        status=form.refusal() if form.errors else 200,
        form=form,
        address=_hidden(contacts.get(half.passed.contact_id).email1 or ""),
        more=halfway.MAILS - half.mails,
        accepts=halfway.accepts(half),
        invited=_invited(),
        back=_back(half),
    )


@bp.post("/sign-in/verify/resend")
def resend() -> ResponseReturnValue:
    """Mail another code; the one before stops working."""
    half = _on_their_way()
    if half is None or half.passed.link_id is None:
        return see_other(_back(half))
    here = url_for("second_factor.verify")
    if half.mails >= halfway.MAILS:
        return see_other(here, _("We have sent you several codes already. Please use the newest one."), "info")
    with transaction():
        passed = second_factor.mail_again(half.passed, clock.now())
    if passed is None:
        return see_other(halfway.start_again(half))
    halfway.mailed_again(half, passed)
    return see_other(here, _("We have sent you a new code. The one before does not work any more."))


@bp.route("/sign-in/new-password", methods=["GET", "POST"])
@refills_form
def own_password() -> ResponseReturnValue:
    """Ask for a password of their own in place of the temporary one, before anything else."""
    half, form = _on_their_way(), PasswordForm()
    given = form.validate_on_submit()
    if half is None or half.passed.link_id is not None:
        return _astray(half, form)
    contact = contacts.get(half.passed.contact_id)
    if given:
        try:
            return _set(half, form)
        except Invalid as refused:
            form.show(refused)
    held = identity.credential(contact.id)
    return render(
        "redemption/own_password.html",
        status=form.refusal() if form.errors else 200,
        form=form,
        username=held.username if held else "",
        accepts=halfway.accepts(half),
        invited=_invited(),
        back=_back(half),
    )


def _on_their_way() -> Halfway | None:
    """Who has given the right password in this browser and nobody has shut out since."""
    if not site().local_sign_in:
        abort(404)
    half = halfway.recall()
    living = half is not None and contacts.for_session(*half.passed.whose) is not None
    return half if living else None


def _astray(half: Halfway | None, form: Form) -> Response:
    """To whoever has no business on this page; a form that another site may have sent is refused as everywhere."""
    if "csrf_token" in form.errors:
        abort(400)
    return see_other(_back(half))


def _right(half: Halfway, typed: str) -> bool:
    with transaction():
        return second_factor.code_right(half.passed, typed, clock.now())


def _code_was_right(half: Halfway, *, remember: bool) -> Response:
    half, ip = halfway.code_given(half), request.remote_addr
    if remember and site().remember_browser:
        staying.spare(half.passed.whose)
    if not half.passed.done:
        return halfway.next_step(half)
    with transaction():
        epoch = second_factor.finish(half.passed, ip, clock.now())
    if epoch is None:
        return see_other(halfway.start_again(half))
    throttle.succeeded("contact", half.account, ip)
    return halfway.arrived(half, (half.passed.contact_id, epoch))


def _wrong(half: Halfway, *, last: bool) -> None:
    limited = throttle.failed("contact", half.account, request.remote_addr)
    with transaction():
        second_factor.code_wrong(half.passed, request.remote_addr, clock.now(), last=last, limited=limited)


def _set(half: Halfway, form: PasswordForm) -> Response:
    contact = contacts.get(half.passed.contact_id)
    identity_services.check_password(form.password.text, identity.words_about(contact))
    held = identity.credential(contact.id)
    second_factor.check_other(verify_password(held.password_hash if held else None, form.password.text))
    hashed = hash_password(form.password.text)
    with transaction():
        epoch = second_factor.replace_temporary(half.passed, hashed, request.remote_addr, clock.now())
    if epoch is None:
        return see_other(halfway.start_again(half))
    throttle.succeeded("contact", half.account, request.remote_addr)
    return halfway.arrived(half, (half.passed.contact_id, epoch))


def _back(half: Halfway | None) -> str:
    return url_for("sign_in.sign_in", next=half.target if half else None)


def _invited() -> bool:
    return site().redeems and pending.recall(session) is not None


def _hidden(address: str) -> str:
    """Enough of the address for its owner to know it, and for nobody else."""
    local, _at, domain = address.rpartition("@")
    return f"{local[:1]}***@{domain}"
