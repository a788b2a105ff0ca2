"""Plain functions that make records, straight through the models, each in a transaction of its own.

What is not given gets a sensible value. They return the record, loaded, in the app context of the test.
"""

import itertools
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from argon2 import PasswordHasher
from flask import current_app

from portal.accounts.models import Account
from portal.config import Settings
from portal.contacts.models import Contact, ContactWebRole
from portal.email_templates.models import EmailTemplate, TemplateVersion
from portal.identity.models import Credential, ExternalIdentity, RememberedBrowser
from portal.invitations.models import (
    Invitation,
    InvitationCode,
    InvitationRequest,
    InvitationWebRole,
    InvitedContact,
    Redemption,
)
from portal.jobs.models import Job
from portal.journal.models import JournalEntry, JournalRecord
from portal.kernel import addresses, clock, codes
from portal.kernel.db import db, transaction
from portal.kernel.secrets_ import KeyRing, new_public_id
from portal.mail.models import Message
from portal.passkeys.models import Passkey
from portal.providers.models import Provider
from portal.roles.models import WebRole
from portal.settings.models import SiteSettingsRow
from portal.staff.models import StaffIdentity, StaffMember
from portal.workflows.models import Workflow, WorkflowRun

PASSWORD = "green lamps over quiet water"
T = TypeVar("T")
_count = itertools.count(1)


@cache
def password_hash(password: str = PASSWORD) -> str:
    """An Argon2id hash with the portal's own cost; made once per run and password."""
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(password)


def make_staff(
    role: str = "owner",
    *,
    name: str = "",
    email: str = "",
    password: str | None = PASSWORD,
    active: bool = True,
    notices: str = "none",
) -> StaffMember:
    """A staff member; with `password=None` they cannot sign in yet. Unlike in life they get no notices unless told to,
    so that a test finds the messages it is about."""
    number = next(_count)
    email = email or f"{role}{number}@staff.example"
    return _saved(
        StaffMember(
            email=email,
            email_key=addresses.canonical(email),
            name=name or f"{role.title()} Staff {number}",
            role=role,
            password_hash=password_hash(password) if password else None,
            active=active,
            notices=notices,
            created_at=clock.now(),
        )
    )


def make_account(name: str = "", **more: Any) -> Account:
    """An organisation."""
    name = name or f"Account {next(_count)}"
    return _saved(Account(**{"name": name, "name_key": name.casefold(), **_stamps(), **more}))


def make_role(name: str = "", *, managers_may_grant: bool = True, description: str = "", **more: Any) -> WebRole:
    """A web role that is given by hand."""
    name = name or f"Role {next(_count)}"
    values = {"name": name, "name_key": name.casefold(), "description": description}
    return _saved(WebRole(**{**values, "managers_may_grant": managers_may_grant, **_stamps(), **more}))


def make_contact(
    first_name: str = "",
    last_name: str = "",
    email1: str | None = "",
    *,
    username: str | None = None,
    password: str = PASSWORD,
    verified: bool = False,
    account: Account | None = None,
    roles: Sequence[WebRole] = (),
    **more: Any,
) -> Contact:
    """A contact. `email1=None`: without an address. With a `username` they can sign in."""
    number = next(_count)
    first_name, last_name = (first_name, last_name) if first_name or last_name else ("Person", f"No{number}")
    email1 = f"person{number}@example.org" if email1 == "" else email1
    now = clock.now()
    values = {
        "first_name": first_name,
        "last_name": last_name,
        "name_key": f"{first_name} {last_name}".strip().casefold(),
        "email1": email1,
        "email1_key": addresses.canonical(email1) if email1 else None,
        "email1_verified_at": now if verified and email1 else None,
        "account_id": account.id if account else None,
    }
    with transaction():
        contact = Contact(**{**values, **_stamps(), **more})
        db.session.add(contact)
        db.session.flush()
        contact_id = contact.id
        for role in roles:
            db.session.add(ContactWebRole(contact_id=contact_id, web_role_id=role.id, granted_at=now))
        if username:
            db.session.add(_credential(contact_id, username, password))
    return _loaded(contact)


def make_credential(contact: Contact, username: str = "", password: str = PASSWORD) -> Credential:
    """A username and password for a contact who has none."""
    return _saved(_credential(contact.id, username or f"user{next(_count)}", password))


def make_provider(slug: str = "", *, secret: str | None = None, **more: Any) -> Provider:
    """A provider of sign-in that is on; nothing answers at its addresses."""
    slug = slug or f"provider{next(_count)}"
    values: dict[str, Any] = {"slug": slug, "preset": "oidc", "kind": "oidc", "caption": slug.title(), "mark": "key"}
    values |= {"issuer": f"https://{slug}.example", "client_id": "portal", "scopes": "openid profile email"}
    values |= {"secret_sealed": ring().seal(secret, f"provider:{slug}") if secret else None}
    return _saved(Provider(**{**values, **_stamps(), **more}))


def make_identity(contact: Contact, provider: Provider, *, subject: str = "", **more: Any) -> ExternalIdentity:
    """An identity of a contact at a provider."""
    values = {"contact_id": contact.id, "provider_id": provider.id, "issuer": provider.issuer}
    values |= {"subject": subject or f"subject-{next(_count)}", "created_at": clock.now()}
    return _saved(ExternalIdentity(**{**values, **more}))


def make_passkey(contact: Contact, *, name: str = "My laptop", **more: Any) -> Passkey:
    """A passkey of a contact that nothing can sign with."""
    number = next(_count).to_bytes(16, "big")
    values = {"contact_id": contact.id, "credential_id": number, "public_key": b"-", "handle": number}
    return _saved(Passkey(**{**values, "name": name, "created_at": clock.now(), **more}))


def make_remembered(contact: Contact, *, purpose: str = "stay", **more: Any) -> RememberedBrowser:
    """A browser that is remembered for a contact; its cookie is nobody's."""
    now = clock.now()
    values = {"contact_id": contact.id, "epoch": contact.epoch, "purpose": purpose, "validator_hash": "-"}
    values |= {"selector": f"selector{next(_count)}", "rotated_at": now, "created_at": now, "used_at": now}
    return _saved(RememberedBrowser(**{**values, "expires_at": now + days(30), **more}))


def make_invitation(
    *contacts: Contact,
    name: str = "",
    type: str = "",
    owner: StaffMember | None = None,
    code: str = "",
    expires_on: date | None = None,
    expires_at: datetime | None = None,
    zone: str = "UTC",
    roles: Sequence[WebRole] = (),
    account: Account | None = None,
    workflow: Workflow | None = None,
    inviter: Contact | None = None,
    redeemable_by: str = "",
    max_redemptions: int | None = None,
    sent: bool = False,
    completed: bool = False,
    deactivated: bool = False,
    **more: Any,
) -> Invitation:
    """An invitation: a Single where exactly one contact is given, else a Group. Its plain code is `code_of(it)`."""
    owner_id = owner.id if owner else any_owner().id
    type = type or ("single" if len(contacts) == 1 else "group")
    plain = codes.normalise(code or codes.generate())
    shown = code or codes.grouped(plain)
    now = clock.now()
    if expires_on and not expires_at:
        expires_at = clock.end_of_day(expires_on, ZoneInfo(zone))
    values: dict[str, Any] = {
        "name": name or f"Invitation {next(_count)}",
        "type": type,
        "owner_id": owner_id,
        "created_by": owner_id,
        "code_lookup": ring().lookup(plain),
        "code_sealed": "-",
        "code_hint": plain[-2:],
        "expires_on": expires_on,
        "expires_at": expires_at,
        "inviter_id": inviter.id if inviter else None,
        "account_id": account.id if account else None,
        "workflow_id": workflow.id if workflow else None,
        "redeemable_by": redeemable_by or ("invited" if type == "single" else "anyone"),
        "max_redemptions": 1 if type == "single" else max_redemptions,
        "sent_at": now if sent else None,
        "completed_at": now if completed else None,
        "deactivated_at": now if deactivated else None,
        **_stamps(),
        **more,
    }
    values.setdefault("name_key", values["name"].casefold())
    contact_ids, role_ids = [c.id for c in contacts], [r.id for r in roles]
    with transaction():
        invitation = Invitation(**values)
        db.session.add(invitation)
        db.session.flush()
        invitation.code_sealed = ring().seal(shown, f"invitation:{invitation.id}")
        db.session.add(InvitationCode(lookup=values["code_lookup"], created_at=now))
        for contact_id in contact_ids:
            link = InvitedContact(invitation_id=invitation.id, contact_id=contact_id, public_id=new_public_id())
            db.session.add(link)
        for role_id in role_ids:
            db.session.add(InvitationWebRole(invitation_id=invitation.id, web_role_id=role_id))
    return _loaded(invitation)


def make_redemption(invitation: Invitation, contact: Contact, *, proof: str = "link", **more: Any) -> Redemption:
    """A redemption with its seat taken, as if it had happened now."""
    invitation_id, contact_id, now = invitation.id, contact.id, clock.now()
    with transaction():
        taken = db.session.get_one(Invitation, invitation_id)
        taken.used += 1
        if taken.max_redemptions is not None and taken.used >= taken.max_redemptions:
            taken.completed_at = now
        values = {"redeemed_at": now, "proof": proof, "signed_in_by": "password", "ip": "127.0.0.1"}
        redemption = Redemption(invitation_id=invitation_id, contact_id=contact_id, **{**values, **more})
        db.session.add(redemption)
    return _loaded(redemption)


def make_request(invitation: Invitation, contact: Contact, **more: Any) -> InvitationRequest:
    """Somebody asked for a new invitation; open unless a `decision` is given."""
    values = {"reason": "expired", "words": "", "asked_at": clock.now(), "decision": ""}
    return _saved(InvitationRequest(invitation_id=invitation.id, contact_id=contact.id, **{**values, **more}))


def make_message(
    kind: str = "invitation", *, contact: Contact | None = None, state: str = "queued", **more: Any
) -> Message:
    """A message in the outbox; `body={"subject", "html", "text"}` seals a body."""
    now, number = clock.now(), next(_count)
    values = {"kind": kind, "contact_id": contact.id if contact else None, "state": state, "created_at": now}
    values |= {"due_at": now, "message_id": f"<{number}@portal.example>"}
    return _saved(Message(**{**values, **more}))


def make_job(kind: str, *, state: str = "queued", **more: Any) -> Job:
    """A job in the queue, due now."""
    return _saved(Job(**{"kind": kind, "state": state, "due_at": clock.now(), "created_at": clock.now(), **more}))


def make_run(workflow: Workflow, contact: Contact, *, state: str = "queued", **more: Any) -> WorkflowRun:
    """A run of a workflow on a contact."""
    values = {"workflow_id": workflow.id, "contact_id": contact.id, "steps": workflow.steps, "state": state}
    return _saved(
        WorkflowRun(**{**values, "cause_kind": "redemption", "cause_id": 1, "created_at": clock.now(), **more})
    )


def make_entry(action: str, *about: tuple[str, int, str], by: StaffMember | None = None, **more: Any) -> JournalEntry:
    """A journal entry about records given as (kind, id, name)."""
    values: dict[str, Any] = {"at": clock.now(), "action": action, "actor_kind": "staff" if by else "system"}
    values |= {"actor_id": by.id if by else None, "actor_name": by.name if by else "Portal"}
    with transaction():
        entry = JournalEntry(**{**values, **more})
        db.session.add(entry)
        db.session.flush()
        for kind, record_id, name in about:
            db.session.add(JournalRecord(entry_id=entry.id, kind=kind, record_id=record_id, name=name))
    return _loaded(entry)


def set_site(**values: Any) -> None:
    """Change the site's settings: `set_site(open_registration=True)`."""
    with transaction():
        row = db.session.get(SiteSettingsRow, 1)
        if row is None:
            db.session.add(SiteSettingsRow(id=1, values=values))
        else:
            row.values = {**row.values, **values}
            row.version += 1


def shipped_workflow(key: str = "welcome-email") -> Workflow:
    """A workflow that ships with the portal: `welcome-email`, `timeline-note`."""
    return db.session.scalars(db.select(Workflow).filter_by(key=key)).one()


def shipped_template(key: str = "invitation") -> EmailTemplate:
    """An e-mail template that ships with the portal."""
    return db.session.scalars(db.select(EmailTemplate).filter_by(key=key)).one()


def make_template(name: str = "", description: str = "", *, note: str = "") -> EmailTemplate:
    """A template of the site's own with two versions in English."""
    number = next(_count)
    template = _saved(
        EmailTemplate(
            key=f"own-{number}", kind="message", name=name or f"T{number}", description=description, **_stamps()
        )
    )
    template_id = template.id
    with transaction():
        for version in (1, 2):
            texts = {"subject": f"N° {version}", "html": f"<p>N° {version}</p>", "text": f"N° {version}\n"}
            more = {"number": version, "note": note, "created_at": clock.now()}
            db.session.add(TemplateVersion(template_id=template_id, language="en", **texts, **more))
    return _loaded(template)


def implicit_role(which: str = "authenticated") -> WebRole:
    """One of the two web roles that are never given by hand."""
    return db.session.scalars(db.select(WebRole).filter_by(implicit=which)).one()


def any_owner() -> StaffMember:
    """Some active owner; made where there is none."""
    found = db.session.scalars(db.select(StaffMember).filter_by(role="owner", active=True).limit(1)).first()
    return found or make_staff("owner")


def code_of(invitation: Invitation) -> str:
    """The plain code, as staff see it after *Show code*."""
    return ring().open(invitation.code_sealed, f"invitation:{invitation.id}")


def ring() -> KeyRing:
    """The app's key ring."""
    settings: Settings = current_app.config["PORTAL_SETTINGS"]
    return settings.keys


def days(number: float) -> timedelta:
    """A step for the clock."""
    return timedelta(days=number)


def at(text: str) -> datetime:
    """An instant in UTC: `at("2026-11-20 12:00")`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _credential(contact_id: int, username: str, password: str) -> Credential:
    return Credential(
        contact_id=contact_id,
        username=username,
        username_key=username.casefold(),
        password_hash=password_hash(password),
        password_set_at=clock.now(),
    )


def _stamps() -> dict[str, datetime]:
    return {"created_at": clock.now(), "updated_at": clock.now()}


def _saved(record: T) -> T:
    with transaction():
        db.session.add(record)
    return _loaded(record)


def _loaded(record: T) -> T:
    db.session.refresh(record)
    return record


def ids(records: Iterable[Any]) -> list[int]:
    """The ids of some records."""
    return [record.id for record in records]


def username_of(contact: Contact) -> str:
    """What a contact types to sign in."""
    return db.session.get_one(Credential, contact.id).username


def make_staff_identity(member: StaffMember, provider: Provider, subject: str = "", email: str = "") -> StaffIdentity:
    """Who a staff member is at a provider."""
    return _saved(
        StaffIdentity(
            staff_id=member.id,
            provider_id=provider.id,
            issuer=provider.issuer,
            subject=subject or f"subject{next(_count)}",
            email=email or member.email,
            created_at=clock.now(),
        )
    )
