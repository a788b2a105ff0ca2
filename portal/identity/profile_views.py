"""The pages of a contact's profile: who they are, how they sign in, what the site knows of them."""

from flask import Blueprint, Response, abort, current_app, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts import services as contact_services
from portal.contacts.services import languages
from portal.identity import queries, services
from portal.identity.forms import ChangePasswordForm, FirstPasswordForm, MoveForm, PersonalForm, UsernameForm
from portal.identity.guard import (
    actor,
    begin_session,
    contact_required,
    continue_session,
    own_transaction,
    proven,
    signed_in,
)
from portal.identity.proving_views import check_password
from portal.kernel import clock
from portal.kernel.errors import Conflict, Invalid, Stale
from portal.kernel.passwords import hash_password
from portal.providers import queries as providers
from portal.settings.queries import site
from portal.web.devices import devices
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = Blueprint("identity", __name__)


@bp.get("/profile")
@contact_required
def profile() -> ResponseReturnValue:
    """What the site knows of the contact, and what they may do on it."""
    contact = signed_in()
    linked = queries.identities(contact.id)
    taken = {one.slug for one in linked}
    return render(
        "identity/profile.html",
        contact=contact,
        language=languages().get(contact.language, contact.language),
        moving_to=queries.moving_to(contact.id, clock.now()),
        held=queries.credential(contact.id),
        local=site().local_sign_in,
        linked=linked,
        linkable=[provider for provider in providers.offered() if provider.slug not in taken],
        account=accounts.find(contact.account_id) if contact.account_id else None,
        roles=contacts.role_names(contact.id),
    )


@bp.route("/profile/name", methods=["GET", "POST"])
@contact_required
@refills_form
def personal() -> ResponseReturnValue:
    """Change the name and the language."""
    contact = signed_in()
    form = PersonalForm(obj=contact)
    status, differences = 200, []
    if form.validate_on_submit():
        typed = {name: form.data[name] for name in ("first_name", "last_name", "language")}
        try:
            with own_transaction():
                contact_services.present(contact.id, typed, form.version.number, actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        except Stale:
            contact, status = contacts.get(contact.id), 409
            differences = [
                (form[name].label.text, _shown(name, getattr(contact, name)), _shown(name, typed[name]))
                for name in typed
            ]
            form.version.data = str(contact.version)
        else:
            return see_other(url_for("identity.profile"), _("Saved."))
    if form.errors:
        status = form.refusal()
    return render("identity/personal.html", status=status, form=form, differences=differences)


def _shown(name: str, value: str) -> str:
    return languages().get(value, value) if name == "language" else value


@bp.post("/profile/confirmation")
@contact_required
def send_confirmation() -> ResponseReturnValue:
    """Mail the link that confirms the contact's address once more."""
    contact_id = signed_in().id
    with own_transaction():
        sent = services.ask_confirmation(contacts.get(contact_id), clock.now())
    if sent:
        return see_other(url_for("identity.profile"), _("We have sent you an e-mail. Please open the link in it."))
    refused = _("We have sent you several e-mails today already. Please look for the newest one.")
    return see_other(url_for("identity.profile"), refused, "info")


@bp.route("/profile/email", methods=["GET", "POST"])
@proven
@refills_form
def change_email() -> ResponseReturnValue:
    """Ask for another e-mail address; it counts once the link that is mailed there was followed."""
    form, contact = MoveForm(), signed_in()
    if form.validate_on_submit():
        try:
            with own_transaction():
                email = services.ask_move(contact.id, form.email.data, actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            sent = _("We have sent an e-mail to %(email)s. Please open the link in it.", email=email)
            return see_other(url_for("identity.profile"), sent)
    status = form.refusal() if form.errors else 200
    return render("identity/change_email.html", status=status, form=form, contact=contact)


@bp.post("/profile/email/drop")
@contact_required
def drop_email() -> ResponseReturnValue:
    """Forget the new address that was not confirmed yet."""
    contact_id = signed_in().id
    with own_transaction():
        services.drop_move(contact_id, clock.now())
    return see_other(url_for("identity.profile"), _("Your e-mail address stays as it is."))


@bp.route("/profile/username", methods=["GET", "POST"])
@proven
@refills_form
def username() -> ResponseReturnValue:
    """Choose another username."""
    contact = signed_in()
    held = queries.credential(contact.id)
    if held is None or not site().local_sign_in:
        abort(404)
    form = UsernameForm(obj=held)
    if form.validate_on_submit():
        try:
            with own_transaction():
                services.name_user(contact.id, form.username.data, actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for("identity.profile"), _("Your username is changed."))
    return render("identity/username.html", form=form, status=form.refusal() if form.errors else 200)


@bp.route("/profile/password", methods=["GET", "POST"])
@contact_required
@refills_form
def change_password() -> ResponseReturnValue:
    """Choose a new password: the current one is asked for, and all other sessions end; or choose a first one."""
    held = queries.credential(signed_in().id)
    if not site().local_sign_in:
        abort(404)
    if request.method == "GET" and (held is None or held.password_hash is None):
        return see_other(url_for("identity.first_password"))
    form, whose = ChangePasswordForm(), held.username if held else ""
    if form.validate_on_submit():
        try:
            _change_password(form)
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for("identity.profile"), _("Your password is changed. Other devices are signed out."))
    status = form.refusal() if form.errors else 200
    return render("identity/change_password.html", form=form, username=whose, status=status)


def _change_password(form: ChangePasswordForm) -> None:
    contact, by = signed_in(), actor()
    stored = check_password(contact.id, form.current.text, "current")
    services.check_password(form.password.text, queries.words_about(contact))
    hashed = hash_password(form.password.text)
    with own_transaction():
        changed = services.change_password(contact.id, stored, hashed, by, clock.now())
        whose = changed.id, changed.epoch
    begin_session(*whose, by="password")


@bp.route("/profile/first-password", methods=["GET", "POST"])
@proven
@refills_form
def first_password() -> ResponseReturnValue:
    """Choose a username and a password, for those who sign in otherwise so far."""
    contact = signed_in()
    held = queries.credential(contact.id)
    if not site().local_sign_in:
        abort(404)
    if request.method == "GET" and held is not None and held.password_hash is not None:
        return see_other(url_for("identity.change_password"))
    form = FirstPasswordForm(username=held.username if held else "")
    if form.validate_on_submit():
        try:
            wanted = held.username if held else form.username.data
            services.check_password(form.password.text, [wanted, *queries.words_about(contact)])
            hashed = hash_password(form.password.text)
            with own_transaction():
                services.first_password(contact.id, wanted, hashed, actor(), clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for("identity.profile"), _("You can sign in with your password from now on."))
    status = form.refusal() if form.errors else 200
    return render("identity/first_password.html", status=status, form=form, held=held)


@bp.post("/profile/identities/<int:identity_id>/remove")
@proven
def remove_identity(identity_id: int) -> ResponseReturnValue:
    """Take away a sign-in at a provider, unless it is the last way to sign in."""
    contact_id, by = signed_in().id, actor()
    try:
        with own_transaction():
            contact = services.remove_identity(contact_id, identity_id, by, clock.now())
            whose = contact.id, contact.epoch
    except Conflict as refused:
        return see_other(url_for("identity.profile"), refused.message, "error")
    continue_session(*whose)
    return see_other(url_for("identity.profile"), _("Removed. Your other devices are signed out."))


@bp.get("/profile/data")
@proven
def data() -> Response:
    """Everything that the site knows of the contact, as a JSON file."""
    contact = signed_in()
    more = {name: kept(contact) for name, kept in current_app.extensions["personal_data"].items()}
    answer = jsonify(services.data_of(contact, devices(contact.get_id()), more, clock.now()))
    answer.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return answer
