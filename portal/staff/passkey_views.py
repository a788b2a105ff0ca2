"""Passkeys on the staff side: signing in, proving who one is, and one's own passkeys."""

from flask import request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict
from portal.passkeys import pending
from portal.passkeys import queries as passkeys
from portal.passkeys.ceremonies import Person
from portal.passkeys.forms import NameForm
from portal.passkeys.guard import answered, ask_to_make, ask_to_use, count_failure, led_to, require_passkeys
from portal.passkeys.labels import name_by
from portal.passkeys.services import Refused, made
from portal.staff import services
from portal.staff.arriving import arrive, how_signed_in, renewed, staff_target
from portal.staff.guard import PASSKEY, actor, current_staff, own_transaction
from portal.staff.permissions import Permission
from portal.web.guard import before_sign_in, needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.proof import proven_now, proven_recently

bp = staff_blueprint("staff_passkeys", __name__)


@bp.post("/sign-in/passkey/options")
@before_sign_in
def sign_in_options() -> ResponseReturnValue:
    """What the browser is asked in order to sign in."""
    return ask_to_use(pending.SIGN_IN)


@bp.post("/sign-in/passkey")
@before_sign_in
def sign_in() -> ResponseReturnValue:
    """Sign in with the answer of an authenticator; no second factor is asked for, a passkey is two."""
    target = staff_target(request.form.get("next"))
    try:
        answer, challenge = answered(pending.SIGN_IN)
        with transaction():
            whose = services.passkey_passed(answer, challenge, clock.now())
    except Refused as refused:
        return _refused(refused, url_for("staff.sign_in", next=target))
    return arrive(whose, by=PASSKEY, target=target)


@bp.post("/confirm/passkey/options")
@needs(Permission.VIEW, detour=False)
def prove_options() -> ResponseReturnValue:
    """What the browser is asked so that the signed-in person proves who they are."""
    return ask_to_use(pending.PROVE, passkeys.descriptors(passkeys.of_staff(current_staff().id)))


@bp.post("/confirm/passkey")
@needs(Permission.VIEW, detour=False)
def prove() -> ResponseReturnValue:
    """Take the proof, and go on to what asked for it."""
    staff_id, target = current_staff().id, staff_target(request.form.get("next"))
    try:
        answer, challenge = answered(pending.PROVE)
        with transaction():
            services.proven_by_passkey(staff_id, answer, challenge, clock.now())
    except Refused as refused:
        return _refused(refused, url_for("staff_proof.confirm", next=target))
    proven_now()
    return see_other(target)


@bp.post("/profile/passkeys/options")
@needs(Permission.VIEW, detour=False)
def options() -> ResponseReturnValue:
    """What the browser is asked in order to make one more passkey."""
    require_passkeys()
    if not proven_recently():
        return led_to(url_for("staff_proof.confirm", next=url_for("staff.profile")))
    me = current_staff()
    keys = passkeys.of_staff(me.id)
    person = Person(passkeys.handle(keys), me.email, me.name)
    return ask_to_make(pending.ADD, person, passkeys.descriptors(keys))


@bp.post("/profile/passkeys")
@needs(Permission.VIEW, proven=True, detour=False)
def add() -> ResponseReturnValue:
    """Keep the passkey that was made."""
    staff_id, by = current_staff().id, actor()
    back, name = url_for("staff.profile"), name_by(request.user_agent.string)
    try:
        new = made(*answered(pending.ADD))
        with own_transaction():
            services.add_passkey(staff_id, new, name, by, clock.now())
    except Refused:
        count_failure()
        return see_other(back, _("The passkey was not added. Please try again."), "error")
    except Conflict as refused:
        return see_other(back, refused.message, "error")
    return see_other(back, _("The passkey is added. Next time you can sign in with it."))


@bp.route("/profile/passkeys/<int:passkey_id>", methods=["GET", "POST"])
@needs(Permission.VIEW)
def edit(passkey_id: int) -> ResponseReturnValue:
    """One passkey: its name, and the way to remove it."""
    staff_id, by = current_staff().id, actor()
    key = passkeys.one_of(passkeys.of_staff(staff_id), passkey_id)
    form = NameForm(obj=key)
    if form.validate_on_submit():
        with transaction():
            services.rename_own_passkey(staff_id, passkey_id, form.name.data, by, clock.now())
        return see_other(url_for("staff.profile"), _("Saved."))
    return render("passkeys/staff_edit.html", form=form, key=key, status=form.refusal() if form.errors else 200)


@bp.post("/profile/passkeys/<int:passkey_id>/remove")
@needs(Permission.VIEW, proven=True)
def remove(passkey_id: int) -> ResponseReturnValue:
    """Take it away; the last way to sign in stays."""
    staff_id, by = current_staff().id, actor()
    try:
        with own_transaction():
            name, whose = services.remove_own_passkey(staff_id, passkey_id, by, clock.now())
    except Conflict as refused:
        return see_other(url_for("staff.profile"), refused.message, "error")
    toast = _("The passkey “%(name)s” is removed. Other sessions have ended.", name=name)
    return renewed(whose, by=how_signed_in(), target=url_for("staff.profile"), toast=toast)


def _refused(refused: Refused, back: str) -> ResponseReturnValue:
    """Nobody is signed in and nothing proven; the page with all ways says so."""
    count_failure()
    with transaction():
        services.passkey_refused(refused, request.remote_addr, clock.now())
    return see_other(back, refused.message, "error")
