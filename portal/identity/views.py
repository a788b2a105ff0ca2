"""The pages of a contact's own sign-in: signing out, password reset, e-mail confirmation, the profile."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from limits import RateLimitItemPerHour

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.identity import links, queries, services
from portal.identity.forms import ChangePasswordForm, ForgotForm, PasswordForm
from portal.identity.guard import actor, begin_session, contact_required, current_contact, end_session, signed_in
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict, Gone, Invalid
from portal.kernel.passwords import hash_password
from portal.roles import queries as roles
from portal.web import limits, throttle
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = Blueprint("identity", __name__)
ASKING = RateLimitItemPerHour(30)


@bp.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this browser's session."""
    end_session()
    return see_other(url_for("redemption.home"), _("You are signed out."))


@bp.route("/forgot-password", methods=["GET", "POST"])
@refills_form
def forgot_password() -> ResponseReturnValue:
    """Ask for a link to set a new password; the answer is the same for everybody."""
    form = ForgotForm()
    if form.validate_on_submit():
        asking = (ASKING, f"forgot:ip:{limits.household(request.remote_addr)}")
        limits.check(_("You asked for many links. Please wait before you ask again."), asking)
        limits.hit(asking)
        found = queries.sign_in(form.identifier.data)
        with transaction():
            services.ask_reset(found, clock.now())
        return see_other(url_for("identity.forgot_password", sent=1))
    sent = request.method == "GET" and "sent" in request.args
    return render("identity/forgot_password.html", form=form, sent=sent, status=form.refusal() if form.errors else 200)


@bp.route("/reset-password/<token>", methods=["GET", "POST"])
@refills_form
def reset_password(token: str) -> ResponseReturnValue:
    """Set a new password by a mailed link; opening the page changes nothing."""
    form = PasswordForm()
    try:
        contact = services.usable_link(token, links.RESET, clock.now())[1]
        if form.validate_on_submit():
            services.check_password(form.password.text, queries.words_about(contact))
            hashed = hash_password(form.password.text)
            with transaction():
                services.reset_password(token, hashed, request.remote_addr, clock.now())
            return see_other(url_for("sign_in.sign_in"), _("Your new password is set. Please sign in with it."))
    except Gone as over:
        return _link_over(over, links.RESET)
    except Invalid as refused:
        form.show(refused)
    status = form.refusal() if form.errors else 200
    return render("identity/reset_password.html", status=status, form=form, contact=contact)


@bp.route("/confirm-email/<token>", methods=["GET", "POST"])
def confirm_email(token: str) -> ResponseReturnValue:
    """Confirm an e-mail address by a mailed link: the page asks, its button confirms."""
    try:
        if request.method == "POST":
            with transaction():
                services.confirm_email(token, request.remote_addr, clock.now())
            here = "identity.profile" if current_contact() else "redemption.home"
            return see_other(url_for(here), _("Thank you. Your e-mail address is confirmed."))
        contact = queries.link(token, links.CONFIRM)[1]
        if contact.email1_verified_at is None:
            services.usable_link(token, links.CONFIRM, clock.now())
    except (Gone, Conflict) as over:
        return _link_over(over, links.CONFIRM)
    held = queries.credential(contact.id)
    return render("identity/confirm_email.html", contact=contact, username=held.username if held else None)


def _link_over(over: Gone | Conflict, purpose: str) -> ResponseReturnValue:
    taken = isinstance(over, Conflict)
    page = "identity/link_over.html"
    return render(page, status=over.status, message=over.message, purpose=purpose, taken=taken)


@bp.get("/profile")
@contact_required
def profile() -> ResponseReturnValue:
    """What the site knows of the contact, and what they may do on it."""
    contact = signed_in()
    held = queries.credential(contact.id)
    return render(
        "identity/profile.html",
        contact=contact,
        username=held.username if held else None,
        account=accounts.find(contact.account_id) if contact.account_id else None,
        roles=[role.name for role in contacts.web_roles(contact.id)] + roles.authenticated(),
    )


@bp.post("/profile/confirmation")
@contact_required
def send_confirmation() -> ResponseReturnValue:
    """Mail the link that confirms the contact's address once more."""
    contact_id = signed_in().id
    with transaction():
        sent = services.ask_confirmation(contacts.get(contact_id), clock.now())
    if sent:
        return see_other(url_for("identity.profile"), _("We have sent you an e-mail. Please open the link in it."))
    refused = _("We have sent you several e-mails today already. Please look for the newest one.")
    return see_other(url_for("identity.profile"), refused, "info")


@bp.route("/profile/password", methods=["GET", "POST"])
@contact_required
@refills_form
def change_password() -> ResponseReturnValue:
    """Choose a new password; the current one is asked for, and all other sessions end."""
    form = ChangePasswordForm()
    if form.validate_on_submit():
        try:
            _change_password(form)
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for("identity.profile"), _("Your password is changed. Other devices are signed out."))
    status = form.refusal() if form.errors else 200
    held = queries.credential(signed_in().id)
    return render("identity/change_password.html", form=form, username=held.username if held else "", status=status)


def _change_password(form: ChangePasswordForm) -> None:
    contact, by = signed_in(), actor()
    found = queries.of_contact(contact.id)
    account = queries.throttled_as(contact.id)
    throttle.check("contact", account, request.remote_addr)
    stored = services.checked(found, form.current.text)
    if stored is None:
        limited = throttle.failed("contact", account, request.remote_addr)
        with transaction():
            services.sign_in_failed(found, request.remote_addr, clock.now(), limited=limited)
        raise Invalid({"current": _("This is not your current password.")})
    services.check_password(form.password.text, queries.words_about(contact))
    hashed = hash_password(form.password.text)
    with transaction():
        changed = services.change_password(contact.id, stored, hashed, by, clock.now())
        whose = changed.id, changed.epoch
    begin_session(*whose, by="password")
