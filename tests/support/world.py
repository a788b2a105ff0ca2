"""A small site with one record of every kind in every state, and every address on it that can be asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from portal.contacts.models import Contact
from portal.identity import links as identity_links
from portal.identity.models import OneTimeLink
from portal.invitations import links as invitation_links
from portal.invitations.models import Invitation, InvitedContact
from portal.kernel import addresses, clock
from portal.kernel.db import db, transaction
from portal.kernel.secrets_ import new_public_id
from portal.mail.models import Message
from portal.staff import links as staff_links
from portal.staff.models import SetUpLink
from portal.workflows.models import Workflow
from tests.support import make
from tests.support.make import days, ring

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
MESSAGE_STATES = ("queued", "sending", "sent", "deferred", "failed", "cancelled")
# More addresses of a page than its bare one.
QUERIES = {
    "invitations.index": [
        *(f"?view={v}" for v in ("new", "open", "completed", "inactive", "all", "problems", "requests", "nonsense")),
        *("?q=for", "?sort=name", "?sort=-expires", "?view=all&after=garbage"),
    ],
    "invitations.new": ["?contact={contact}"],
    "contacts.index": ["?q=per", "?sort=-name", "?after=garbage", "?active=0"],
    "accounts.index": ["?q=acc", "?after=garbage"],
    "roles.index": ["?q=ro"],
    "journal.index": ["?after=garbage", "?action=invitation.sent", "?q=per"],
    "outbox.index": ["?state=failed", "?state=bounced", "?contact={contact}&invitation={invitation}", "?after=garbage"],
    "people.index": ["?view=inactive"],
    "providers.new": [f"?preset={p}" for p in ("oidc", "entra", "linkedin", "github", "nonsense")],
    "workflows.record": ["?state=failed", "?after=garbage"],
    "workflows.runs": ["?state=done", "?state=nonsense"],
    "workflows.start": ["?entity=contact&ids={contact}", "?entity=invitation&ids={invitation}"],
    "contacts.options": ["?q=per&name=contacts&multiple=1"],
    "accounts.options": ["?q=acc&name=account"],
    "email_templates.record": ["?language=de", "?language=nonsense"],
    "email_templates.edit": ["?language=ar", "?draft=garbage"],
    "email_templates.body": ["?scheme=dark&language=de"],
    "email_templates.compare": ["?left=1&right=shipped", "?left=nonsense"],
    "email_templates.restore": ["?number=1"],
    "roles.options": ["?q=ro&name=web_roles&multiple=1"],
}
REMEMBERING = (
    *("redemption.link", "redemption.code", "redemption.register"),
    *("identity.reset_link", "identity.set_link", "identity.confirm_link", "proving.open_move"),
)
"""These keep what a visitor came with in their session, which is no write that counts."""


WORDS = {"slug": "main", "provider": "main", "handle": "0" * 32}
"""What stands in addresses that name a record by a word."""


@dataclass
class World:
    """Ids by the name that a route gives its argument, tokens by endpoint."""

    ids: dict[str, int] = field(default_factory=dict)
    more: dict[str, list[int]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)


class Target(NamedTuple):
    """One address of one route."""

    endpoint: str
    rule: str
    url: str
    verbs: frozenset[str]


def build(text: Callable[[str], str] = lambda label: label) -> World:
    """Make the site; `text` turns a label into what stands in a text field, so that a test may choose it."""
    world = World()
    owner = make.make_staff("owner", name=text("Olga Owner"), email="olga@staff.example")
    make.make_staff("viewer", name=text("Former Viewer"), active=False)
    newcomer = make.make_staff("manager", name=text("New Manager"), password=None)
    account = make.make_account(text("Acme"))
    role = make.make_role(text("Members"), description=text("May read the member pages"))
    reserved = make.make_role(text("Board"), managers_may_grant=False)
    anna = make.make_contact(text("Anna"), text("Weber"), "anna@example.org", account=account, roles=[role])
    bruno = make.make_contact(
        text("Bruno"), text("Costa"), "bruno@example.org", username=text("bruno"), verified=True, roles=[role, reserved]
    )
    without = make.make_contact(text("Carla"), text("Nomail"), None, phone=text("555"))
    gone = make.make_contact(text("Dora"), text("Gone"), "dora@example.org", active=False)
    workflow = make.shipped_workflow()
    template = make.make_template(text("Own template"), text("What it is for"), note=text("Changed"))
    more = {"roles": [role, reserved], "account": account, "workflow": workflow, "inviter": bruno, "owner": owner}
    tomorrow, yesterday = (clock.now() + days(step) for step in (1, -1))
    new = make.make_invitation(anna, name=text("New one"), expires_at=tomorrow, expires_on=tomorrow.date(), **more)
    opened = make.make_invitation(anna, name=text("Open one"), sent=True, **more)
    expired = make.make_invitation(
        anna, name=text("Expired one"), sent=True, expires_at=yesterday, expires_on=yesterday.date(), **more
    )
    inactive = make.make_invitation(anna, name=text("Inactive one"), deactivated=True, deactivated_why=text("Mistake"))
    group = make.make_invitation(
        anna, bruno, without, gone, name=text("Group one"), sent=True, max_redemptions=5, **more
    )
    completed = make.make_invitation(bruno, name=text("Completed one"), sent=True, **more)
    redemption = make.make_redemption(completed, bruno, account_assigned=True, roles_added=[role.id])
    make.make_redemption(group, bruno, proof="code")
    provider = make.make_provider(
        "main",
        caption=text("Main"),
        issuer="http://127.0.0.1:9",  # where nobody answers
        secret="hidden",
        for_staff=True,
    )
    declared = make.make_provider("declared", caption=text("Declared"), source="file", enabled=False)
    request = make.make_request(expired, anna, words=text("Please once more"))
    messages = [_message(anna, opened, state, text) for state in MESSAGE_STATES]
    for state, action in (("queued", "started"), ("done", "done"), ("failed", "failed")):
        run = make.make_run(workflow, bruno, state=state, invitation_id=completed.id, error=text("It broke"))
        make.make_entry(
            f"workflow.{action}",
            ("contact", bruno.id, text("Bruno")),
            ("invitation", completed.id, text("Completed one")),
            text=text("What happened"),
            detail={"run": run.id, "workflow": text("Welcome"), "error": text("It broke")},
        )
    for action in ("invitation.created", "invitation.sent", "redemption.completed", "contact.created"):
        make.make_entry(
            action, ("contact", anna.id, text("Anna")), ("invitation", opened.id, text("Open one")), by=owner
        )
    make.make_staff_identity(newcomer, provider, email=text("new@main.example"))
    world.ids = {
        "passkey_id": make.make_passkey(bruno, contact_id=None, staff_id=newcomer.id, name=text("Laptop")).id,
        "contact_id": anna.id,
        "account_id": account.id,
        "role_id": role.id,
        "staff_id": newcomer.id,
        "invitation_id": opened.id,
        "message_id": messages[2],
        "run_id": run.id,
        "workflow_id": workflow.id,
        "template_id": template.id,
        "redemption_id": redemption.id,
        "identity_id": make.make_identity(bruno, provider, email=text("bruno@main.example"), name=text("Bruno")).id,
        "browser_id": make.make_remembered(bruno).id,
        "provider_id": provider.id,
        "request_id": request.id,
    }
    world.more = {
        "contact_id": make.ids([bruno, without, gone]),
        "invitation_id": make.ids([new, expired, inactive, group, completed]),
        "message_id": messages,
        "role_id": [make.implicit_role().id, reserved.id],
        "staff_id": [owner.id],
        "provider_id": [declared.id],
        "template_id": [make.shipped_template().id],
        "workflow_id": [_drafted(role.id, account.id, text)],
    }
    world.codes = {"open": make.code_of(opened), "group": make.code_of(group)}
    world.tokens = {
        "redemption.link": link_token(opened, anna),
        "identity.reset_link": one_time_token(bruno, identity_links.RESET),
        "identity.set_link": one_time_token(bruno, identity_links.SET),
        "proving.open_move": move_token(bruno, "bruno@new.example"),
        "identity.confirm_link": one_time_token(anna, identity_links.CONFIRM),
        "staff.set_up": set_up_token(newcomer.id),
    }
    return world


def _drafted(role_id: int, account_id: int, text: Callable[[str], str]) -> int:
    """A workflow with a draft of every kind of value."""
    given: list[dict[str, object]] = [
        {"type": "send_email", "template": "welcome"},
        {"type": "add_role", "web_role": str(role_id)},
        {"type": "assign_account", "account": account_id},
        {"type": "set_field", "field": "phone", "value": text("0170")},
        {"type": "note", "text": text("Remember")},
        {"type": "webhook", "url": text("https"), "secret": "sealed"},
        {"type": "stop_if_not", "field": "contact_name", "operator": "is", "value": text("Anna")},
    ]
    with transaction():
        steps = [{"id": f"s{at}", **step} for at, step in enumerate(given)]
        drafted = Workflow(name=text("Flow"), description=text("About"), activated=False, steps=[], draft=steps)
        db.session.add(drafted)
        db.session.flush()
        return drafted.id


def _message(contact: Contact, invitation: Invitation, state: str, text: Callable[[str], str]) -> int:
    from json import dumps

    message = make.make_message(
        "invitation",
        contact=contact,
        state=state,
        about_kind="invitation",
        about_id=invitation.id,
        to_address=contact.email1,
        sender=f"{text('Olga')} <portal@portal.example>",
        answer=text("250 OK"),
        sent_at=clock.now() if state == "sent" else None,
    )
    message_id = message.id
    with transaction():
        stored = db.session.get_one(Message, message_id)
        body = {"subject": text("You are invited"), "html": "<p>· · ·</p>", "text": text("Come in")}
        body |= {"links": [], "secrets": [], "kept": True}
        stored.body_sealed = ring().seal(dumps(body), f"message:{message_id}")
    return message_id


def link_token(invitation: Invitation, contact: Contact) -> str:
    """The token that is mailed to this contact."""
    invited = db.session.get_one(InvitedContact, (invitation.id, contact.id))
    return invitation_links.token(invitation, invited, contact)


def one_time_token(contact: Contact, purpose: str) -> str:
    """A live token of a link mailed to this contact."""
    contact_id, key, now, public_id = contact.id, contact.email1_key, clock.now(), new_public_id()
    with transaction():
        link = OneTimeLink(
            public_id=public_id,
            contact_id=contact_id,
            purpose=purpose,
            email_key=key,
            created_at=now,
            expires_at=now + identity_links.LIVES[purpose],
        )
        db.session.add(link)
        db.session.flush()
        link_id = link.id
    return identity_links.token(ring(), public_id, purpose, link_id, key or "")


def move_token(contact: Contact, email: str) -> str:
    """A live token of a link mailed to the new address of a contact."""
    contact_id, now, public_id, key = contact.id, clock.now(), new_public_id(), addresses.canonical(email)
    bound = identity_links.moving(key, identity_links.moves_from(contact.email1_key, contact.epoch))
    with transaction():
        link = OneTimeLink(
            public_id=public_id,
            contact_id=contact_id,
            purpose=identity_links.CHANGE,
            email_key=key,
            email=email,
            created_at=now,
            expires_at=now + identity_links.LIVES[identity_links.CHANGE],
        )
        db.session.add(link)
        db.session.flush()
        link_id = link.id
    return identity_links.token(ring(), public_id, identity_links.CHANGE, link_id, bound)


def set_up_token(staff_id: int | None) -> str:
    """A live set-up token."""
    now, public_id = clock.now(), new_public_id()
    with transaction():
        link = SetUpLink(public_id=public_id, staff_id=staff_id, created_at=now, expires_at=now + staff_links.LIVES)
        db.session.add(link)
        db.session.flush()
        link_id = link.id
    return staff_links.token(ring(), public_id, link_id)


def targets(app: Flask, world: World, *, everything: bool = False) -> list[Target]:
    """Every route with an address that leads to a record; with `everything`, those of more records and queries too."""
    found: list[Target] = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda r: (r.rule.count("/"), r.rule)):
        for url in _addresses(app, rule, world, everything):
            verbs = frozenset(rule.methods or ()) - {"OPTIONS"}
            found.append(Target(rule.endpoint, rule.rule, url, verbs))
    return found


def _addresses(app: Flask, rule: Rule, world: World, everything: bool) -> Iterator[str]:
    adapter = app.url_map.bind("localhost")
    choices: list[dict[str, object]] = [{}]
    for argument in sorted(rule.arguments):
        values: list[object] = list(_values(world, rule, argument))
        choices = [
            {**chosen, argument: value} for chosen in choices for value in (values if everything else values[:1])
        ]
    for chosen in choices:
        url = adapter.build(rule.endpoint, chosen)
        yield url
        if everything and "GET" in (rule.methods or ()):
            ids = {name.removesuffix("_id"): value for name, value in world.ids.items()}
            yield from (url + query.format(**ids) for query in QUERIES.get(rule.endpoint, []))


def _values(world: World, rule: Rule, argument: str) -> list[object]:
    if argument == "token":
        assert rule.endpoint in world.tokens, f"tests/support/world.py knows no token for {rule.endpoint}"
        return [world.tokens[rule.endpoint]]
    if argument in WORDS:
        return [WORDS[argument]]
    assert argument in world.ids, f"tests/support/world.py knows no {argument} (for {rule.rule})"
    return [world.ids[argument], *(i for i in world.more.get(argument, []) if i != world.ids[argument])]


def pages(app: Flask, world: World) -> list[Target]:
    """Every address that can be read."""
    return [target for target in targets(app, world, everything=True) if "GET" in target.verbs]
