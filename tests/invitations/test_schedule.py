"""A schedule of reminders: as typed, as shown, and the moments that come of it."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from flask import Flask

from portal.invitations.models import Invitation
from portal.invitations.queries import reminders
from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import db
from portal.settings.queries import SiteSettings
from portal.staff.permissions import StaffActor
from tests.invitations.reminding import (
    ONCE,
    acting,
    arrive,
    at,
    invited,
    planned,
    reminded,
    send,
    work,
)
from tests.support import make
from tests.support.clients import Client
from tests.support.clock import FrozenClock
from tests.support.pages import Page

SignIn = Callable[..., Client]


@pytest.fixture
def by(app: Flask, frozen_clock: FrozenClock) -> StaffActor:
    return acting(make.make_staff("owner", name="Olga Owner"))


@pytest.fixture
def owner(sign_in_as: SignIn, frozen_clock: FrozenClock) -> Client:
    return sign_in_as("owner")


# The schedule, as typed


@pytest.mark.parametrize(
    ("typed", "days"),
    [
        ("", ()),
        ("3", (3,)),
        ("7, 3", (3, 7)),
        ("3 7;14", (3, 7, 14)),
        ("3,3", (3,)),
        ("3, x", None),
        ("-3", None),
        ("3.5", None),
        ("٣", None),
        (",", None),
        ("1," * 60 + "1", None),
    ],
)
def test_days_as_typed(typed: str, days: tuple[int, ...] | None) -> None:
    assert reminders.parse_days(typed) == days


@pytest.mark.parametrize("typed", ["soon", "0", "366", "1, 2, 3, 4, 5, 6", "-1", "99999999999"])
@pytest.mark.parametrize("field", ["remind_after", "remind_before"])
@pytest.mark.sqlite_only
def test_days_that_cannot_be_are_refused_beside_their_field(owner: Client, field: str, typed: str) -> None:
    made = invited(reminders={})
    response = owner.post_form(f"/staff/invitations/{made}/edit", {field: typed})
    assert response.status_code == 422
    page = Page(response)
    assert page.form("/edit").values[field] == [typed]  # what was typed is kept
    assert "days" in page.text
    assert db.session.get_one(Invitation, made, populate_existing=True).reminders == {}


def test_a_schedule_is_saved_shown_and_taken_away(owner: Client) -> None:
    made = invited(reminders={}, expires_on=date(2026, 12, 24))
    here = f"/staff/invitations/{made}"
    assert owner.post_form(f"{here}/edit", {"remind_after": "7, 3", "remind_before": "2"}).status_code == 303
    assert db.session.get_one(Invitation, made).reminders == {"after": [3, 7], "before": [2]}
    page = owner.page(here)
    assert "3 and 7 days after sending, 2 days before expiry" in page.text
    assert "planned as soon as the invitation is sent" in page.text
    assert owner.page(f"{here}/edit").form("/edit").values["remind_after"] == ["3, 7"]
    entry = timeline("invitation", made)[0]
    assert "3 and 7 days after sending" in entry.text
    assert owner.post_form(f"{here}/edit", {"remind_after": "", "remind_before": ""}).status_code == 303
    assert db.session.get_one(Invitation, made, populate_existing=True).reminders == {}


def test_a_new_one_is_made_with_a_schedule(owner: Client) -> None:
    contact = make.make_contact("Anna", "Weber", "anna@example.org")
    typed = {"name": "Tools", "type": "single", "contacts": str(contact.id), "remind_after": "1"}
    page = owner.page(f"/staff/invitations/new?contact={contact.id}")
    values = {**page.form("/new").values, **typed, "action": "send"}
    assert owner.post("/staff/invitations/new", data=values).status_code == 303
    db.session.rollback()
    [made] = db.session.scalars(db.select(Invitation))
    assert made.reminders == {"after": [1]}
    arrive()
    assert planned(made.id) == [clock.now() + timedelta(days=1)]


# When


def moments(sent: datetime, schedule: dict[str, list[int]], site: SiteSettings, last: date | None = None) -> list[str]:
    end = clock.end_of_day(last, site.zone) if last else None
    invitation = Invitation(reminders=schedule, expires_at=end)
    found = reminders.moments(invitation, sent, site)
    return [moment.at.astimezone(site.zone).strftime("%Y-%m-%d %H:%M") for moment in found]


@pytest.mark.parametrize(
    ("sent", "schedule", "last", "expected"),
    [
        ("2026-11-20 12:30", {"after": [3, 7]}, None, ["2026-11-23 12:30", "2026-11-27 12:30"]),
        # summer time begins on 2027-03-28 and ends on 2026-10-25: the time of day stays
        ("2027-03-27 02:30", {"after": [1, 2]}, None, ["2027-03-28 03:30", "2027-03-29 02:30"]),
        ("2026-10-24 12:00", {"after": [1]}, None, ["2026-10-25 12:00"]),
        ("2026-11-20 12:30", {"before": [2, 1]}, date(2026, 12, 1), ["2026-11-29 09:00", "2026-11-30 09:00"]),
        # what falls behind the expiry or before the sending is left out, and so is a second one on the same day
        ("2026-11-20 12:30", {"after": [3, 30], "before": [1, 60]}, date(2026, 11, 24), ["2026-11-23 09:00"]),
        ("2026-11-20 07:30", {"before": [1]}, date(2026, 11, 21), []),
        ("2026-11-20 12:30", {"before": [2]}, None, []),
        ("2026-11-20 12:30", {}, date(2026, 12, 1), []),
    ],
)
def test_the_moments_of_a_schedule(
    app: Flask, sent: str, schedule: dict[str, list[int]], last: date | None, expected: list[str]
) -> None:
    site = SiteSettings(timezone="Europe/Berlin")
    assert moments(at(sent, "Europe/Berlin"), schedule, site, last) == expected


@pytest.mark.parametrize(
    ("start", "end", "sent", "expected"),
    [
        (20, 8, "2026-11-20 21:15", "2026-11-24 08:00"),
        (20, 8, "2026-11-20 03:15", "2026-11-23 08:00"),
        (20, 8, "2026-11-20 20:00", "2026-11-24 08:00"),
        (20, 8, "2026-11-20 08:00", "2026-11-23 08:00"),
        (20, 8, "2026-11-20 19:59", "2026-11-23 19:59"),
        (12, 14, "2026-11-20 13:00", "2026-11-23 14:00"),
        (22, 0, "2026-11-20 23:30", "2026-11-24 00:00"),
        (0, 6, "2026-11-20 00:00", "2026-11-23 06:00"),
        # 2027-03-28 has no hour from two to three; 2026-10-25 has two of them
        (22, 2, "2027-03-25 01:30", "2027-03-28 03:00"),
        (22, 3, "2026-10-22 02:30", "2026-10-25 03:00"),
        (22, 2, "2026-10-22 01:59", "2026-10-25 02:00"),
        (None, None, "2026-11-20 03:00", "2026-11-23 03:00"),
    ],
)
def test_quiet_hours_move_a_reminder_to_their_end(
    app: Flask, start: int | None, end: int | None, sent: str, expected: str
) -> None:
    site = SiteSettings(timezone="Europe/Berlin", quiet_from=start, quiet_until=end)
    assert moments(at(sent, "Europe/Berlin"), ONCE, site) == [expected]


def test_no_moment_of_a_whole_year_is_in_the_quiet_hours(app: Flask) -> None:
    for zone in ("Europe/Berlin", "America/Havana", "America/Santiago", "Australia/Lord_Howe", "Asia/Kathmandu"):
        site, instant = SiteSettings(timezone=zone, quiet_from=21, quiet_until=8), at("2026-01-01 00:10")
        for _step in range(365 * 24):
            awake = site.awake(instant)
            assert awake >= instant
            assert 8 <= awake.astimezone(site.zone).hour < 21
            assert awake - instant <= timedelta(hours=12)
            instant += timedelta(hours=1)


def test_one_goes_out_at_its_time_once_and_is_on_the_timelines(by: StaffActor, frozen_clock: FrozenClock) -> None:
    contact = make.make_contact("Anna", "Weber", "anna@example.org")
    made = invited(contact, reminders={"after": [3, 7]})
    send(made, by)
    frozen_clock.move(days=3, seconds=-1)
    work()
    assert reminded() == []
    frozen_clock.move(seconds=1)
    work()
    [first] = reminded()
    assert (first.contact_id, first.about_id, first.due_at) == (contact.id, made, clock.now())
    assert timeline("invitation", made)[0].action == timeline("contact", contact.id)[0].action == "invitation.reminded"
    arrive()
    work()
    frozen_clock.move(days=4)
    work()
    assert len(reminded()) == 2
    arrive()
    frozen_clock.move(days=40)
    work()
    assert len(reminded()) == 2
