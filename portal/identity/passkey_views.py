"""A contact's own passkeys: adding, renaming, removing, and proving with one who they are."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.identity import services
from portal.identity.guard import (
    actor,
    contact_required,
    continue_session,
    own_transaction,
    proven,
    proven_now,
    proven_recently,
    signed_in,
)
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Conflict
from portal.passkeys import pending, queries
from portal.passkeys.ceremonies import Person
from portal.passkeys.forms import NameForm
from portal.passkeys.guard import answered, ask_to_make, ask_to_use, count_failure, led_to, require_passkeys
from portal.passkeys.labels import name_by
from portal.passkeys.services import Refused, made
from portal.web.htmx import render, see_other
from portal.web.security import local_target

bp = Blueprint("passkeys", __name__)


@bp.post("/profile/passkeys/options")
@contact_required
def options() -> ResponseReturnValue:
    """What the browser is asked in order to make one more passkey."""
    require_passkeys()
    if not proven_recently():
        return led_to(url_for("proving.again", next=url_for("identity.profile")))
    contact = signed_in()
    keys = queries.of_contact(contact.id)
    person = Person(queries.handle(keys), contact.email1 or contact.name, contact.name)
    return ask_to_make(pending.ADD, person, queries.descriptors(keys))


@bp.post("/profile/passkeys")
@proven
def add() -> ResponseReturnValue:
    """Keep the passkey that was made."""
    contact_id, by = signed_in().id, actor()
    back, name = url_for("identity.profile"), name_by(request.user_agent.string)
    try:
        new = made(*answered(pending.ADD))
        with own_transaction():
            services.add_passkey(contact_id, new, name, by, clock.now())
    except Refused:
        count_failure()
        return see_other(back, _("The passkey was not added. Please try again."), "error")
    except Conflict as refused:
        return see_other(back, refused.message, "error")
    return see_other(back, _("The passkey is added. Next time you can sign in with it."))


@bp.route("/profile/passkeys/<int:passkey_id>", methods=["GET", "POST"])
@contact_required
def edit(passkey_id: int) -> ResponseReturnValue:
    """One passkey: its name, and the way to remove it."""
    contact_id, by = signed_in().id, actor()
    key = queries.one_of(queries.of_contact(contact_id), passkey_id)
    form = NameForm(obj=key)
    if form.validate_on_submit():
        with own_transaction():
            services.rename_own_passkey(contact_id, passkey_id, form.name.data, by, clock.now())
        return see_other(url_for("identity.profile"), _("Saved."))
    return render("passkeys/edit.html", form=form, key=key, status=form.refusal() if form.errors else 200)


@bp.post("/profile/passkeys/<int:passkey_id>/remove")
@proven
def remove(passkey_id: int) -> ResponseReturnValue:
    """Take it away; the last way to sign in stays."""
    contact_id, by = signed_in().id, actor()
    try:
        with own_transaction():
            name, whose = services.remove_own_passkey(contact_id, passkey_id, by, clock.now())
    except Conflict as refused:
        return see_other(url_for("identity.profile"), refused.message, "error")
    continue_session(*whose)
    said = _("The passkey “%(name)s” is removed. Your other devices are signed out.", name=name)
    return see_other(url_for("identity.profile"), said)


@bp.post("/sign-in/again/passkey/options")
@contact_required
def prove_options() -> ResponseReturnValue:
    """What the browser is asked so that the signed-in contact proves who they are."""
    return ask_to_use(pending.PROVE, queries.descriptors(queries.of_contact(signed_in().id)))


@bp.post("/sign-in/again/passkey")
@contact_required
def prove() -> ResponseReturnValue:
    """Take the proof, and go on to what asked for it."""
    contact_id = signed_in().id
    target = local_target(request.form.get("next"), url_for("identity.profile"))
    try:
        answer, challenge = answered(pending.PROVE)
        with own_transaction():
            services.proven_by_passkey(contact_id, answer, challenge, clock.now())
    except Refused as refused:
        count_failure()
        with transaction():
            services.passkey_refused(refused, request.remote_addr, clock.now())
        return see_other(url_for("proving.again", next=target), refused.message, "error")
    proven_now()
    return see_other(target)
