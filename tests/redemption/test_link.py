"""The mailed link: opening it changes nothing, however often; it ends with the address, the code and the invitation."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.invitations import links, queries
from portal.invitations.models import Invitation
from portal.kernel.db import db, transaction
from portal.web.sessions import ServerSession
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, location
from tests.support.clock import FrozenClock


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@invited.example")


def change(record: object, **values: object) -> None:
    """What staff changed meanwhile."""
    kind, key = type(record), record.id  # type: ignore[attr-defined]
    with transaction():
        found = db.session.get_one(kind, key)
        for name, value in values.items():
            setattr(found, name, value)


@pytest.mark.sqlite_only
def test_a_token_nobody_made_is_not_found(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    token = ways.link_of(invitation, anna).removeprefix("/i/")
    other = make.make_contact()
    elsewhere = ways.link_of(make.make_invitation(other, sent=True), other).removeprefix("/i/")
    last = token[:-1] + chr(ord(token[-1]) + 1)
    forged = [token[:21] + ("A" if token[21] != "A" else "B") + token[22:], last, elsewhere[:22] + token[22:]]
    for text in [*forged, "x", "A" * 43, "A" * 44, "%00", "ü" * 43, token + "=", token.upper()]:
        assert client.get(f"/i/{text}").status_code == 404, text
    assert db.session.scalars(db.select(ServerSession)).all() == []


def test_scanners_open_the_link_and_nothing_happens(client: Client, anna: Contact, dump: Callable[[], object]) -> None:
    invitation = make.make_invitation(anna, sent=True)
    link, before = ways.link_of(invitation, anna), dump()
    for _ in range(20):
        for verb in (client.get, client.head, client.options):
            assert verb(link).status_code in (200, 303)
            assert verb("/redeem/review").status_code == 200
    token = client.token("/redeem/review")
    assert client.post("/sign-up", data={"csrf_token": token}).status_code == 422
    assert location(client.post("/redeem/accept", data={"csrf_token": token})) == "/redeem/review"
    assert dump() == before
    assert ways.sign_up(client).status_code == 303
    assert ways.used(invitation) == 1


@pytest.mark.sqlite_only
def test_the_intent_is_in_the_session_alone_and_no_secret_in_the_page(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    link = ways.link_of(invitation, anna)
    client.get(link)
    page = client.page("/redeem/review")
    token, code = link.removeprefix("/i/"), make.code_of(invitation)
    assert token not in page.html
    assert code not in page.html
    row = db.session.scalars(db.select(ServerSession)).one()
    kept = str(row.data)
    assert row.data["intent"]["invitation_id"] == invitation.id
    assert not any(secret in kept for secret in (token, code, invitation.code_lookup, "anna@invited.example"))


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("why", "values", "words"),
    [
        ("expired", {}, "It expired on November 19, 2026"),
        ("withdrawn", {"deactivated": True}, "It was withdrawn"),
        ("used", {"completed": True, "used": 1}, "It was used already"),
        ("full", {"completed": True, "used": 3, "type": "group", "max_redemptions": 3}, "All its places are taken"),
    ],
)
def test_a_genuine_link_that_is_over_hears_the_truth(
    client: Client, anna: Contact, frozen_clock: FrozenClock, why: str, values: dict[str, object], words: str
) -> None:
    ends = make.at("2026-11-20 00:00") if why == "expired" else None
    owner = make.make_staff(name="Olivia Owner")
    invitation = make.make_invitation(anna, sent=True, expires_at=ends, owner=owner, **values)  # type: ignore[arg-type]
    assert location(client.get(ways.link_of(invitation, anna))) == "/redeem/review"
    page = client.page("/redeem/review", status=410)
    assert words in page.text
    assert "Please ask Olivia Owner for a new one" in page.text
    assert not [form for form in page.posts if form.action == "/sign-up"]
    assert client.head("/redeem/review").status_code == 410


@pytest.mark.sqlite_only
def test_a_contact_who_was_deactivated_cannot_use_it(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True)
    ways.open_link(client, invitation, anna)
    token = client.token("/redeem/review")
    change(anna, active=False)
    assert client.post("/sign-up", data={"csrf_token": token, **ways.NEW}).status_code == 410
    assert client.get("/redeem/review").status_code == 410
    assert ways.sign_ins() == {}


@pytest.mark.sqlite_only
@pytest.mark.parametrize("changed", ["address", "code"])
def test_links_and_intents_end_with_the_address_and_with_the_code(client: Client, anna: Contact, changed: str) -> None:
    invitation = make.make_invitation(anna, sent=True)
    link = ways.link_of(invitation, anna)
    client.get(link)
    token = client.token("/redeem/review")
    if changed == "address":
        change(anna, email1="anna@new.example", email1_key="anna@new.example")
    else:
        change(invitation, link_version=2, code_lookup="0" * 64)
    assert client.post("/sign-up", data={"csrf_token": token, **ways.NEW}).status_code in (303, 410)
    assert "It was changed after you opened it" in client.page("/redeem/review", status=410).text
    assert client.get(link).status_code == 404
    assert ways.sign_ins() == {}
    fresh = queries.invitee(invitation.id, anna.id)
    assert fresh is not None
    now = links.token(db.session.get_one(Invitation, invitation.id), fresh, db.session.get_one(Contact, anna.id))
    assert client.get(f"/i/{now}").status_code == 303


@pytest.mark.sqlite_only
def test_an_old_code_ends_with_the_code_and_the_new_one_works(client: Client) -> None:
    invitation = make.make_invitation(type="group", code="OLDC-0DE1-2345")
    ways.arrive(client, "code", invitation)
    change(invitation, code_lookup=make.ring().lookup("NEWC0DE12345"))
    assert client.get("/redeem/review").status_code == 410
    assert ways.type_code(client, "OLDC-0DE1-2345").status_code == 404
    assert ways.type_code(client, "NEWC-0DE1-2345").status_code == 303


@pytest.mark.sqlite_only
def test_a_link_survives_being_withdrawn_and_given_back(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna, sent=True, deactivated=True)
    client.get(ways.link_of(invitation, anna))
    assert client.get("/redeem/review").status_code == 410
    change(invitation, deactivated_at=None)
    assert client.get("/redeem/review").status_code == 200


@pytest.mark.sqlite_only
def test_a_stranger_who_only_looks_leaves_no_row(client: Client) -> None:
    rows = lambda: db.session.scalar(db.select(db.func.count()).select_from(ServerSession))  # noqa: E731
    for path in ("/", "/redeem", "/register", "/sign-in", "/sign-up", "/redeem/review", "/forgot-password", "/welcome"):
        for verb in (client.get, client.head):
            assert verb(path).status_code in (200, 303), path
    assert client.get("/profile").headers["Location"] == "/sign-in?next=/profile"
    assert rows() == 0
