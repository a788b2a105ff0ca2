"""The signed-in staff member, inside a guarded view."""

from typing import cast

from flask import request, session, url_for
from flask_login import current_user

from portal.staff.models import StaffMember
from portal.staff.permissions import StaffActor
from portal.staff.queries import must_have_second_factor

PASSKEY, HOW = "passkey", "signed_in_by"


def current_staff() -> StaffMember:
    """Their record."""
    return cast(StaffMember, current_user._get_current_object())


def actor() -> StaffActor:
    """Them as services and the journal see them."""
    return current_staff().actor(request.remote_addr)


def detour() -> str | None:
    """Where they have to go before anything else: an owner without a second factor sets one up, where the site asks
    owners for it. A passkey is two factors by itself."""
    me = current_staff()
    if me.has_second_factor or session.get(HOW) == PASSKEY or not must_have_second_factor(me):
        return None
    return url_for("staff_two_factor.page")
