"""The pages of staff members: who works here, in which role, and who leaves."""

from datetime import datetime
from typing import Any

from flask import current_app, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.journal.queries import timeline
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.passkeys.queries import of_staff
from portal.settings.queries import absolute_url, ring
from portal.staff import queries, services
from portal.staff.forms import DeactivateForm, EditPersonForm, PersonForm, role_labels
from portal.staff.guard import actor, current_staff
from portal.staff.permissions import Permission
from portal.web import devices
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("people", __name__, "/people")
_SHOWN_ONCE = "set_up_link"


@bp.get("/")
@needs(Permission.MANAGE_STAFF)
def index() -> ResponseReturnValue:
    """Everybody who works here, or did."""
    return render("staff/people.html", rows=queries.rows(), roles=dict(role_labels()))


@bp.route("/new", methods=["GET", "POST"])
@needs(Permission.MANAGE_STAFF, proven=True)
@refills_form
def create() -> ResponseReturnValue:
    """Add somebody; the page after it shows their set-up link, once."""
    form = PersonForm()
    if form.validate_on_submit():
        try:
            with transaction():
                member = services.add(form.values(), actor(), clock.now())
                staff_id, path = member.id, services.create_set_up_link(member.id, actor(), clock.now())
            return _show_link(staff_id, path)
        except Invalid as refused:
            form.show(refused)
    status = form.refusal() if form.errors else 200
    return render("staff/person_form.html", form=form, member=None, saved_role="", stale=False, status=status)


@bp.get("/<int:staff_id>")
@needs(Permission.MANAGE_STAFF)
def record(staff_id: int) -> ResponseReturnValue:
    """One person, with what happened to them."""
    member = queries.get(staff_id)
    shown = session.get(_SHOWN_ONCE) if request.method == "GET" else None
    mine = shown is not None and shown[0] == member.id
    if mine:
        session.pop(_SHOWN_ONCE)
    return render(
        "staff/person.html",
        member=member,
        role=dict(role_labels())[member.role],
        link=absolute_url(ring().open(shown[1], _SHOWN_ONCE)) if shown and mine else None,
        is_me=member.id == current_staff().id,
        stopped=queries.stopped(member),
        identities=queries.identities_shown(member.id),
        passkeys=of_staff(member.id),
        devices=devices.devices(member.get_id()),
        entries=timeline("staff", member.id),
    )


@bp.route("/<int:staff_id>/edit", methods=["GET", "POST"])
@needs(Permission.MANAGE_STAFF, proven=True)
@refills_form
def edit(staff_id: int) -> ResponseReturnValue:
    """Change address, name or role."""
    form, status = EditPersonForm(obj=queries.get(staff_id)), 200
    if form.validate_on_submit():
        try:
            with transaction():
                services.change(staff_id, form.values(), form.version.number, actor(), clock.now())
            return see_other(url_for("people.record", staff_id=staff_id), _("Saved."))
        except Invalid as refused:
            form.show(refused)
        except Stale:
            status = 409
    member = queries.get(staff_id)
    if status == 409:
        form.version.data = str(member.version)
    elif form.errors:
        status = form.refusal()
    saved, stale = dict(role_labels())[member.role], status == 409
    return render("staff/person_form.html", form=form, member=member, saved_role=saved, stale=stale, status=status)


@bp.post("/<int:staff_id>/link")
@needs(Permission.MANAGE_STAFF, proven=True)
def link(staff_id: int) -> ResponseReturnValue:
    """A new set-up link; the one before stops working."""
    with transaction():
        path = services.create_set_up_link(staff_id, actor(), clock.now())
    return _show_link(staff_id, path)


@bp.route("/<int:staff_id>/deactivate", methods=["GET", "POST"])
@needs(Permission.MANAGE_STAFF)
@refills_form
def deactivate(staff_id: int) -> ResponseReturnValue:
    """Somebody leaves: ask what becomes of their open invitations, and do it with the deactivation."""
    member = queries.get(staff_id)
    count = _open_invitations(member.id)
    form = DeactivateForm(open_invitations=count, heirs=_heirs(member.id))
    if form.validate_on_submit():
        try:
            with transaction():
                now = clock.now()
                name = services.deactivate(staff_id, form.heir, actor(), now).name
                _hand_over(staff_id, form.heir, now)
            return see_other(url_for("people.record", staff_id=staff_id), _("%(name)s is inactive now.", name=name))
        except Invalid as refused:
            form.show(refused)
    return render(
        "staff/deactivate.html",
        form=form,
        member=queries.get(staff_id),
        count=count,
        in_dialog=request.headers.get("HX-Target") == "dialog",
        status=form.refusal() if form.errors else 200,
    )


@bp.post("/<int:staff_id>/activate")
@needs(Permission.MANAGE_STAFF, proven=True)
def activate(staff_id: int) -> ResponseReturnValue:
    """Somebody comes back."""
    with transaction():
        name = services.activate(staff_id, actor(), clock.now()).name
    return see_other(url_for("people.record", staff_id=staff_id), _("%(name)s may sign in again.", name=name))


def _show_link(staff_id: int, path: str) -> ResponseReturnValue:
    """Lead to the person's page and let it show the link once; the session keeps it sealed until then."""
    session[_SHOWN_ONCE] = [staff_id, ring().seal(path, _SHOWN_ONCE)]
    return see_other(url_for("people.record", staff_id=staff_id))


def _heirs(staff_id: int) -> list[tuple[int, str]]:
    return [(heir.id, heir.name) for heir in queries.active_with(Permission.SEND) if heir.id != staff_id]


def _open_invitations(staff_id: int) -> int:
    """How many open invitations are theirs. Invitations are a higher slice: composition lends the function."""
    count: Any = current_app.extensions.get("open_invitations")
    return count(staff_id) if count else 0


def _hand_over(staff_id: int, heir_id: int | None, now: datetime) -> None:
    hand_over: Any = current_app.extensions.get("hand_over")
    if hand_over:
        hand_over(staff_id, heir_id, actor(), now)
