"""The overview, signing in to the staff side and out, one's own profile."""

from flask import current_app, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.kernel import clock, passwords
from portal.kernel.addresses import canonical
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.providers.queries import offered_to_staff
from portal.settings.queries import site
from portal.staff import queries, services
from portal.staff.arriving import BY_PASSWORD, arrive, how_signed_in, renewed, staff_target
from portal.staff.forms import FirstOwnerForm, NameForm, PasswordForm, SetUpForm, SignInForm, role_labels
from portal.staff.guard import actor, current_staff, own_transaction
from portal.staff.models import StaffMember
from portal.staff.panels import steps
from portal.staff.permissions import Permission
from portal.web import devices, sessions, throttle
from portal.web.guard import before_sign_in, needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.panels import panels
from portal.web.security import refills_form

bp = staff_blueprint("staff", __name__, "")


@bp.get("/")
@needs(Permission.VIEW)
def overview() -> ResponseReturnValue:
    """What needs somebody."""
    return render(
        "staff/overview.html",
        quiet=queries.nobody_works(current_app.extensions.get("work_waiting", []), clock.now()),
        steps=steps(),
        blocks=list(panels("overview", current_staff())),
    )


@bp.route("/sign-in", methods=["GET", "POST"])
@before_sign_in
@refills_form
def sign_in() -> ResponseReturnValue:
    """Ask for e-mail address and password; one answer and the same work for whatever is wrong."""
    target = staff_target(request.args.get("next"))
    if current_user.is_authenticated:
        return see_other(target)
    form = SignInForm()
    if form.validate_on_submit():
        whose = _checked(canonical(form.email.data), form.password.data)
        if whose is not None:
            return arrive(whose, by=BY_PASSWORD, target=target)
        form.form_errors.append(_("The e-mail address or the password is not right."))
    return render(
        "staff/sign_in.html",
        form=form,
        target=target,
        providers=offered_to_staff(),
        status=form.refusal() if form.errors else 200,
    )


@bp.post("/sign-out")
@before_sign_in
def sign_out() -> ResponseReturnValue:
    """End this browser's session."""
    sessions.forget()
    return see_other(url_for("staff.sign_in"), _("You are signed out."))


@bp.route("/set-up/<token>", methods=["GET", "POST"])
@before_sign_in
@refills_form
def set_up(token: str) -> ResponseReturnValue:
    """Set a first password; without a person to set it for, become the site's first owner."""
    member = services.usable(queries.link(token), clock.now())
    form = SetUpForm() if member else FirstOwnerForm()
    form.password.known = _known(member.name, member.email) if member else _known(form.name.data, form.email.data)
    if form.validate_on_submit():
        owner = None if member else form.values()
        hashed = passwords.hash_password(form.password.data)
        try:
            with transaction():
                member = services.set_up(token, hashed, owner, clock.now(), request.remote_addr)
                whose = member.id, member.epoch
            toast = _("Welcome! You are signed in.")
            return arrive(whose, by=BY_PASSWORD, target=None, toast=toast)
        except Invalid as refused:
            form.show(refused)
    return render("staff/set_up.html", form=form, member=member, status=form.refusal() if form.errors else 200)


@bp.route("/profile", methods=["GET", "POST"])
@needs(Permission.VIEW)
@refills_form
def profile() -> ResponseReturnValue:
    """One's own name."""
    form = NameForm(obj=current_staff())
    if form.validate_on_submit():
        try:
            with transaction():
                services.rename(current_staff().id, form.name.data, form.version.number, actor(), clock.now())
            return see_other(url_for("staff.profile"), _("Saved."))
        except Stale:
            return _profile(names=form.reopened(current_staff()), status=409)
    return _profile(names=form, status=form.refusal() if form.errors else 200)


@bp.post("/profile/password")
@needs(Permission.VIEW)
@refills_form
def password() -> ResponseReturnValue:
    """Another password; other sessions end, this one goes on under a new id."""
    me, form = current_staff(), PasswordForm()
    form.password.known = _known(me.name, me.email)
    if form.validate_on_submit() and _is_mine(me, form):
        hashed, me_id, stored = passwords.hash_password(form.password.data), me.id, me.password_hash
        with own_transaction():
            changed = services.change_password(me_id, (stored, hashed), actor(), clock.now())
            whose = changed.id, changed.epoch
        toast = _("Your password is changed. Other sessions have ended.")
        return renewed(whose, by=how_signed_in(), target=url_for("staff.profile"), toast=toast)
    return _profile(passwords_form=form, status=form.refusal())


@bp.post("/profile/sign-out-everywhere")
@needs(Permission.VIEW)
def sign_out_everywhere() -> ResponseReturnValue:
    """End all of one's own sessions, this one too."""
    with transaction():
        services.end_sessions(current_staff().id, actor(), clock.now())
    sessions.forget()
    return see_other(url_for("staff.sign_in"), _("You are signed out everywhere."))


def _profile(
    names: NameForm | None = None, passwords_form: PasswordForm | None = None, status: int = 200
) -> ResponseReturnValue:
    me = current_staff()
    # A form that was not sent is shown as it is stored, not filled from the other one's fields.
    names = names or NameForm(formdata=None, obj=me)
    passwords_form = passwords_form or PasswordForm(formdata=None)
    role = dict(role_labels())[me.role]
    identities, offered = queries.identities_shown(me.id), offered_to_staff()
    linked = {one.provider_id for one in identities}
    return render(
        "staff/profile.html",
        me=me,
        role=role,
        names=names,
        passwords=passwords_form,
        identities=identities,
        linkable=[provider for provider in offered if provider.id not in linked],
        devices=devices.devices(me.get_id()),
        blocks=list(panels("staff-profile", me)),
        status=status,
    )


def _checked(key: str, password: str) -> tuple[int, int] | None:
    """Id and epoch of the staff member with this address and password, or None after the same work whatever is
    wrong."""
    ip = request.remote_addr
    throttle.check("staff", key, ip)
    account = queries.by_email(key)
    # What the record holds is read now: inside `transaction()` it would be read again, for some and not for others.
    number = account.id if account else None
    usable = account is not None and account.active and not queries.password_stopped(account)
    stored = account.password_hash if account is not None and usable else None
    if passwords.verify_password(stored, password) and stored and number:
        rehashed = passwords.hash_password(password) if passwords.needs_rehash(stored) else None
        with transaction():
            member = services.sign_in(number, (stored, rehashed), clock.now())
            whose = (member.id, member.epoch) if member else None
        if whose is not None:
            throttle.succeeded("staff", key, ip)
            return whose
    limited = throttle.failed("staff", key, ip)
    with transaction():
        services.sign_in_failed(number, clock.now(), ip, limited=limited)
    return None


def _known(*of_the_person: str | None) -> list[str]:
    """Words that a password may not mostly consist of."""
    return [site().name, *(text for text in of_the_person if text)]


def _is_mine(me: StaffMember, form: PasswordForm) -> bool:
    """Whether the current password is right; guessing it counts as failing to sign in."""
    number, key, ip = me.id, me.email_key, request.remote_addr
    throttle.check("staff", key, ip)
    stored = None if queries.password_stopped(me) else me.password_hash
    if passwords.verify_password(stored, form.current.data) and stored:
        return True
    limited = throttle.failed("staff", key, ip)
    with transaction():
        services.sign_in_failed(number, clock.now(), ip, limited=limited)
    form.show(Invalid({"current": _("This is not your current password.")}))
    return False
