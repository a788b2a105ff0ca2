"""The limits of a day: nothing beyond them is sent, and nothing is sent in part."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from portal.invitations import queries, services
from portal.invitations.models import Invitation
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.kernel.errors import Conflict, TooFast
from portal.staff.permissions import StaffActor
from tests.invitations.reminding import (
    acting,
    at,
    invited,
    reminded,
    send,
    work,
)
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock

SignIn = Callable[..., Client]


@pytest.fixture
def by(app: Flask, frozen_clock: FrozenClock) -> StaffActor:
    return acting(make.make_staff("owner", name="Olga Owner"))


@pytest.fixture
def owner(sign_in_as: SignIn, frozen_clock: FrozenClock) -> Client:
    return sign_in_as("owner")


def limited(limit: str, by: StaffActor, count: int) -> list[int]:
    make.set_site(**{limit: 2})
    return [invited(make.make_contact(), reminders={}) for _n in range(count)]


@pytest.mark.parametrize("limit", ["staff_mails_per_day", "site_mails_per_day"])
def test_over_the_limit_of_a_day_nothing_is_sent_until_midnight(
    owner: Client, by: StaffActor, frozen_clock: FrozenClock, limit: str
) -> None:
    one, two, three = limited(limit, by, 3)
    send(one, by)
    send(two, by)
    with pytest.raises(TooFast) as refused, transaction():
        services.send(three, key="k", by=by, now=clock.now())
    assert refused.value.retry_after == 12 * 3600
    assert "0 are left today" in refused.value.message
    with pytest.raises(TooFast), transaction():
        services.remind(one, key="k2", by=by, now=clock.now())
    frozen_clock.move(hours=12)
    send(three, by)
    assert db.session.get_one(Invitation, three).sent_at == clock.now()


def test_one_persons_limit_is_not_anothers(by: StaffActor) -> None:
    one, two = limited("staff_mails_per_day", by, 2)
    group = invited(make.make_contact(), make.make_contact(), reminders={})
    send(group, by)
    send(one, acting(make.make_staff("manager")))
    with pytest.raises(TooFast), transaction():
        services.send(two, key="k", by=by, now=clock.now())


def test_a_group_larger_than_the_limit_is_never_sent_in_part(owner: Client, by: StaffActor) -> None:
    limited("site_mails_per_day", by, 0)
    group = invited(*(make.make_contact() for _n in range(3)), reminders={})
    with pytest.raises(Conflict, match="3 recipients"), transaction():
        services.send(group, key="k", by=by, now=clock.now())
    page = owner.page(f"/staff/invitations/{group}/send")
    assert "can raise that limit" in page.text
    assert not page.has_button("OK")


def test_ticked_ones_are_sent_as_far_as_the_limit_goes(owner: Client, by: StaffActor) -> None:
    made = limited("site_mails_per_day", by, 3)
    with transaction():
        outcome = services.send_many(made, key="k", by=by, now=clock.now())
    assert (outcome.done, outcome.messages, outcome.refused) == (2, 2, 1)
    with pytest.raises(TooFast), transaction():
        services.send_many(made, key="k2", by=by, now=clock.now())


def test_a_scheduled_reminder_over_the_limit_goes_out_the_next_day(by: StaffActor, frozen_clock: FrozenClock) -> None:
    make.set_site(quiet_from=20, quiet_until=8)
    made = invited()
    send(made, by)
    frozen_clock.move(days=3)
    make.set_site(site_mails_per_day=1)
    send(invited(reminders={}), by)
    work()
    assert reminded() == []
    frozen_clock.set(at("2026-11-24 07:59"))
    work()
    assert reminded() == []
    frozen_clock.set(at("2026-11-24 08:00"))
    work()
    assert len(reminded()) == 1


@pytest.mark.parametrize("limit", ["staff_mails_per_day", "site_mails_per_day"])
def test_four_who_send_at_once_do_not_exceed_it_together(app: Flask, by: StaffActor, limit: str) -> None:
    made = limited(limit, by, 4)
    db.session.rollback()

    def one(invitation_id: int) -> str:
        with app.app_context():
            try:
                with transaction():
                    services.send(invitation_id, key="k", by=by, now=clock.now())
            except TooFast:
                return "full"
            return "sent"

    with ThreadPoolExecutor(4) as crowd:
        assert sorted(crowd.map(one, made)) == ["full", "full", "sent", "sent"]


@pytest.mark.parametrize("limit", ["staff_mails_per_day", "site_mails_per_day"])
def test_four_who_send_anew_at_once_do_not_exceed_it_either(app: Flask, by: StaffActor, limit: str) -> None:
    made = limited(limit, by, 4)
    people = [queries.invited_ids(invitation_id)[0] for invitation_id in made]
    db.session.rollback()

    def one(invitation_id: int, contact_id: int) -> bool:
        with app.app_context(), transaction():
            return services.resend(invitation_id, contact_id, by, clock.now()) == ""

    with ThreadPoolExecutor(4) as crowd:
        assert sorted(crowd.map(one, made, people)) == [False, False, True, True]
