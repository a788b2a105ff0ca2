"""Creating and editing an invitation."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from flask import flash, request, url_for
from flask_babel import format_date, ngettext
from flask_babel import gettext as _
from werkzeug.exceptions import abort
from werkzeug.wrappers import Response

from portal.contacts import queries as contacts
from portal.invitations import queries, services
from portal.invitations.forms import EditInvitationForm, InvitationForm, prefilled
from portal.invitations.models import SINGLE, Invitation
from portal.invitations.queries import reminders
from portal.invitations.queries import values as wording
from portal.invitations.queries.values import InvitationValues
from portal.invitations.services.codes import weak
from portal.invitations.views.blueprint import bp
from portal.invitations.views.send import told
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Forbidden, Invalid, Stale
from portal.settings.queries import site
from portal.staff.guard import actor, current_staff
from portal.staff.permissions import Permission
from portal.web.forms import wants_find
from portal.web.guard import may, needs
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

PRESETS = (7, 14, 30, 90)
SEND = "send"


@bp.route("/new", methods=["GET", "POST"])
@needs(Permission.CREATE)
@refills_form
def new() -> Response:
    """Create an invitation, or create and send it."""
    form = InvitationForm(data=prefilled(_start()))
    form.offer(actor())
    if not form.is_submitted() or wants_find():
        return _form(form, status=form.refusal() if wants_find() else 200)
    sends = request.form.get("action") == SEND
    if sends and not may(Permission.SEND):
        abort(403)
    if form.validate():
        try:
            return _created(form, sends=sends)
        except Invalid as refused:
            form.show(refused)
        except Forbidden as refused:
            return _ungrantable(form, refused)
    return _form(form, status=form.refusal())


@bp.route("/<int:invitation_id>/edit", methods=["GET", "POST"])
@needs(Permission.CREATE)
@refills_form
def edit(invitation_id: int) -> Response:
    """Change an invitation."""
    invitation = queries.get(invitation_id)
    given = queries.roles(invitation_id)
    form = EditInvitationForm(data=prefilled(wording.stored(invitation, given), version=invitation.version))
    form.offer(actor(), given)
    if not form.is_submitted() or wants_find():
        return _form(form, invitation, status=form.refusal() if wants_find() else 200)
    if form.validate():
        try:
            code = invitation.code_lookup
            with transaction():
                saved = services.update(invitation_id, form.values(), form.version.number, actor(), clock.now())
                new_code = saved.code_lookup != code
        except Invalid as refused:
            form.show(refused)
        except Forbidden as refused:
            return _ungrantable(form, refused, invitation)
        except Stale:
            return _stale(form, invitation_id)
        else:
            _warn_of(form)
            toast = _("Invitation saved.")
            if new_code:
                toast += " " + _("It has a new code: the old one and all links stopped. Send it again.")
            return see_other(url_for(".record", invitation_id=invitation_id), toast)
    return _form(form, invitation, status=form.refusal())


def _start() -> InvitationValues:
    """What a new form holds: the person as owner, the site's usual expiry, and the contact it was begun from."""
    contact = contacts.find(request.args.get("contact", 0, type=int))
    return InvitationValues(
        name=contact.name[: wording.LONGEST_NAME] if contact else "",
        type=SINGLE,
        owner_id=current_staff().id,
        expires_on=services.usual_end(clock.now()),
        contact_ids=(contact.id,) if contact else (),
    )


def _created(form: InvitationForm, *, sends: bool) -> Response:
    sent = None
    with transaction():
        by, now = actor(), clock.now()
        invitation = services.create(form.values(), by, now)
        if sends:
            sent = services.send(invitation.id, key=services.new_send_key(), by=by, now=now)
        here = url_for(".record", invitation_id=invitation.id)
    _warn_of(form)
    if sent is None:
        return see_other(here, _("Invitation created. It has not been sent yet."))
    return see_other(here, f"{_('Invitation created.')} {told(sent)}", "success" if sent.messages else "warning")


def _warn_of(form: InvitationForm) -> None:
    if weak(form.code.data):
        warning = _("The code you chose is easy to guess. Let the invitation expire soon, or choose a longer code.")
        flash(warning, "warning")


def _ungrantable(form: InvitationForm, refused: Forbidden, invitation: Invitation | None = None) -> Response:
    """The form again with what was typed, and with the status of a missing right."""
    form.show(Invalid({"web_roles": refused.message or _("You may not give this web role.")}))
    return _form(form, invitation, status=403)


def _stale(form: EditInvitationForm, invitation_id: int) -> Response:
    invitation = queries.get(invitation_id)
    form.version.data = str(invitation.version)
    saved, yours = wording.in_words(wording.stored(invitation)), wording.in_words(form.values())
    names = wording.labels()
    differences = [(names[field], saved[field], yours[field]) for field in saved]
    return _form(form, invitation, differences=differences, status=409)


def _form(
    form: InvitationForm,
    invitation: Invitation | None = None,
    status: int = 200,
    differences: Sequence[tuple[str, str, str]] = (),
) -> Response:
    now = clock.now()
    return render(
        "invitations/form.html",
        status=status,
        form=form,
        invitation=invitation,
        differences=differences,
        fixed_type=invitation is not None and invitation.used > 0,
        presets=presets(now),
        reminder_presets=_reminder_presets(),
        zone=site().timezone,
    )


def _reminder_presets() -> list[tuple[str, str, str, str]]:
    """(label, days after sending, days before the expiry, the schedule in words) of each preset of reminders."""
    usual = ((_("Gentle"), (7,), (2,)), (_("Persistent"), (3, 7, 14), (2, 1)))
    told = [(label, after, before, reminders.in_words(after, before)) for label, after, before in usual]
    filled = [(label, reminders.listed(after), reminders.listed(before), words) for label, after, before, words in told]
    return [(_("None"), "", "", _("no reminder")), *filled]


def presets(now: datetime) -> list[tuple[str, str, str]]:
    """(label, the day as the field holds it, the day in words) of each expiry preset."""
    today = clock.local_day(now, site().zone)
    dated = [(ngettext("%(num)s day", "%(num)s days", days), today + timedelta(days=days)) for days in PRESETS]
    return [(label, day.isoformat(), format_date(day, "medium")) for label, day in dated] + [(_("Never"), "", "")]
