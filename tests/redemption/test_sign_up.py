"""Creating a sign-in: what is refused uses nothing up, whose record it goes onto, what it replaces."""

from collections.abc import Callable

import pytest

from portal.contacts.models import Contact
from portal.identity import links as one_time
from portal.identity.models import Credential, OneTimeLink
from portal.invitations.models import Invitation
from portal.journal.models import JournalEntry
from portal.kernel import clock, passwords
from portal.kernel.db import db, transaction
from portal.kernel.secrets_ import new_public_id
from portal.mail.models import Message
from tests.redemption import ways
from tests.support import make
from tests.support.clients import Client, filled, location
from tests.support.clock import FrozenClock
from tests.support.pages import Page

SECOND = "seven quiet rivers under moonlight"


@pytest.fixture
def anna(app: object) -> Contact:
    return make.make_contact("Anna", "Weber", "anna@invited.example")


BAD = [
    ("username", ""),
    ("username", "ab"),
    ("username", "a" * 101),
    ("username", "ß" * 60),
    ("username", "anna@invited.example"),
    ("username", "ａｎｎａ＠home"),
    ("username", "anna\x00weber"),
    ("username", "anna\x1bweber"),
    ("username", "anna\u200bweber"),
    ("username", "anna\u2028weber"),
    ("username", "taken"),
    ("username", "TAKEN"),
    ("username", "  ＴＡＫＥＮ  "),
    ("password", ""),
    ("password", "short"),
    ("password", "fourteen chars"),
    ("password", "a" * 257),
    ("password", "a" * 100_000),
    ("password", "aaaaaaaaaaaaaaaaaaaa"),
    ("password", "abcdefghijklmnopqrst"),
    ("password", "passwordpassword"),
    ("password", "Anna Weber 1234567"),
    ("password", "Acme Suppliers 99"),
    ("confirm", "something else entirely"),
]


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("name", "typed"), BAD, ids=lambda value: repr(value)[:30])
def test_what_is_refused_stands_beside_the_field_and_uses_nothing_up(
    client: Client, anna: Contact, dump: Callable[[], object], name: str, typed: str
) -> None:
    make.make_contact(username="taken")
    ways.open_link(client, make.make_invitation(anna, account=make.make_account("Acme Suppliers")), anna)
    values = {name: typed} | ({"confirm": typed} if name == "password" else {})
    before = dump()
    response = ways.sign_up(client, **values)
    assert response.status_code == 422
    page = Page(response)
    assert name in page.errors
    assert page.form("/sign-up").values["username"] == [values.get("username", "newcomer").strip()]
    assert make.PASSWORD not in page.html
    assert dump() == before
    assert ways.sign_up(client).status_code == 303


@pytest.mark.sqlite_only
def test_a_refused_password_is_never_hashed(client: Client, anna: Contact, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr("portal.redemption.sign_in_views.hash_password", lambda text: hashed.append(text) or "x")
    ways.open_link(client, make.make_invitation(anna), anna)
    for typed in ("short", "a" * 100_000, "Anna Weber 1234567"):
        assert ways.sign_up(client, password=typed, confirm=typed).status_code == 422
    assert ways.sign_up(client, username="x").status_code == 422
    assert hashed == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize("username", ["abc", "Ünïcode Nâme", "名前です", "a" * 100, "o'brien-4.5_x"])
def test_usernames_that_are_fine(client: Client, anna: Contact, username: str) -> None:
    ways.open_link(client, make.make_invitation(anna), anna)
    assert ways.sign_up(client, username=username).status_code == 303
    assert ways.sign_ins() == {anna.id: username}


@pytest.mark.sqlite_only
def test_without_an_invitation_there_is_no_sign_up(client: Client, dump: Callable[[], object]) -> None:
    before = dump()
    assert location(client.get("/sign-up")) == "/redeem"
    token = client.token("/sign-in")
    assert location(client.post("/sign-up", data={"csrf_token": token, **ways.STRANGER})) == "/redeem"
    assert dump() == before


@pytest.mark.sqlite_only
def test_a_stale_page_keeps_what_was_typed(client: Client, anna: Contact) -> None:
    ways.open_link(client, make.make_invitation(anna), anna)
    client.get("/redeem/review")
    response = client.post("/sign-up", data={"csrf_token": "stale", **ways.NEW})
    assert response.status_code == 400
    assert Page(response).form("/sign-up").values["username"] == ["newcomer"]
    assert ways.sign_ins() == {}


def test_the_invited_address_and_record_are_kept_whatever_is_posted(client: Client, anna: Contact) -> None:
    other = make.make_contact("Other", "Person")
    invitation = make.make_invitation(anna, roles=[make.make_role()])
    ways.open_link(client, invitation, anna)
    page = client.page("/redeem/review")
    assert page.first("input", id="invited-email").attrs["value"] == "anna@invited.example"
    forged = {
        "email": "evil@evil.example",
        "email1": "evil@evil.example",
        "contact_id": str(other.id),
        "contact": str(other.id),
        "intent": '{"contact_id": 2}',
        "first_name": "Evil",
        "is_staff": "1",
        "roles": "1",
        "proof": "link",
    }
    token = page.form("/sign-up").token
    response = client.post("/sign-up", data={"csrf_token": token, **ways.NEW, **forged})
    assert response.status_code == 303
    kept = db.session.get_one(Contact, anna.id)
    assert (kept.email1, kept.name) == ("anna@invited.example", "Anna Weber")
    assert ways.sign_ins() == {anna.id: "newcomer"}
    assert ways.contacts() == 2


def test_a_typed_code_proves_no_mailbox(client: Client, new_client: Callable[[], Client], anna: Contact) -> None:
    ways.arrive(client, "code", make.make_invitation(anna))
    assert ways.sign_up(client).status_code == 303
    assert db.session.get_one(Contact, anna.id).email1_verified_at is None
    assert [m.kind for m in db.session.scalars(db.select(Message))] == ["confirm-email"]
    by_mail = new_client().post_form("/sign-in", {"identifier": "anna@invited.example", "password": make.PASSWORD})
    assert by_mail.status_code == 422
    by_name = new_client().post_form("/sign-in", {"identifier": "newcomer", "password": make.PASSWORD})
    assert by_name.status_code == 303
    assert "Not confirmed" in client.page("/profile").text


def test_a_record_claimed_by_code_alone_loses_a_proof_somebody_else_gave(client: Client) -> None:
    person = make.make_contact(email1="proven@x.example", verified=True)
    ways.arrive(client, "code", make.make_invitation(person))
    assert ways.sign_up(client).status_code == 303
    assert db.session.get_one(Contact, person.id).email1_verified_at is None


def test_a_stranger_is_never_merged_by_the_address_they_type(client: Client, anna: Contact) -> None:
    proven = make.make_contact(email1="proven@x.example", username="proven", verified=True)
    invitation = make.make_invitation(anna, type="group", roles=[make.make_role()])
    ways.arrive(client, "code", invitation)
    assert ways.sign_up(client, email="PROVEN@x.example").status_code == 303
    made = db.session.scalars(db.select(Contact).order_by(Contact.id.desc())).first()
    assert made is not None
    assert made.id not in (anna.id, proven.id)
    assert (made.email1_key, made.email1_verified_at) == ("proven@x.example", None)
    assert ways.redemptions() == [(invitation.id, made.id)]
    assert ways.sign_ins() == {proven.id: "proven", made.id: "newcomer"}


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    "email", ["", "no", "a@x.example, b@x.example", "a@x.example\nBcc: b@x.example", "<a@x.example>"]
)
def test_a_stranger_needs_one_plain_address(client: Client, email: str, dump: Callable[[], object]) -> None:
    ways.arrive(client, "code", make.make_invitation(type="group"))
    before = dump()
    response = ways.sign_up(client, email=email)
    assert response.status_code == 422
    assert "email" in Page(response).errors
    assert dump() == before


@pytest.mark.sqlite_only
def test_a_strangers_name_holds_no_address(client: Client) -> None:
    ways.arrive(client, "code", make.make_invitation(type="group"))
    response = ways.sign_up(client, first_name="Visit www.evil.example")
    assert response.status_code == 422
    assert "first_name" in Page(response).errors


@pytest.mark.parametrize("over", ["full", "withdrawn", "expired"])
def test_when_the_last_seat_is_gone_the_whole_sign_up_is_undone(
    client: Client, frozen_clock: FrozenClock, dump: Callable[[], object], over: str
) -> None:
    invitation = make.make_invitation(type="group", max_redemptions=1, expires_at=frozen_clock.now + make.days(0.01))
    ways.arrive(client, "code", invitation)
    token = client.token("/redeem/review")
    if over == "full":
        make.make_redemption(invitation, make.make_contact(), proof="code")
    elif over == "expired":
        frozen_clock.move(days=0.01)
    else:
        with transaction():
            db.session.get_one(type(invitation), invitation.id).deactivated_at = frozen_clock.now
    before = dump()
    response = client.post("/sign-up", data={"csrf_token": token, **ways.STRANGER})
    assert response.status_code == 410
    assert "can no longer be accepted" in response.text
    assert dump() == before


def test_the_final_post_a_second_time_changes_nothing(client: Client, anna: Contact) -> None:
    invitation = make.make_invitation(anna)
    ways.open_link(client, invitation, anna)
    token, cookie = client.token("/redeem/review"), client.get_cookie("portal")
    data = {"csrf_token": token, **ways.NEW}
    assert client.post("/sign-up", data=data).status_code == 303
    assert cookie is not None
    client.set_cookie("portal", cookie.value)
    assert client.post("/sign-up", data=data).status_code in (303, 400)
    assert (ways.used(invitation), ways.sign_ins()) == (1, {anna.id: "newcomer"})


def test_a_sign_up_renews_the_session_and_signs_in(
    client: Client, new_client: Callable[[], Client], anna: Contact
) -> None:
    ways.open_link(client, make.make_invitation(anna), anna)
    client.get("/redeem/review")
    before = client.get_cookie("portal")
    assert before is not None
    assert location(ways.sign_up(client)) == "/welcome"
    thief = new_client()
    thief.set_cookie("portal", before.value)
    assert thief.get("/profile").status_code == 303
    assert client.page("/profile").heading == "Anna Weber"
    assert location(client.get("/sign-up")) == "/profile"


def prepare_attack(anna: Contact, client: Client) -> dict[str, object]:
    """Somebody claims Anna's record by the code alone, before she opens her link."""
    ways.arrive(client, "code", make.make_invitation(anna))
    assert ways.sign_up(client, username="attacker", password=SECOND, confirm=SECOND).status_code == 303
    with transaction():
        link = OneTimeLink(
            public_id=new_public_id(),
            contact_id=anna.id,
            purpose="reset",
            email_key="anna@invited.example",
            created_at=clock.now(),
            expires_at=clock.now() + make.days(1),
        )
        db.session.add(link)
    token = one_time.token(make.ring(), link.public_id, "reset", link.id, link.email_key)
    return {"reset": token, "cookie": client.get_cookie("portal").value}  # type: ignore[union-attr]


def test_whoever_came_first_without_the_mailbox_loses_everything_to_the_one_with_the_link(
    client: Client, new_client: Callable[[], Client], anna: Contact
) -> None:
    attack = prepare_attack(anna, client)
    owner = new_client()
    ways.open_link(owner, make.make_invitation(anna), anna)
    page = owner.page("/redeem/review")
    assert page.has_button("Create a new sign-in instead")
    assert location(ways.sign_up(owner, page="/sign-up", username="anna")) == "/welcome"
    assert ways.sign_ins() == {anna.id: "anna"}
    assert client.get("/profile").status_code == 303
    for identifier in ("attacker", "anna", "anna@invited.example"):
        tried = new_client().post_form("/sign-in", {"identifier": identifier, "password": SECOND})
        assert tried.status_code == 422, identifier
    assert new_client().get(f"/reset-password/{attack['reset']}").status_code == 410
    assert owner.page("/profile").heading == "Anna Weber"
    kinds = [m.kind for m in db.session.scalars(db.select(Message).order_by(Message.id))]
    assert kinds == ["confirm-email", "sign-in-replaced"]
    entry = db.session.scalars(db.select(JournalEntry).filter_by(action="credential.removed")).one()
    assert entry.detail == {"username": "attacker"}


def test_a_mail_to_confirm_the_first_claim_is_dead_after_the_replacement(
    client: Client, new_client: Callable[[], Client], anna: Contact
) -> None:
    prepare_attack(anna, client)
    confirm = db.session.scalars(db.select(OneTimeLink).filter_by(purpose="confirm")).one()
    number = confirm.id
    owner = new_client()
    ways.open_link(owner, make.make_invitation(anna), anna)
    ways.sign_up(owner, page="/sign-up", username="anna")
    assert db.session.get_one(OneTimeLink, number).used_at is not None


def test_a_refused_replacement_leaves_the_earlier_sign_in(client: Client, new_client: Callable[[], Client]) -> None:
    person = make.make_contact(username="earlier")
    invitation = make.make_invitation(person, type="group", max_redemptions=1)
    ways.open_link(client, invitation, person)
    token = client.token("/redeem/review")
    make.make_redemption(invitation, make.make_contact(), proof="code")
    assert client.post("/sign-up", data={"csrf_token": token, **ways.NEW}).status_code == 410
    assert ways.sign_ins() == {person.id: "earlier"}
    assert new_client().post_form("/sign-in", {"identifier": "earlier", "password": make.PASSWORD}).status_code == 303


def test_a_confirmed_sign_in_is_never_overwritten(client: Client) -> None:
    person = make.make_contact(username="mine", verified=True)
    ways.open_link(client, make.make_invitation(person), person)
    page = client.page("/redeem/review")
    assert not page.has_button("Create a new sign-in instead")
    assert location(client.get("/sign-up")) == "/redeem/review"
    token = client.token("/sign-in")
    assert client.post("/sign-up", data={"csrf_token": token, **ways.NEW}).status_code == 409
    assert db.session.get_one(Credential, person.id).username == "mine"


def test_open_registration_makes_a_new_contact_and_asks_to_confirm(client: Client) -> None:
    make.set_site(open_registration=True)
    assert location(ways.sign_up(client, page="/sign-up")) == "/profile"
    made = db.session.scalars(db.select(Contact)).one()
    assert (made.name, made.email1, made.email1_verified_at) == ("New Comer", "newcomer@elsewhere.example", None)
    assert ways.redemptions() == []
    assert [m.kind for m in db.session.scalars(db.select(Message))] == ["confirm-email"]
    assert "Not confirmed" in client.page("/profile").text


@pytest.mark.sqlite_only
def test_whoever_comes_to_sign_up_from_elsewhere_sees_the_invitation_first(client: Client, anna: Contact) -> None:
    make.set_site(open_registration=True)
    ways.open_link(client, make.make_invitation(anna), anna)
    assert location(client.get("/sign-up")) == "/redeem/review"
    client.page("/redeem/review")
    assert client.get("/sign-up").status_code == 200
    client.page("/")
    assert location(client.get("/sign-up")) == "/redeem/review"


@pytest.mark.sqlite_only
def test_an_invitation_that_is_over_keeps_nobody_from_open_registration(client: Client, anna: Contact) -> None:
    make.set_site(open_registration=True)
    client.get(ways.link_of(make.make_invitation(anna, sent=True, deactivated=True), anna))
    assert client.get("/redeem/review").status_code == 410
    assert location(ways.sign_up(client, page="/sign-up")) == "/profile"
    assert ways.redemptions() == []
    assert anna.id not in ways.sign_ins()


@pytest.mark.sqlite_only
def test_open_registration_is_nothing_while_registration_is_off(client: Client) -> None:
    make.set_site(open_registration=True, registration_enabled=False)
    assert client.get("/sign-up").status_code == 404
    assert "Create a sign-in" not in client.page("/").text


@pytest.mark.sqlite_only
def test_open_registration_goes_on_while_invitations_are_off(client: Client) -> None:
    make.set_site(open_registration=True, invitation_redemption=False)
    assert ways.sign_up(client, page="/sign-up").status_code == 303


def test_the_password_is_kept_as_an_argon2id_hash_alone(client: Client, anna: Contact) -> None:
    ways.open_link(client, make.make_invitation(anna), anna)
    ways.sign_up(client)
    stored = db.session.get_one(Credential, anna.id).password_hash
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.verify_password(stored, make.PASSWORD)


@pytest.mark.sqlite_only
def test_a_sign_up_is_for_the_invitation_on_its_page(client: Client, anna: Contact, dump: Callable[[], object]) -> None:
    ways.open_link(client, make.make_invitation(anna), anna)
    shown = filled(client.page("/redeem/review").form("/sign-up"), ways.NEW)
    other = make.make_contact("Ben", "Other")
    ways.open_link(client, make.make_invitation(other), other)
    before = dump()
    assert location(client.post("/sign-up", data=shown)) == "/redeem/review"
    assert dump() == before


def test_what_was_accepted_by_a_code_in_ones_name_does_not_keep_the_claim_alive(
    client: Client, new_client: Callable[[], Client], anna: Contact
) -> None:
    group = make.make_invitation(anna, make.make_contact(), type="group", redeemable_by="invited")
    prepare_attack(anna, client)
    ways.type_code(client, group)
    assert location(ways.accept(client)) == "/welcome"
    owner = new_client()
    ways.open_link(owner, group, anna)
    assert location(ways.sign_up(owner, page="/sign-up", username="anna")) == "/welcome"
    assert ways.sign_ins() == {anna.id: "anna"}
    assert client.get("/profile").status_code == 303
    assert ways.used(group) == 1
    assert db.session.get_one(Contact, anna.id).email1_verified_at is not None


def test_it_is_not_taken_over_by_the_link_of_an_invitation_that_is_over(
    client: Client, new_client: Callable[[], Client], anna: Contact
) -> None:
    group = make.make_invitation(anna, make.make_contact(), type="group", redeemable_by="invited")
    prepare_attack(anna, client)
    ways.type_code(client, group)
    ways.accept(client)
    owner = new_client()
    ways.open_link(owner, group, anna)
    owner.get("/redeem/review")
    shown = filled(owner.page("/sign-up").form("/sign-up"), ways.NEW)
    with transaction():
        db.session.get_one(Invitation, group.id).deactivated_at = clock.now()
    assert owner.post("/sign-up", data=shown).status_code in (409, 410)
    assert ways.sign_ins() == {anna.id: "attacker"}
