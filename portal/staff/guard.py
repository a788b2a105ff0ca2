"""The signed-in staff member, inside a guarded view."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from flask import request, session, url_for
from flask_babel import gettext as _
from flask_login import current_user

from portal.kernel.db import transaction
from portal.kernel.errors import Conflict
from portal.staff import queries
from portal.staff.models import StaffMember
from portal.staff.permissions import StaffActor
from portal.staff.queries import must_have_second_factor
from portal.web import sessions

PASSKEY, HOW = "passkey", "signed_in_by"


def current_staff() -> StaffMember:
    """Their record."""
    return cast(StaffMember, current_user._get_current_object())


def actor() -> StaffActor:
    """Them as services and the journal see them."""
    return current_staff().actor(request.remote_addr)


@contextmanager
def own_transaction() -> Iterator[None]:
    """`transaction()` for what the signed-in person does to their own sign-in, with their record locked.

    Raises Conflict where their sessions were ended since this request began: it may have waited for a provider.
    """
    staff_id = current_staff().id
    with transaction():
        member = queries.get(staff_id, lock=True)
        if not member.active or member.get_id() != session.get(sessions.USER):
            raise Conflict(_("You were signed out in the meantime. Nothing was changed."))
        yield


def detour() -> str | None:
    """Where they have to go before anything else: an owner without a second factor sets one up, where the site asks
    owners for it. A passkey is two factors by itself."""
    me = current_staff()
    if me.has_second_factor or session.get(HOW) == PASSKEY or not must_have_second_factor(me):
        return None
    return url_for("staff_two_factor.page")
