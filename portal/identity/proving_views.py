"""Proving who one is, before a way to sign in changes, and that a new e-mail address is one's own."""

from flask import Blueprint, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.identity import links, queries, services
from portal.identity.forms import ProofForm
from portal.identity.guard import contact_required, current_contact, proven, proven_now, signed_in
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict, Gone, Invalid, NotFound
from portal.providers import queries as providers
from portal.settings.queries import site
from portal.web import proof, throttle
from portal.web.htmx import render, see_other
from portal.web.security import local_target, refills_form

bp = Blueprint("proving", __name__)
MOVE = "new_address"
"""Where a session keeps which link to a new address it opened, and how the contact stood then."""


@bp.route("/sign-in/again", methods=["GET", "POST"])
@contact_required
@refills_form
def again() -> ResponseReturnValue:
    """Ask who is there once more: by password, passkey or provider. Failures count like those of signing in."""
    form, contact = ProofForm(), signed_in()
    after = local_target(request.args.get("next"), url_for("identity.profile"))
    held = queries.credential(contact.id)
    by_password = site().local_sign_in and held is not None and held.password_hash is not None
    if by_password and form.validate_on_submit():
        try:
            stored = check_password(contact.id, form.password.text, "password")
        except Invalid as refused:
            form.show(refused)
        else:
            with transaction():
                services.proved(contact.id, stored)
            proven_now()
            return see_other(after)
    linked = {one.slug for one in queries.identities(contact.id) if one.usable}
    return render(
        "identity/again.html",
        status=form.refusal() if form.errors else 200,
        form=form,
        contact=contact,
        username=held.username if held else "",
        by_password=by_password,
        providers=[provider for provider in providers.offered() if provider.slug in linked],
        after=after,
    )


def check_password(contact_id: int, typed: str, field: str) -> str:
    """The hash that the typed password of the signed-in contact matches.

    Raises Invalid for the field, and counts the failure; TooFast. Never inside `transaction()`.
    """
    found = queries.of_contact(contact_id)
    account = queries.throttled_as(contact_id)
    throttle.check("contact", account, request.remote_addr)
    stored = services.checked(found, typed)
    if stored is None:
        limited = throttle.failed("contact", account, request.remote_addr)
        with transaction():
            services.sign_in_failed(found, request.remote_addr, clock.now(), limited=limited)
        raise Invalid({field: _("This is not your current password.")})
    throttle.succeeded("contact", account, request.remote_addr)
    return stored


@bp.get("/sign-in/again/on")
@proven
def go_on() -> ResponseReturnValue:
    """After the proof: the form that had to wait for it, to be sent once more by one button."""
    kept = proof.kept_form()
    if kept is None:
        return see_other(url_for("identity.profile"))
    return render("identity/go_on.html", kept=kept)


@bp.get("/change-email/<token>")
def open_move(token: str) -> ResponseReturnValue:
    """A link that was mailed to a new address: remember in the session that it was opened, so that no secret stays in
    the address of the page."""
    link, contact = queries.moving(token)
    session[MOVE] = [link.id, links.moves_from(contact.email1_key, contact.epoch)]
    return see_other(url_for("proving.confirm_move"))


@bp.route("/change-email", methods=["GET", "POST"])
def confirm_move() -> ResponseReturnValue:
    """Whether the new address is theirs: the page asks, its button moves the contact there."""
    link_id, before = session.get(MOVE) or (0, "")
    try:
        if request.method == "POST":
            with transaction():
                services.move(link_id, before, request.remote_addr, clock.now())
            session.pop(MOVE, None)
            here = "identity.profile" if current_contact() else "redemption.home"
            return see_other(url_for(here), _("Thank you. This is your e-mail address from now on."))
        link, contact = services.waiting_move(link_id, before, clock.now())
    except NotFound:
        if not link_id and current_contact() is not None:
            return see_other(url_for("identity.profile"))
        raise
    except (Gone, Conflict) as over:
        page, taken = "identity/link_over.html", isinstance(over, Conflict)
        return render(page, status=over.status, message=over.message, purpose=links.CHANGE, taken=taken)
    return render("identity/confirm_move.html", contact=contact, email=link.email)
