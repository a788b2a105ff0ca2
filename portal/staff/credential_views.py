"""What owners do about the sign-in of other staff members: unlock, sign out, take ways to sign in away."""

from flask import url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.kernel import clock
from portal.kernel.db import transaction
from portal.staff import queries, services
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web import throttle
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import see_other

bp = staff_blueprint("staff_credentials", __name__, "/people/<int:staff_id>")


@bp.post("/unlock")
@needs(Permission.MANAGE_STAFF, proven=True)
def unlock(staff_id: int) -> ResponseReturnValue:
    """Passwords and codes may be tried again; the counters of failures start anew."""
    with transaction():
        member = services.unlock(staff_id, actor(), clock.now())
        name, key = member.name, member.email_key
    for kind in ("staff", "staff-code"):
        throttle.succeeded(kind, key, None)
    return _back(staff_id, _("%(name)s can try to sign in again.", name=name))


@bp.post("/end-sessions")
@needs(Permission.MANAGE_STAFF)
def end_sessions(staff_id: int) -> ResponseReturnValue:
    """Sign them out everywhere."""
    with transaction():
        name = services.end_sessions(staff_id, actor(), clock.now()).name
    return _back(staff_id, _("%(name)s is signed out everywhere.", name=name))


@bp.post("/reset-two-factor")
@needs(Permission.MANAGE_STAFF, proven=True)
def reset_two_factor(staff_id: int) -> ResponseReturnValue:
    """They lost their app and their recovery codes: signing in asks for none until they set up a new one."""
    with transaction():
        name = services.remove_second_factor(staff_id, actor(), clock.now()).name
    return _back(staff_id, _("%(name)s signs in without a second factor until they set one up.", name=name))


@bp.post("/identities/<int:identity_id>/remove")
@needs(Permission.MANAGE_STAFF, proven=True)
def remove_identity(staff_id: int, identity_id: int) -> ResponseReturnValue:
    """They can no longer sign in with it; open sessions end."""
    with transaction():
        services.remove_identity(staff_id, identity_id, actor(), clock.now())
    return _back(staff_id, _removed(staff_id))


@bp.post("/passkeys/<int:passkey_id>/remove")
@needs(Permission.MANAGE_STAFF, proven=True)
def remove_passkey(staff_id: int, passkey_id: int) -> ResponseReturnValue:
    """They can no longer sign in with it; open sessions end."""
    with transaction():
        services.remove_passkey(staff_id, passkey_id, actor(), clock.now())
    return _back(staff_id, _removed(staff_id))


def _removed(staff_id: int) -> str:
    if queries.ways_to_sign_in(queries.get(staff_id)):
        return _("It is removed.")
    return _("It is removed. It was their last way to sign in: make a set-up link for them.")


def _back(staff_id: int, toast: str) -> ResponseReturnValue:
    return see_other(url_for("people.record", staff_id=staff_id), toast)
