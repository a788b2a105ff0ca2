"""Which slices the portal is made of: blueprints, the side bar, panels, message kinds, job kinds."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from flask import Flask, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select, text

from portal.accounts import views as accounts_views
from portal.contacts import panels as contact_panels
from portal.contacts import services as contact_services
from portal.contacts import views as contacts_views
from portal.contacts.models import Contact
from portal.email_templates import messages as template_messages
from portal.email_templates import panels as template_panels
from portal.email_templates import queries as template_queries
from portal.email_templates import views as template_views
from portal.identity import credential_views, session_views
from portal.identity import handlers as identity_handlers
from portal.identity import messages as identity_messages
from portal.identity import panels as identity_panels
from portal.identity import passkey_views as own_passkey_views
from portal.identity import proving_views as identity_proving_views
from portal.identity import services as identity_services
from portal.identity import views as identity_views
from portal.invitations import handlers as invitation_handlers
from portal.invitations import messages as invitation_messages
from portal.invitations import notices as invitation_notices
from portal.invitations import panels as invitation_panels
from portal.invitations import services as invitation_services
from portal.invitations import views as invitations_views
from portal.invitations.models import Invitation
from portal.jobs.handlers import handles
from portal.journal import queries as journal_queries
from portal.journal import views as journal_views
from portal.kernel.db import db
from portal.mail import messages as mail_messages
from portal.mail import outbox
from portal.mail import panels as mail_panels
from portal.mail import texts as mail_texts
from portal.mail import views as outbox_views
from portal.mail.models import WAITING, Message
from portal.passkeys import panels as passkey_panels
from portal.providers import queries as provider_queries
from portal.providers import views as providers_views
from portal.redemption import answering_views, provider_views, second_factor_views, sign_in_views
from portal.redemption import panels as redemption_panels
from portal.redemption import passkey_views as passkey_sign_in_views
from portal.redemption import views as redemption_views
from portal.roles import views as roles_views
from portal.roles.models import WebRole
from portal.serving import health as health_checks
from portal.serving import staff_notices
from portal.settings import queries as settings_queries
from portal.settings import views as settings_views
from portal.settings.queries import site
from portal.staff import credential_views as staff_credential_views
from portal.staff import guard as staff_guard
from portal.staff import passkey_views as staff_passkey_views
from portal.staff import people_views, proving_views
from portal.staff import provider_views as staff_provider_views
from portal.staff import second_factor_views as staff_second_factor_views
from portal.staff import services as staff_services
from portal.staff import session_views as staff_session_views
from portal.staff import views as staff_views
from portal.staff.panels import Planned, first
from portal.web import guard, health
from portal.web.panels import add_panel
from portal.workflows import handlers as workflow_handlers
from portal.workflows import messages as workflow_messages
from portal.workflows import panels as workflow_panels
from portal.workflows import services as workflow_services
from portal.workflows import steps as step_types
from portal.workflows import views as workflows_views

BLUEPRINTS = (
    health.bp,
    redemption_views.bp,
    answering_views.bp,
    sign_in_views.bp,
    passkey_sign_in_views.bp,
    own_passkey_views.bp,
    staff_passkey_views.bp,
    provider_views.bp,
    second_factor_views.bp,
    identity_views.bp,
    identity_proving_views.bp,
    session_views.bp,
    staff_views.bp,
    proving_views.bp,
    invitations_views.bp,
    invitations_views.notices.bp,
    contacts_views.bp,
    credential_views.bp,
    accounts_views.bp,
    roles_views.bp,
    workflows_views.bp,
    template_views.bp,
    template_views.public,
    outbox_views.bp,
    journal_views.bp,
    settings_views.bp,
    providers_views.bp,
    people_views.bp,
    staff_second_factor_views.bp,
    staff_provider_views.bp,
    staff_session_views.bp,
    staff_credential_views.bp,
)

INVITATION_PANELS: tuple[tuple[str, Callable[..., str]], ...] = (
    ("contact-actions", invitation_panels.contact_actions),
    ("contact", invitation_panels.of_contact),
    ("account", invitation_panels.of_account),
    ("role", invitation_panels.of_role),
    ("overview", invitation_panels.overview),
    ("staff-profile", invitation_panels.notices),
)

WORKFLOW_PANELS: tuple[tuple[str, Callable[..., str]], ...] = (
    ("contact-actions", workflow_panels.contact_actions),
    ("invitation-actions", workflow_panels.invitation_actions),
    ("contacts-bulk", workflow_panels.contacts_bulk),
    ("invitations-bulk", workflow_panels.invitations_bulk),
    ("overview", workflow_panels.overview),
)


class NavItem(NamedTuple):
    """A line of the staff side bar."""

    label: str
    icon: str
    url: str
    active: bool


def compose(app: Flask) -> None:
    """Put the slices together."""
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    places: dict[str, list[Callable[..., str]]] = {}
    app.extensions["panels"] = places
    add_panel(places, "account", contact_panels.of_account)
    add_panel(places, "role", contact_panels.of_role)
    add_panel(places, "overview", mail_panels.overview)
    add_panel(places, "contact-actions", identity_panels.credentials)
    add_panel(places, "message", template_panels.of_message)
    for place, panel in (*WORKFLOW_PANELS, *INVITATION_PANELS, ("contact", workflow_panels.of_contact)):
        add_panel(places, place, panel)
    add_panel(places, "contact", mail_panels.of_contact)
    app.extensions["staff_detour"] = staff_guard.detour
    app.extensions["open_invitations"] = invitation_services.open_of
    app.extensions["hand_over"] = invitation_services.hand_over
    add_panel(places, "profile", redemption_panels.accepted)
    add_panel(places, "profile-passkeys", passkey_panels.of_contact)
    add_panel(places, "staff-profile", passkey_panels.of_staff)
    app.jinja_env.globals.update(passkey_panels.TEMPLATES_KNOW)
    app.extensions["personal_data"] = {"accepted_invitations": redemption_panels.data_of}
    settings_queries.asked_for_providers[:] = [_known_providers]
    add_panel(places, "review", redemption_panels.decline)
    add_panel(places, "refused", redemption_panels.ask_again)
    _background_work()
    contact_services.created[:] = [_contact_created]
    step_types.known.invitations = invitation_services.InWorkflows()
    app.extensions["chores"] = [invitation_services.start_expired]
    journal_queries.adds_actions[:] = [workflow_panels.timeline_actions]
    app.extensions["health"] = health_checks.CHECKS
    app.extensions["lockout"] = lambda: site().lockout
    app.extensions["first_steps"] = [_first_role, _first_contact, _first_invitation]
    app.extensions["work_waiting"] = [_mail_waits]


def _background_work() -> None:
    """What prepares each kind of message, and what does each kind of job."""
    mail_texts.sources[:] = [template_queries.in_force]
    outbox.resends["invitation"] = invitation_services.resend
    outbox.prepares.update(
        {
            "test-mail": mail_messages.prepare_test,
            "invitation": invitation_messages.prepare_invitation,
            "redeemed": invitation_notices.prepare_redeemed,
            "declined": invitation_notices.prepare_declined,
            "request": invitation_notices.prepare_request,
            "digest": invitation_notices.prepare_digest,
            "reminder": invitation_messages.prepare_reminder,
            template_messages.KIND: template_messages.prepare_test,
            "workflow": workflow_messages.prepare,
            "welcome": workflow_messages.prepare,  # as they were called before
            "reset-password": identity_messages.prepare_reset,
            "confirm-email": identity_messages.prepare_confirmation,
            "second-factor": identity_messages.prepare_second_factor,
            "password-changed": identity_messages.prepare_notice,
            "sign-in-replaced": identity_messages.prepare_notice,
            "sign-in-changed": identity_messages.prepare_changed,
            staff_notices.KIND: staff_notices.prepare,
            "change-email": identity_messages.prepare_move,
            "set-password": identity_messages.prepare_set,
        }
    )
    outbox.prepares_many.update({"invitation": invitation_messages.prepare_invitations})
    handles(workflow_services.JOB, failed=workflow_handlers.failed)(workflow_handlers.run)
    outside = workflow_handlers.call_outside
    handles(workflow_services.OUTSIDE_JOB, failed=workflow_handlers.failed, outside=outside)(
        workflow_handlers.run_outside
    )
    handles(invitation_services.REMIND_JOB)(invitation_handlers.remind)
    handles(invitation_services.SEND_JOB)(invitation_handlers.send)
    handles(identity_services.RESET_JOB)(identity_handlers.reset)
    handles(staff_services.NOTICE_JOB)(staff_notices.write)


def _known_providers() -> list[settings_queries.KnownProvider]:
    return [
        settings_queries.KnownProvider(p.slug, p.caption, p.enabled and p.for_sign_in, p.enabled and p.for_registration)
        for p in provider_queries.all_of_them()
    ]


def _contact_created(contact_id: int, now: datetime) -> None:
    workflow_services.trigger("contact_created", contact_id=contact_id, now=now)


def _first_role() -> Planned:
    words = _("Create a web role"), _("It says what members may do.")
    return first(select(WebRole.id).where(WebRole.implicit.is_(None)), words, "roles.new", "manage_roles")


def _first_contact() -> Planned:
    words = _("Create a contact"), _("A person outside whom you want to invite.")
    return first(select(Contact.id), words, "contacts.new", "manage_contacts")


def _first_invitation() -> Planned:
    words = _("Send an invitation"), _("With it they get their account and their roles.")
    return first(select(Invitation.id).where(Invitation.sent_at.is_not(None)), words, "invitations.new", "create")


def _mail_waits(since: datetime) -> bool:
    due = select(Message.id).where(text(WAITING), Message.due_at <= since).limit(1)
    return db.session.scalar(due) is not None


def navigation() -> list[NavItem]:
    """The side bar of the signed-in staff member: only what they may open."""
    items = (
        (_("Overview"), "home", "staff.overview", "view"),
        (_("Invitations"), "ticket", "invitations.index", "view"),
        (_("Contacts"), "users", "contacts.index", "view"),
        (_("Accounts"), "building", "accounts.index", "view"),
        (_("Web roles"), "shield", "roles.index", "view"),
        (_("Workflows"), "sitemap", "workflows.index", "view"),
        (_("Email templates"), "template", "email_templates.index", "edit_templates"),
        (_("Outbox"), "mail", "outbox.index", "view"),
        (_("Journal"), "history", "journal.index", "read_journal"),
        (_("People"), "id-badge", "people.index", "manage_staff"),
        (_("Settings"), "settings", "settings.edit", "manage_settings"),
        (_("Sign-in providers"), "plug", "providers.index", "manage_settings"),
    )
    here = (request.endpoint or "").partition(".")[0]
    own_page = request.endpoint == "staff.profile"  # of the staff blueprint, but no part of the overview
    return [
        NavItem(label, icon, url_for(endpoint), endpoint.partition(".")[0] == here and not own_page)
        for label, icon, endpoint, permission in items
        if guard.may(permission)
    ]
