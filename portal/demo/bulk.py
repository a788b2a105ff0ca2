"""Invitations by the hundred thousand, written in bulk, to see how the portal feels when it is full."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, insert, select, text

from portal.contacts.models import Contact, ContactWebRole
from portal.demo.names import address, person
from portal.invitations.models import (
    ANYONE,
    GROUP,
    INVITED,
    SINGLE,
    Invitation,
    InvitationCode,
    InvitationWebRole,
    InvitedContact,
    Redemption,
)
from portal.kernel import codes
from portal.kernel.addresses import canonical
from portal.kernel.clock import end_of_day, local_day
from portal.kernel.db import db, transaction
from portal.kernel.secrets_ import KeyRing, new_public_id
from portal.settings.queries import ring, site

CHUNK = 2_000
FIRST_NUMBER = 1_000  # the story's people come before
# Of each twenty: how many are new, open, completed, inactive.
MIX = ("new",) * 4 + ("open",) * 9 + ("completed",) * 6 + ("inactive",)

Row = dict[str, Any]


def load(count: int, owner_ids: list[int], account_ids: list[int], role_ids: list[int], now: datetime) -> None:
    """Write `count` invitations, each with a contact of its own, in chunks that let other writers through."""
    dice = random.Random(count)  # noqa: S311  the same number gives the same data
    next_contact = (db.session.scalar(select(func.max(Contact.id))) or 0) + 1
    next_invitation = (db.session.scalar(select(func.max(Invitation.id))) or 0) + 1
    keys, zone = ring(), site().zone
    for start in range(0, count, CHUNK):
        rows: dict[type[Any], list[Row]] = {
            table: []
            for table in (
                Contact, Invitation, InvitationCode, InvitedContact, InvitationWebRole, Redemption, ContactWebRole,
            )
        }  # fmt: skip
        for offset in range(start, min(start + CHUNK, count)):
            created = now - timedelta(minutes=offset * 3 + 60)
            contact = _contact(next_contact + offset, FIRST_NUMBER + offset, account_ids, created)
            invitation = _invitation(next_invitation + offset, contact, dice, owner_ids, account_ids, created, now)
            day = local_day(created + timedelta(days=30), zone)
            invitation |= {"expires_on": day, "expires_at": end_of_day(day, zone), **_code(keys, invitation["id"])}
            rows[Contact].append(contact)
            rows[Invitation].append(invitation)
            for table, row in _around(invitation, contact, role_ids, dice):
                rows[table].append(row)
        with transaction():
            for table, values in rows.items():
                if values:
                    db.session.execute(insert(table), values)
    _move_counters_on()


def _move_counters_on() -> None:
    """PostgreSQL counts ids apart from the rows; SQLite looks at the rows."""
    if db.engine.dialect.name != "postgresql":
        return
    with transaction():
        for table in (Contact.__tablename__, Invitation.__tablename__):
            newest = f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"  # noqa: S608
            db.session.execute(text(newest))


def _contact(contact_id: int, number: int, account_ids: list[int], created: datetime) -> Row:
    first, last = person(number)
    email = address(number)
    return {
        "id": contact_id,
        "first_name": first,
        "last_name": last,
        "name_key": f"{first} {last}".casefold(),
        "email1": email,
        "email1_key": canonical(email),
        "language": "en",
        "account_id": account_ids[number % len(account_ids)],
        "created_at": created,
        "updated_at": created,
    }


def _invitation(
    invitation_id: int,
    contact: Row,
    dice: random.Random,
    owner_ids: list[int],
    account_ids: list[int],
    created: datetime,
    now: datetime,
) -> Row:
    view = dice.choice(MIX)
    group = dice.random() < 0.1
    name = f"{contact['first_name']} {contact['last_name']}"
    name = f"Team of {name}" if group else name
    seats = None if group and view != "completed" else 1
    sent = created + timedelta(minutes=20) if view != "new" else None
    done = min(created + timedelta(days=2), now) if view == "completed" else None
    return {
        "id": invitation_id,
        "name": name,
        "name_key": name.casefold(),
        "type": GROUP if group else SINGLE,
        "owner_id": dice.choice(owner_ids),
        "account_id": dice.choice(account_ids),
        "redeemable_by": ANYONE if group else INVITED,
        "max_redemptions": seats,
        "used": 1 if done else 0,
        "created_at": created,
        "updated_at": created,
        "sent_at": sent,
        "completed_at": done,
        "deactivated_at": sent if view == "inactive" else None,
    }


def _code(keys: KeyRing, invitation_id: int) -> Row:
    code = codes.generate()
    plain = codes.normalise(code)
    return {
        "code_lookup": keys.lookup(plain),
        "code_sealed": keys.seal(code, f"invitation:{invitation_id}"),
        "code_hint": plain[-2:],
    }


def _around(invitation: Row, contact: Row, role_ids: list[int], dice: random.Random) -> Iterator[tuple[type[Any], Row]]:
    ids = {"invitation_id": invitation["id"], "contact_id": contact["id"]}
    role_id = dice.choice(role_ids)
    yield InvitationCode, {"lookup": invitation["code_lookup"], "created_at": invitation["created_at"]}
    yield InvitedContact, {**ids, "public_id": new_public_id()}
    yield InvitationWebRole, {"invitation_id": invitation["id"], "web_role_id": role_id}
    if invitation["completed_at"]:
        at = invitation["completed_at"]
        yield (
            Redemption,
            {**ids, "redeemed_at": at, "proof": "link", "signed_in_by": "local-new", "roles_added": [role_id]},
        )
        yield ContactWebRole, {"contact_id": contact["id"], "web_role_id": role_id, "granted_at": at}
