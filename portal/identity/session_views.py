"""Where a contact is signed in, and which browsers the site remembers for them."""

from flask import Blueprint, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.identity import queries, services, staying
from portal.identity.guard import actor, contact_required, continue_session, own_transaction, signed_in
from portal.kernel import clock
from portal.kernel.errors import NotFound
from portal.web import devices
from portal.web.htmx import render, see_other

bp = Blueprint("sessions", __name__, url_prefix="/profile/devices")


@bp.get("/")
@contact_required
def index() -> ResponseReturnValue:
    """All sessions of the contact, this one first, and the remembered browsers."""
    contact = signed_in()
    remembered = queries.remembered(contact.id, clock.now())
    return render(
        "identity/devices.html",
        devices=devices.devices(contact.get_id()),
        remembered=[(browser, devices.browser(browser.user_agent)) for browser in remembered],
        own=session.get(staying.KEPT),
    )


@bp.post("/end")
@contact_required
def end() -> ResponseReturnValue:
    """Sign out on one other device, for good: its browser is not remembered any more."""
    contact, by = signed_in(), actor()
    contact_id = contact.id
    ended = devices.end(contact.get_id(), request.form.get("device", ""))
    if ended is None:
        raise NotFound
    with own_transaction():
        services.signed_out_there(contact_id, ended.remembered, by, clock.now())
    return see_other(url_for("sessions.index"), _("Signed out there."))


@bp.post("/remembered/<int:browser_id>/forget")
@contact_required
def forget(browser_id: int) -> ResponseReturnValue:
    """Remember a browser no more; who stayed signed in with it is signed out."""
    contact_id, by = signed_in().id, actor()
    with own_transaction():
        services.forget_remembered(contact_id, browser_id, by, clock.now())
    return see_other(url_for("sessions.index"), _("That browser is not remembered any more."))


@bp.post("/end-others")
@contact_required
def end_others() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    contact_id, by, own = signed_in().id, actor(), session.get(staying.KEPT)
    with own_transaction():
        whose = services.sign_out_elsewhere(contact_id, own, by, clock.now())
    continue_session(*whose)
    return see_other(url_for("sessions.index"), _("You are signed out everywhere else."))
