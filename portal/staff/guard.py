"""The signed-in staff member, inside a guarded view."""

from typing import cast

from flask import request
from flask_login import current_user

from portal.staff.models import StaffMember
from portal.staff.permissions import StaffActor


def current_staff() -> StaffMember:
    """Their record."""
    return cast(StaffMember, current_user._get_current_object())


def actor() -> StaffActor:
    """Them as services and the journal see them."""
    return current_staff().actor(request.remote_addr)
