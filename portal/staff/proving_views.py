"""The page that asks a signed-in staff member to confirm who they are, and what then becomes of the form they sent."""

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.kernel import clock, passwords
from portal.kernel.db import transaction
from portal.providers.queries import offered_to_staff
from portal.staff import queries, services
from portal.staff.arriving import staff_target
from portal.staff.forms import CodeForm, ConfirmForm
from portal.staff.guard import current_staff
from portal.staff.permissions import Permission
from portal.web import proof, throttle
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("staff_proof", __name__, "/confirm")


@bp.route("", methods=["GET", "POST"])
@needs(Permission.VIEW, detour=False)
@refills_form
def confirm() -> ResponseReturnValue:
    """Ask for the password, or for a code of the app; a passkey and the linked providers do as well."""
    target = staff_target(request.args.get("next"))
    form, code = ConfirmForm(formdata=None), CodeForm(formdata=None)
    if request.method == "POST" and "code" in request.form:
        code = CodeForm()
        if code.validate() and _is_my_code(code):
            return _go_on(target)
    elif request.method == "POST":
        form = ConfirmForm()
        if form.validate() and _is_my_password(form):
            return _go_on(target)
    refused = code if code.errors else form
    return _page(target, form, code, refused.refusal() if refused.errors else 200)


@bp.get("/go-on")
@needs(Permission.VIEW, proven=True, detour=False)
def go_on() -> ResponseReturnValue:
    """Send the form that was kept; pressing the button is the person's own deed once more."""
    kept = proof.kept_form()
    if kept is None:
        return see_other(url_for("staff.overview"), _("You are confirmed. Please try again."), "info")
    return render("staff/go_on.html", to=kept.to, fields=kept.fields)


def _page(target: str, form: ConfirmForm, code: CodeForm, status: int) -> ResponseReturnValue:
    me = current_staff()
    linked = {one.provider_id for one in queries.identities(me.id)}
    return render(
        "staff/confirm.html",
        target=target,
        form=form if me.password_hash else None,
        code=code if me.has_second_factor else None,
        me=me,
        providers=[provider for provider in offered_to_staff() if provider.id in linked],
        waits=proof.kept_form() is not None,
        status=status,
    )


def _go_on(target: str) -> ResponseReturnValue:
    proof.proven_now()
    return see_other(target)


def _is_my_password(form: ConfirmForm) -> bool:
    """Whether it is; guessing counts as failing to sign in."""
    me, ip = current_staff(), request.remote_addr
    number, key = me.id, me.email_key
    stored = None if queries.password_stopped(me) else me.password_hash
    throttle.check("staff", key, ip)
    if passwords.verify_password(stored, form.password.data) and stored:
        throttle.succeeded("staff", key, ip)
        with transaction():
            services.password_was_right(number, clock.now())
        return True
    limited = throttle.failed("staff", key, ip)
    with transaction():
        services.sign_in_failed(number, clock.now(), ip, limited=limited)
    form.password.errors = [_("This is not your password.")]
    return False


def _is_my_code(form: CodeForm) -> bool:
    me, ip = current_staff(), request.remote_addr
    number, key = me.id, me.email_key
    throttle.check("staff-code", key, ip)
    with transaction():
        right = services.check_code(number, form.code.data, clock.now(), ip)
    if right:
        throttle.succeeded("staff-code", key, ip)
        return True
    limited = throttle.failed("staff-code", key, ip)
    with transaction():
        services.code_failed(number, clock.now(), ip, limited=limited)
    form.code.errors = [_("This code is not right. Please type the one that your app shows now.")]
    return False
