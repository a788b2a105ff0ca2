"""The second factor of staff: setting it up, and being asked for it while signing in."""

import json

import segno
from flask import abort, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid
from portal.settings.queries import ring, site
from portal.staff import codes, queries, services
from portal.staff.arriving import TRIES, Half, complete, half, how_signed_in, renewed, tried
from portal.staff.forms import CodeForm
from portal.staff.guard import actor, current_staff, detour, own_transaction
from portal.staff.models import StaffMember
from portal.staff.permissions import Permission
from portal.web import sessions, throttle
from portal.web.guard import before_sign_in, needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("staff_two_factor", __name__)
_SHOWN_ONCE = "recovery_codes"


@bp.route("/sign-in/verify", methods=["GET", "POST"])
@before_sign_in
@refills_form
def verify() -> ResponseReturnValue:
    """Ask somebody whose password or provider was right for a code."""
    form = CodeForm()
    typed = form.validate_on_submit()
    if "csrf_token" in form.errors and half() is None:
        abort(400)
    if current_user.is_authenticated:
        return see_other(url_for("staff.overview"))
    owing = half()
    member = queries.for_session(owing.staff_id, owing.epoch) if owing else None
    if owing is None or member is None:
        return see_other(url_for("staff.sign_in"))
    if typed:
        if _fits(member, form.code.data):
            return complete((owing.staff_id, owing.epoch), by=owing.by, target=owing.target, toast=owing.toast)
        if owing.tries + 1 >= TRIES:
            return _start_again()
        return _wrong(owing, form)
    return render("staff/verify.html", form=form, status=form.refusal() if form.errors else 200)


@bp.route("/profile/two-factor", methods=["GET", "POST"])
@needs(Permission.VIEW, proven=True, detour=False)
@refills_form
def page() -> ResponseReturnValue:
    """Whether it is on; while it is being set up, the QR code, and the form that turns it on."""
    form = CodeForm()
    if form.validate_on_submit():
        try:
            with own_transaction():
                me, fresh = services.turn_on_second_factor(current_staff().id, form.code.data, actor(), clock.now())
                whose = me.id, me.epoch
            answer = renewed(whose, by=how_signed_in(), target=url_for("staff_two_factor.page"))
            _show(fresh)
            return answer
        except Invalid as refused:
            form.show(refused)
    return _page(form, form.refusal() if form.errors else 200)


@bp.post("/profile/two-factor/start")
@needs(Permission.VIEW, proven=True, detour=False)
def start() -> ResponseReturnValue:
    """A new secret for the app; one that was not confirmed is replaced."""
    with own_transaction():
        services.start_second_factor(current_staff().id)
    return see_other(url_for("staff_two_factor.page"))


@bp.post("/profile/two-factor/codes")
@needs(Permission.VIEW, proven=True, detour=False)
def recovery() -> ResponseReturnValue:
    """New recovery codes, shown once on the next page."""
    with own_transaction():
        fresh = services.new_recovery_codes(current_staff().id, actor(), clock.now())
    _show(fresh)
    return see_other(url_for("staff_two_factor.page"))


@bp.post("/profile/two-factor/off")
@needs(Permission.VIEW, proven=True)
def turn_off() -> ResponseReturnValue:
    """From now on the first factor is enough; other sessions end."""
    with own_transaction():
        me = services.remove_second_factor(current_staff().id, actor(), clock.now())
        whose = me.id, me.epoch
    toast = _("Two-factor sign-in is off. Other sessions have ended.")
    return renewed(whose, by=how_signed_in(), target=url_for("staff.profile"), toast=toast)


def _page(form: CodeForm, status: int) -> ResponseReturnValue:
    me = current_staff()
    starting = me.totp_sealed is not None and not me.has_second_factor
    secret = queries.totp_secret(me) if starting else ""
    fresh = session.pop(_SHOWN_ONCE, None) if request.method == "GET" and _SHOWN_ONCE in session else None
    return render(
        "staff/two_factor.html",
        form=form,
        me=me,
        layout="_layouts/public.html" if detour() else "_layouts/staff.html",
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        picture=_picture(codes.address(secret, me.email, site().name)) if starting else None,
        left=queries.recovery_codes_left(me.id),
        fresh=json.loads(ring().open(fresh, _SHOWN_ONCE)) if fresh else [],
        required=queries.must_have_second_factor(me),
        status=status,
    )


def _picture(text: str) -> str:
    """A QR code as an image inside the page: nothing is loaded, and it stays dark on white in a dark page."""
    return segno.make(text, error="m", micro=False).svg_data_uri(scale=5, border=4, dark="#000", light="#fff")


def _show(fresh: list[str]) -> None:
    session[_SHOWN_ONCE] = ring().seal(json.dumps(fresh), _SHOWN_ONCE)


def _fits(member: StaffMember, typed: str) -> bool:
    number, key, ip = member.id, member.email_key, request.remote_addr
    throttle.check("staff-code", key, ip)
    with transaction():
        right = services.check_code(number, typed, clock.now(), ip)
    if right:
        throttle.succeeded("staff-code", key, ip)
        return True
    limited = throttle.failed("staff-code", key, ip)
    with transaction():
        services.code_failed(number, clock.now(), ip, limited=limited)
    return False


def _wrong(owing: Half, form: CodeForm) -> ResponseReturnValue:
    tried(owing)
    form.code.errors = [_("This code is not right. Please type the one that your app shows now.")]
    return render("staff/verify.html", form=form, status=422)


def _start_again() -> ResponseReturnValue:
    sessions.forget()
    return see_other(url_for("staff.sign_in"), _("Too many codes were wrong. Please sign in again."), "error")
