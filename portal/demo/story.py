"""A firm that has been inviting for a month, told through the same services that staff use, each at its own time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from portal.accounts import services as accounts
from portal.contacts import queries as contact_queries
from portal.contacts import services as contacts
from portal.contacts.services import ContactValues
from portal.demo.names import ORGANISATIONS, address, person
from portal.identity import queries as identity_queries
from portal.identity import services as identity
from portal.invitations import services as invitations
from portal.invitations.models import GROUP, SINGLE
from portal.invitations.services import InvitationValues
from portal.jobs import runner
from portal.kernel import clock
from portal.kernel.actor import SYSTEM
from portal.kernel.clock import local_day
from portal.kernel.db import transaction
from portal.kernel.passwords import hash_password
from portal.kernel.secrets_ import new_secret
from portal.mail import delivery
from portal.redemption import services as redemption
from portal.roles import services as roles
from portal.roles.services import RoleValues
from portal.settings.queries import site
from portal.staff import services as staff
from portal.staff.permissions import StaffActor, StaffRole
from portal.staff.services import StaffValues
from portal.workflows import queries as workflows

T = TypeVar("T")
TEAM = (
    ("Olivia Hart", StaffRole.OWNER),
    ("Marco Rossi", StaffRole.MANAGER),
    ("Tessa Lind", StaffRole.EDITOR),
    ("Viktor Novak", StaffRole.VIEWER),
)
ROLES = (
    ("Supplier", "Sees orders and uploads invoices.", True),
    ("Member", "Reads the members' pages.", True),
    ("Partner", "Shares projects and price lists.", True),
    ("Board", "Reads minutes and votes. Given by owners only.", False),
)
PEOPLE = 36
WORKER = "demo"


@dataclass(frozen=True)
class Chapter:
    """One invitation: whom, when (in days before now), and how far it got."""

    first: int
    created: float
    people: int = 1
    sent: float | None = None
    redeemed: tuple[float, ...] = ()
    days: int | None = 30
    deactivated: float | None = None
    most: int | None = None
    role: int = 0
    name: str = ""


CHAPTERS = (
    Chapter(0, 27, sent=27, redeemed=(26,)),
    Chapter(1, 26, sent=25, redeemed=(23,), role=1),
    Chapter(2, 24, people=3, sent=24, redeemed=(23, 22, 20), most=3, role=2, name="Alpine Freight project team"),
    Chapter(5, 21, sent=21, redeemed=(20,), role=3),
    Chapter(6, 19, sent=18, redeemed=(14,)),
    Chapter(7, 16, sent=16, days=7),
    Chapter(8, 15, sent=15, days=10, role=1),
    Chapter(9, 14, people=4, sent=14, redeemed=(13, 9), days=60, most=10, role=1, name="Members of the harbour club"),
    Chapter(13, 12, sent=12, days=15),
    Chapter(14, 11, sent=11, days=14, role=2),
    Chapter(15, 9, sent=9),
    Chapter(16, 8, sent=7.5, deactivated=5),
    Chapter(17, 8, sent=8, redeemed=(6,), role=2),
    Chapter(18, 6, sent=6),
    Chapter(19, 5, sent=5, role=1),
    Chapter(20, 4, deactivated=2),
    Chapter(21, 4, people=3, sent=3.5, days=90, role=2, name="Juniper Textiles, design partners"),
    Chapter(24, 3, sent=2.5),
    Chapter(25, 2, sent=1.5, redeemed=(0.5,)),
    Chapter(26, 1.2, sent=1),
    Chapter(27, 1, sent=0.8, role=1),
    Chapter(28, 0.9),
    Chapter(29, 0.6, role=1),
    Chapter(30, 0.4, people=5, days=90, most=20, name="Supplier day, open invitation"),
    Chapter(35, 0.2, role=2),
)


@dataclass(frozen=True)
class World:
    """The records a story needs: who acts, and what can be given."""

    owner: StaffActor
    manager: StaffActor
    account_ids: list[int]
    role_ids: list[int]


def tell(now: datetime) -> World:
    """Make the firm, its people and a month of invitations; what was sent lies in the outbox."""
    began = now - timedelta(days=30)
    world = _at(began, lambda: _world(began))
    people = _at(began, lambda: _people(world, began))
    hashed = hash_password(new_secret())  # nobody knows it: no account of the demonstration can be signed in to
    for chapter in CHAPTERS:
        _tell(chapter, world, people, hashed, now)
    return world


def _at(instant: datetime, deed: Callable[[], T]) -> T:
    with clock.reading(lambda: instant), transaction():
        return deed()


def _world(now: datetime) -> World:
    team = [
        staff.add(StaffValues(f"{name.split()[0].lower()}@example.com", name, role.value), SYSTEM, now)
        for name, role in TEAM
    ]
    account_ids = [accounts.create(name, SYSTEM, now).id for name in ORGANISATIONS]
    role_ids = [roles.create(RoleValues(*values), SYSTEM, now).id for values in ROLES]
    owner, manager = (member.actor(None) for member in team[:2])
    return World(owner, manager, account_ids, role_ids)


def _people(world: World, now: datetime) -> list[int]:
    values = [
        ContactValues(
            *person(number), address(number), account_id=world.account_ids[number % 5] if number % 3 else None
        )
        for number in range(PEOPLE)
    ]
    return [contacts.create(one, world.manager, now).id for one in values]


def _tell(chapter: Chapter, world: World, people: list[int], hashed: str, now: datetime) -> None:
    def ago(days: float) -> datetime:
        return now - timedelta(days=days)

    by = world.owner if chapter.role == 3 else world.manager
    values = _values(chapter, by, world, people, ago(chapter.created))
    invitation_id = _at(ago(chapter.created), lambda: invitations.create(values, by, ago(chapter.created)).id)
    if chapter.sent is not None:
        sent = ago(chapter.sent)
        _at(sent, lambda: invitations.send(invitation_id, key=invitations.new_send_key(), by=by, now=sent))
        _work(sent)
    for contact_id, days in zip(values.contact_ids, chapter.redeemed, strict=False):
        redeemed = ago(days)
        _at(redeemed, partial(_redeem, invitation_id, contact_id, hashed, redeemed))
        _work(redeemed)
    if chapter.deactivated is not None:
        ended = ago(chapter.deactivated)
        _at(ended, lambda: invitations.deactivate(invitation_id, by, ended, "Invited by mistake."))


def _values(chapter: Chapter, by: StaffActor, world: World, people: list[int], at: datetime) -> InvitationValues:
    invited = tuple(people[chapter.first : chapter.first + chapter.people])
    welcome = next(workflow.id for workflow in workflows.activated() if workflow.key == "welcome-email")
    day = local_day(at, site().zone)
    return InvitationValues(
        name=chapter.name or " ".join(person(chapter.first)),
        type=GROUP if chapter.people > 1 else SINGLE,
        owner_id=by.id,
        expires_on=day + timedelta(days=chapter.days) if chapter.days else None,
        inviter_id=people[0] if chapter.people > 1 and chapter.first else None,
        contact_ids=invited,
        account_id=world.account_ids[chapter.first % len(world.account_ids)],
        workflow_id=welcome,
        web_role_ids=(world.role_ids[chapter.role],),
        max_redemptions=chapter.most,
    )


def _redeem(invitation_id: int, contact_id: int, hashed: str, now: datetime) -> None:
    contact = contact_queries.get(contact_id)
    if identity_queries.credential(contact_id) is None:
        username = f"{contact.first_name}.{contact.last_name}".lower().replace("'", "")
        identity.create_sign_in(contact, username, hashed, None, now)
    redemption.redeem(invitation_id, contact_id, proof="link", signed_in_by=redemption.BY_PASSWORD, ip=None, now=now)


def _work(instant: datetime) -> None:
    """Do what the worker would have done then: run the workflows, put the mail into the outbox."""
    with clock.reading(lambda: instant):
        while runner.turn(WORKER, lambda: False) or delivery.turn(WORKER, lambda: False):
            pass
