"""One's own sessions on the staff side: ending one that is open elsewhere, or all of them."""

from flask import abort, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.staff import services
from portal.staff.arriving import how_signed_in, renewed
from portal.staff.guard import actor, current_staff, own_transaction
from portal.staff.permissions import Permission
from portal.web import devices
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import see_other

bp = staff_blueprint("staff_sessions", __name__, "/profile/sessions")


@bp.post("/<handle>/end")
@needs(Permission.VIEW)
def end(handle: str) -> ResponseReturnValue:
    """Sign out there."""
    me = current_staff()
    number, by = me.id, actor()
    ended = devices.end(me.get_id(), handle) or abort(404)
    with transaction():
        services.session_ended(number, ended.name, by, clock.now())
    where = url_for("staff.sign_in") if ended.here else url_for("staff.profile")
    return see_other(where, _("Signed out on %(device)s.", device=ended.name))


@bp.post("/end-others")
@needs(Permission.VIEW)
def end_others() -> ResponseReturnValue:
    """Sign out everywhere but here."""
    with own_transaction():
        me = services.end_sessions(current_staff().id, actor(), clock.now())
        whose = me.id, me.epoch
    return renewed(whose, by=how_signed_in(), target=url_for("staff.profile"), toast=_("Your other sessions ended."))
