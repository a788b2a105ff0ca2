"""How a contact signs in, for staff: looking, helping, taking ways away. The contact is told of each deed."""

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.contacts import queries as contacts
from portal.identity import queries, services
from portal.identity.forms import TemporaryPasswordForm, UsernameForm
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict, Invalid
from portal.kernel.passwords import hash_password
from portal.passkeys import queries as passkeys
from portal.settings.queries import site
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web import devices, throttle
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("credentials", __name__, "/contacts/<int:contact_id>/credentials")


@bp.get("")
@needs(Permission.MANAGE_CONTACTS)
def record(contact_id: int) -> ResponseReturnValue:
    """The contact's ways to sign in, and what can be done about them."""
    contact = contacts.get(contact_id)
    held = queries.credential(contact_id)
    return render(
        "identity/credentials.html",
        contact=contact,
        held=held,
        stopped=held is not None and site().lockout and held.failures >= services.FAILURES_UNTIL_STOP,
        cannot_send=services.cannot_send(contact, held),
        identities=queries.identities(contact_id),
        passkeys=passkeys.of_contact(contact_id),
        ways=queries.ways(contact_id),
        sessions=len(devices.devices(contact.get_id())),
        remembered=len(queries.remembered(contact_id, clock.now())),
    )


@bp.route("/username", methods=["GET", "POST"])
@needs(Permission.MANAGE_CONTACTS)
@refills_form
def username(contact_id: int) -> ResponseReturnValue:
    """Give the contact a username, or another one."""
    contact, held = contacts.get(contact_id), queries.credential(contact_id)
    form = UsernameForm(username=held.username if held else (contact.email1 or "").partition("@")[0])
    if form.validate_on_submit():
        try:
            with transaction():
                services.name_user(contact_id, form.username.data, actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            return _back(contact_id, _("Username saved."))
    status = form.refusal() if form.errors else 200
    return render("identity/staff_username.html", status=status, form=form, contact=contacts.get(contact_id))


@bp.route("/temporary-password", methods=["GET", "POST"])
@needs(Permission.SET_PASSWORDS, proven=True)
@refills_form
def temporary(contact_id: int) -> ResponseReturnValue:
    """Set a password that the contact has to change when they first use it."""
    contact, held = contacts.get(contact_id), queries.credential(contact_id)
    form = TemporaryPasswordForm()
    if held is None and request.method == "GET":
        return _back(contact_id, _("Please give the contact a username first."), "error")
    if form.validate_on_submit():
        try:
            services.check_password(form.password.text, queries.words_about(contact))
            hashed = hash_password(form.password.text)
            with transaction():
                services.set_temporary(contact_id, hashed, actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        except Conflict as refused:
            return _back(contact_id, refused.message, "error")
        else:
            return _back(contact_id, _("Temporary password set. Please hand it over in person or by phone."))
    status = form.refusal() if form.errors else 200
    whose = held.username if held else ""
    return render("identity/temporary_password.html", status=status, form=form, contact=contact, username=whose)


@bp.post("/send-link")
@needs(Permission.MANAGE_CONTACTS)
def send_link(contact_id: int) -> ResponseReturnValue:
    """Mail a link with which the contact chooses a password."""
    try:
        with transaction():
            email = services.send_set_link(contact_id, actor(), clock.now()).email1
    except Conflict as refused:
        return _back(contact_id, refused.message, "error")
    return _back(contact_id, _("The link is on its way to %(email)s.", email=email))


@bp.post("/remove-password")
@needs(Permission.MANAGE_CONTACTS, proven=True)
def remove_password(contact_id: int) -> ResponseReturnValue:
    """Take the password away."""
    with transaction():
        services.remove_password(contact_id, actor(), clock.now())
    return _back(contact_id, _("Password removed."))


@bp.post("/identities/<int:identity_id>/remove")
@needs(Permission.MANAGE_CONTACTS, proven=True)
def remove_identity(contact_id: int, identity_id: int) -> ResponseReturnValue:
    """Take an identity at a provider away."""
    with transaction():
        services.remove_identity(contact_id, identity_id, actor(), clock.now())
    return _back(contact_id, _("Removed."))


@bp.post("/passkeys/<int:passkey_id>/remove")
@needs(Permission.MANAGE_CONTACTS, proven=True)
def remove_passkey(contact_id: int, passkey_id: int) -> ResponseReturnValue:
    """Take a passkey away."""
    with transaction():
        services.remove_passkey(contact_id, passkey_id, actor(), clock.now())
    return _back(contact_id, _("Removed."))


@bp.post("/unlock")
@needs(Permission.MANAGE_CONTACTS)
def unlock(contact_id: int) -> ResponseReturnValue:
    """Let the password work again after too many failures."""
    with transaction():
        services.unlock(contact_id, actor(), clock.now())
    throttle.succeeded("contact", queries.throttled_as(contact_id), None)
    return _back(contact_id, _("Unlocked."))


@bp.post("/end-sessions")
@needs(Permission.MANAGE_CONTACTS)
def end_sessions(contact_id: int) -> ResponseReturnValue:
    """Sign the contact out everywhere."""
    with transaction():
        services.sign_out_everywhere(contact_id, actor(), clock.now())
    return _back(contact_id, _("Signed out everywhere."))


def _back(contact_id: int, toast: str, category: str = "success") -> ResponseReturnValue:
    return see_other(url_for("credentials.record", contact_id=contact_id), toast, category)
