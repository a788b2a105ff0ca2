"""Who may do what: every route and verb as every persona, against the one table of what is meant."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from portal.staff.permissions import HOLDS, Permission
from portal.web import guard
from tests.conftest import PERSONAS, STAFF_PERSONAS
from tests.support.clients import HTMX, Client, location
from tests.support.databases import Rows, difference
from tests.support.world import SAFE, VERBS, Target, World, build, targets

pytestmark = pytest.mark.sqlite_only
Dump = Callable[[], Rows]
SignIn = Callable[[str], Client]
V, C, I, S = Permission.VIEW, Permission.MANAGE_CONTACTS, Permission.CREATE, Permission.SEND  # noqa: E741
EVERYBODY = None
# What is meant. A new staff route must be entered here, too, and that is the point of it.
STAFF_ROUTES: dict[str, str | None] = {
    "staff.sign_in": EVERYBODY,
    "staff.sign_out": EVERYBODY,
    "staff.set_up": EVERYBODY,
    **dict.fromkeys(("staff_two_factor.verify", "staff_providers.start", "staff_providers.callback"), EVERYBODY),
    **dict.fromkeys(("staff_proof.confirm", "staff_proof.go_on", "staff_providers.unlink"), V),
    **dict.fromkeys([f"staff_two_factor.{deed}" for deed in ("page", "start", "recovery", "turn_off")], V),
    **dict.fromkeys(("staff_sessions.end", "staff_sessions.end_others"), V),
    **dict.fromkeys(("staff_credentials.unlock", "staff_credentials.end_sessions"), Permission.MANAGE_STAFF),
    **dict.fromkeys(("staff_credentials.remove_identity", "staff_credentials.remove_passkey"), Permission.MANAGE_STAFF),
    "staff_credentials.reset_two_factor": Permission.MANAGE_STAFF,
    **dict.fromkeys(("staff_passkeys.sign_in", "staff_passkeys.sign_in_options"), EVERYBODY),
    **dict.fromkeys([f"staff_passkeys.{deed}" for deed in ("options", "add", "edit", "remove")], V),
    **dict.fromkeys(("staff_passkeys.prove", "staff_passkeys.prove_options"), V),
    "staff.overview": V,
    "staff.profile": V,
    "staff.password": V,
    "staff.sign_out_everywhere": V,
    "invitations.index": V,
    "invitations.record": V,
    "invitations.new": I,
    "invitations.edit": I,
    "invitations.deactivate": I,
    "invitations.activate": I,
    "invitations.delete": I,
    "invitations.send": S,
    "invitations.remind": S,
    "invitations.extend": I,
    "invitations.new_code": I,
    "invitations.change_recipient": I,
    "invitations.undo_redemption": I,
    "invitations.bulk": V,  # what it may do is asked per action, below
    "invitations.reissue": S,
    "invitations.refuse": S,
    "notices.choose": S,
    "invitations.find": Permission.SHOW_CODES,
    "invitations.ask_code": Permission.SHOW_CODES,
    "invitations.ask_link": Permission.SHOW_CODES,
    "invitations.show_code": Permission.SHOW_CODES,
    "invitations.copy_link": Permission.SHOW_CODES,
    "contacts.index": V,
    "contacts.record": V,
    "contacts.options": V,
    "contacts.invite": I,
    "contacts.new": C,
    "contacts.edit": C,
    "contacts.deactivate": C,
    "contacts.activate": C,
    **{f"credentials.{name}": C for name in ("record", "username", "send_link", "unlock", "end_sessions")},
    **{f"credentials.remove_{way}": C for way in ("password", "identity", "passkey")},
    "credentials.temporary": Permission.SET_PASSWORDS,
    "accounts.index": V,
    "accounts.record": V,
    "accounts.options": V,
    "accounts.new": C,
    "accounts.edit": C,
    "accounts.delete": C,
    "roles.index": V,
    "roles.record": V,
    "roles.new": Permission.MANAGE_ROLES,
    "roles.edit": Permission.MANAGE_ROLES,
    "roles.delete": Permission.MANAGE_ROLES,
    "workflows.index": V,
    "workflows.record": V,
    "workflows.runs": V,
    "workflows.run": V,
    "workflows.new": Permission.EDIT_WORKFLOWS,
    "workflows.edit": Permission.EDIT_WORKFLOWS,
    "workflows.activate": Permission.EDIT_WORKFLOWS,
    "workflows.deactivate": Permission.EDIT_WORKFLOWS,
    "workflows.discard": Permission.EDIT_WORKFLOWS,
    "workflows.delete": Permission.EDIT_WORKFLOWS,
    "workflows.start": I,
    "workflows.run_again": I,
    "workflows.cancel": I,
    "email_templates.index": Permission.EDIT_TEMPLATES,
    "email_templates.record": Permission.EDIT_TEMPLATES,
    "email_templates.new": Permission.EDIT_TEMPLATES,
    "email_templates.describe": Permission.EDIT_TEMPLATES,
    "email_templates.edit": Permission.EDIT_TEMPLATES,
    "email_templates.preview": Permission.EDIT_TEMPLATES,
    "email_templates.body": Permission.EDIT_TEMPLATES,
    "email_templates.test": Permission.EDIT_TEMPLATES,
    "email_templates.compare": Permission.EDIT_TEMPLATES,
    "email_templates.restore": Permission.EDIT_TEMPLATES,
    "email_templates.default": Permission.EDIT_TEMPLATES,
    "email_templates.deactivate": Permission.EDIT_TEMPLATES,
    "email_templates.activate": Permission.EDIT_TEMPLATES,
    "outbox.index": V,
    "outbox.record": V,
    "outbox.body": Permission.READ_MESSAGES,
    "outbox.try_now": S,
    "outbox.cancel": S,
    "outbox.fix_address": C,  # and the right to send
    "outbox.retry": S,
    "outbox.test": Permission.MANAGE_SETTINGS,
    "outbox.ask_again": Permission.MANAGE_SETTINGS,
    "journal.index": Permission.READ_JOURNAL,
    "settings.edit": Permission.MANAGE_SETTINGS,
    **dict.fromkeys(
        ("providers.index", "providers.new", "providers.record", "providers.edit", "providers.test"),
        Permission.MANAGE_SETTINGS,
    ),
    **dict.fromkeys(("providers.switch", "providers.move", "providers.delete"), Permission.MANAGE_SETTINGS),
    "people.index": Permission.MANAGE_STAFF,
    "people.record": Permission.MANAGE_STAFF,
    "people.create": Permission.MANAGE_STAFF,
    "people.edit": Permission.MANAGE_STAFF,
    "people.deactivate": Permission.MANAGE_STAFF,
    "people.activate": Permission.MANAGE_STAFF,
    "people.link": Permission.MANAGE_STAFF,
}
CONTACT_ROUTES = {
    "identity.profile",
    "identity.change_password",
    "identity.send_confirmation",
    *(f"identity.{name}" for name in ("personal", "change_email", "drop_email", "username", "first_password")),
    *("identity.remove_identity", "identity.data"),
    *("proving.again", "proving.go_on"),
    *(f"passkeys.{name}" for name in ("options", "add", "edit", "remove", "prove", "prove_options")),
    *("sessions.index", "sessions.end", "sessions.forget", "sessions.end_others"),
    "redemption.welcome",
}
PUBLIC_ROUTES = {
    "template_tests.landing",
    "health.live",
    "health.ready",
    "redemption.home",
    "redemption.code",
    "redemption.link",
    "redemption.register",
    "redemption.review",
    "redemption.accept",
    "redemption.forget",
    "answering.decline",
    "answering.ask",
    "sign_in.sign_in",
    "sign_in.sign_up",
    "sign_in.switch",
    *(f"passkey_sign_in.{name}" for name in ("options", "sign_in", "sign_up_options", "sign_up")),
    *(f"provider_sign_in.{name}" for name in ("start", "callback", "confirm", "signed_out")),
    *(f"second_factor.{name}" for name in ("verify", "resend", "own_password")),
    "identity.sign_out",
    "proving.open_move",
    "proving.confirm_move",
    "identity.forgot_password",
    "identity.reset_link",
    "identity.reset_password",
    "identity.set_link",
    "identity.set_password",
    "identity.confirm_link",
    "identity.confirm_email",
}


@pytest.fixture
def world(app: Flask) -> World:
    return build()


def test_every_staff_route_names_the_permission_that_is_meant(app: Flask) -> None:
    assert guard.declared(app) == STAFF_ROUTES


def test_every_other_route_is_meant_to_be_public_or_for_contacts(app: Flask) -> None:
    others = {r.endpoint for r in app.url_map.iter_rules() if not r.rule.startswith("/staff")}
    assert others == PUBLIC_ROUTES | CONTACT_ROUTES


def test_an_unmarked_staff_route_is_refused(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    app.add_url_rule("/staff/forgotten", "forgotten", lambda: "")
    with pytest.raises(RuntimeError, match="forgotten names no permission"):
        guard.declared(app)


def test_the_shipped_roles_hold_what_the_decisions_say() -> None:
    assert HOLDS["owner"] == set(Permission)
    assert HOLDS["viewer"] == {V}
    assert HOLDS["editor"] == {V, Permission.EDIT_TEMPLATES, Permission.EDIT_WORKFLOWS}
    assert {V, C, I, S, Permission.SHOW_CODES, Permission.GRANT} <= HOLDS["manager"]
    missing_for_manager = {
        Permission.MANAGE_STAFF,
        Permission.MANAGE_SETTINGS,
        Permission.MANAGE_ROLES,
        Permission.READ_JOURNAL,
        Permission.EDIT_TEMPLATES,
        Permission.EDIT_WORKFLOWS,
    }
    assert not HOLDS["manager"] & missing_for_manager


def expected(target: Target, persona: str) -> str:
    """`in`, `forbidden`, or where somebody who is not signed in is led."""
    if target.endpoint in STAFF_ROUTES:
        permission = STAFF_ROUTES[target.endpoint]
        if permission is EVERYBODY:
            return "in"
        if persona not in STAFF_PERSONAS:
            return "/staff/sign-in"
        return "in" if permission in HOLDS[persona] else "forbidden"
    if target.endpoint in CONTACT_ROUTES and persona not in ("invitee", "stranger"):
        return "/sign-in"
    return "in"


@pytest.mark.parametrize("persona", PERSONAS)
def test_every_route_answers_every_persona_as_meant(
    app: Flask, world: World, sign_in_as: SignIn, dump: Dump, persona: str
) -> None:
    browser = sign_in_as(persona)
    wrong: list[str] = []
    for target in targets(app, world):
        for verb in ("GET", "POST"):
            if verb not in target.verbs:
                continue
            meant = expected(target, persona)
            if target.endpoint in ("health.ready", "staff_two_factor.verify") or (meant == "in" and verb == "POST"):
                continue  # no worker runs, nobody owes a code; the tests of the slice show what a permitted POST does
            before = dump()
            response = send(browser, verb, target)
            problem = judge(response, meant)
            if problem:
                wrong.append(f"{verb} {target.url}: {problem}, meant: {meant}")
            if dump() != before:
                wrong.append(f"{verb} {target.url} changed {sorted(difference(before, dump()))}")
    assert not wrong


@pytest.mark.parametrize("persona", PERSONAS)
def test_htmx_is_led_to_the_sign_in_by_a_header(app: Flask, world: World, sign_in_as: SignIn, persona: str) -> None:
    browser = sign_in_as(persona)
    wrong: list[str] = []
    for target in targets(app, world):
        meant = expected(target, persona)
        for verb in sorted(target.verbs & {"GET", "POST"}):
            if meant == "in":
                continue
            response = send(browser, verb, target, HTMX)
            if meant == "forbidden" and response.status_code != 403:
                wrong.append(f"{verb} {target.url}: {response.status}")
            led = response.headers.get("HX-Redirect", "")
            if meant.startswith("/") and (response.status_code != 401 or not led.startswith(meant)):
                wrong.append(f"{verb} {target.url}: {response.status} {led}")
    assert not wrong


@pytest.mark.parametrize("action", ["send", "deactivate", "activate"])
@pytest.mark.parametrize("persona", ["editor", "viewer"])
def test_many_at_once_need_the_same_right_as_one(
    world: World, sign_in_as: SignIn, dump: Dump, persona: str, action: str
) -> None:
    browser = sign_in_as(persona)
    before = dump()
    for confirm in ({}, {"confirm": "1"}):
        data = {"action": action, "ids": [world.ids["invitation_id"]], "csrf_token": browser.token("/staff/profile")}
        assert browser.post("/staff/invitations/bulk", data={**data, **confirm}).status_code == 403
    assert dump() == before


def test_a_verb_that_a_route_does_not_have_is_answered_405(app: Flask, world: World, sign_in_as: SignIn) -> None:
    browser = sign_in_as("owner")
    by_rule: dict[str, set[str]] = {}
    for target in targets(app, world):
        by_rule.setdefault(target.url, set()).update(target.verbs)
    wrong = [
        f"{verb} {url}: {response.status}"
        for url, verbs in by_rule.items()
        for verb in VERBS
        if verb not in verbs and (response := browser.open(url, method=verb)).status_code != 405
    ]
    assert not wrong


def test_a_record_that_does_not_exist_is_404_for_those_who_may_and_403_for_those_who_may_not(
    app: Flask, sign_in_as: SignIn
) -> None:
    """A person without the right learns nothing: the answer is the same whether the record exists or not."""
    world = build()
    nowhere = World(dict.fromkeys(world.ids, 999_999), {}, world.tokens)
    owner, viewer = sign_in_as("owner"), sign_in_as("viewer")
    wrong: list[str] = []
    for target in targets(app, nowhere):
        if "999999" not in target.url or "GET" not in target.verbs or target.endpoint in CONTACT_ROUTES:
            continue
        if (answer := owner.get(target.url)).status_code != 404:
            wrong.append(f"{target.url} as owner: {answer.status}")
        meant = 404 if expected(target, "viewer") == "in" else 403
        if (answer := viewer.get(target.url)).status_code != meant:
            wrong.append(f"{target.url} as viewer: {answer.status}")
    assert not wrong


@pytest.mark.parametrize("number", ["0", "9" * 30, "2147483648", "9223372036854775808"])
def test_a_number_no_record_can_have_is_404(app: Flask, world: World, sign_in_as: SignIn, number: str) -> None:
    browser = sign_in_as("owner")
    huge = World({name: int(number) for name in world.ids}, {}, world.tokens)
    found = [t for t in targets(app, huge) if number in t.url.partition("?")[0].split("/") and "GET" in t.verbs]
    found = [target for target in found if target.endpoint not in CONTACT_ROUTES]
    assert found
    assert not [f"{t.url}: {r.status}" for t in found if (r := browser.get(t.url)).status_code != 404]


def send(browser: Client, verb: str, target: Target, headers: dict[str, str] | None = None) -> Any:
    if verb in SAFE:
        return browser.open(target.url, method=verb, headers=headers)
    # With a token that holds, so that it is the permission that refuses and not the CSRF check.
    token_page = "/staff/sign-in" if target.url.startswith("/staff") else "/sign-in"
    token = next((f.token for f in _forms(browser, token_page) if f.token), "")
    return browser.open(target.url, method=verb, headers={**(headers or {}), "X-CSRFToken": token})


def _forms(browser: Client, url: str) -> list[Any]:
    from tests.support.pages import Page

    response = browser.get(url, follow_redirects=True)
    return Page(response).posts


def judge(response: Any, meant: str) -> str:
    if meant == "in":
        refused = response.status_code in (401, 403) or response.status_code >= 500
        led_away = response.status_code == 303 and location(response).partition("?")[0] in ("/staff/sign-in",)
        return response.status if refused or led_away else ""
    if meant == "forbidden":
        return "" if response.status_code == 403 else response.status
    fine = response.status_code == 303 and location(response).partition("?")[0] == meant
    return "" if fine else f"{response.status} {location(response)}"
