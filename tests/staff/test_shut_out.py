"""Whoever was shut out stays out: nothing that their session began goes on, and it does not come back."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from portal.kernel.db import db, side_transaction, transaction
from portal.staff.models import StaffMember
from portal.web.sessions import ServerSession
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.make import PASSWORD, make_provider, make_staff_identity

PROFILE, PAGE = "/staff/profile", "/staff/profile/two-factor"
NEW = "seven quiet rivers under moonlight"


@pytest.mark.parametrize(
    ("slice_", "url", "data"),
    [
        ("staff_sessions", f"{PROFILE}/sessions/end-others", {}),
        ("staff", f"{PROFILE}/password", {"current": PASSWORD, "password": NEW, "confirm": NEW}),
        ("staff_two_factor", f"{PAGE}/codes", {}),
        ("staff_two_factor", f"{PAGE}/off", {}),
        ("staff_providers", f"{PROFILE}/identities/1/remove", {}),
    ],
    ids=lambda value: str(value)[-20:],
)
@pytest.mark.parametrize("gone", [False, True])
def test_a_request_that_waited_while_they_were_shut_out_does_nothing(
    app: Flask,
    sign_in_as: Any,
    persona: Any,
    frozen_clock: FrozenClock,
    dump: Any,
    slice_: str,
    url: str,
    data: dict[str, str],
    gone: bool,
) -> None:
    browser, number = _within(sign_in_as, persona, frozen_clock), persona("manager").id
    token = browser.token(PROFILE)
    kept: list[Any] = []

    def meanwhile() -> None:
        over = update(StaffMember).where(StaffMember.id == number)
        with side_transaction() as connection:
            connection.execute(over.values(active=not gone, epoch=StaffMember.epoch + 1))
        kept.append(dump())

    app.before_request_funcs.setdefault(slice_, []).append(meanwhile)
    try:
        assert browser.post(url, data={"csrf_token": token, **data}).status_code == 409
    finally:
        app.before_request_funcs[slice_].remove(meanwhile)
    assert dump() == kept[0]
    assert browser.get("/staff/").status_code == 303
    member = db.session.get_one(StaffMember, number)
    assert member.get_id() not in db.session.scalars(db.select(ServerSession.user)).all()


def test_taking_a_way_to_sign_in_away_ends_what_it_opened_elsewhere(sign_in_as: Any, persona: Any) -> None:
    here, elsewhere = sign_in_as("viewer"), sign_in_as("viewer")
    link = make_staff_identity(persona("viewer"), make_provider("acme"))
    assert here.post_form(f"{PROFILE}/identities/{link.id}/remove", page=PROFILE).status_code == 303
    assert here.get("/staff/").status_code == 200
    assert elsewhere.get("/staff/").status_code == 303


def _within(sign_in_as: Any, persona: Any, clock: FrozenClock) -> Client:
    """Signed in, with a second factor and an identity of their own."""
    make_staff_identity(persona("manager"), make_provider("acme", for_staff=True))
    browser: Client = sign_in_as("manager")
    number = persona("manager").id
    with transaction():
        db.session.get_one(StaffMember, number).totp_confirmed_at = clock.now
    return browser
