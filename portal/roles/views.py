"""The pages of web roles."""

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.journal import queries as journal
from portal.kernel import clock
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.roles import queries, services
from portal.roles.forms import EditRoleForm, RoleForm
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("roles", __name__, "/web-roles")


@bp.get("/")
@needs(Permission.VIEW)
def index() -> Response:
    """All web roles, the two implicit ones first."""
    return render("roles/index.html", rows=queries.all_rows())


@bp.route("/new", methods=["GET", "POST"])
@needs(Permission.MANAGE_ROLES)
@refills_form
def new() -> Response:
    """Create a web role."""
    form = RoleForm()
    if form.validate_on_submit():
        try:
            with transaction():
                role = services.create(form.values(), by=actor(), now=clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for(".record", role_id=role.id), _("Web role created."))
    return _form(form, status=form.refusal() if form.is_submitted() else 200)


@bp.get("/<int:role_id>")
@needs(Permission.VIEW)
def record(role_id: int) -> Response:
    """One web role: facts, who has it, timeline."""
    role = queries.get(role_id)
    return render("roles/record.html", role=role, timeline=journal.timeline("role", role_id))


@bp.route("/<int:role_id>/edit", methods=["GET", "POST"])
@needs(Permission.MANAGE_ROLES)
@refills_form
def edit(role_id: int) -> Response:
    """Change a web role; the implicit ones cannot be."""
    role = queries.get(role_id)
    services.refuse_implicit(role)
    form = EditRoleForm(obj=role)
    if not form.is_submitted():
        return _form(form, role=role)
    if form.validate():
        try:
            with transaction():
                services.update(role_id, form.values(), form.version.number, by=actor(), now=clock.now())
        except Invalid as refused:
            form.show(refused)
        except Stale:
            return _stale(form, role_id)
        else:
            return see_other(url_for(".record", role_id=role_id), _("Web role saved."))
    return _form(form, role=role, status=form.refusal())


@bp.route("/<int:role_id>/delete", methods=["GET", "POST"])
@needs(Permission.MANAGE_ROLES)
def delete(role_id: int) -> Response:
    """The dialog, and deleting a web role that nobody has and no invitation gives."""
    role = queries.get(role_id)
    services.refuse_implicit(role)
    if request.method != "POST":
        held = services.held_by(role_id)
        return render("roles/delete.html", role=role, held=held)
    with transaction():
        services.delete(role_id, by=actor(), now=clock.now())
    return see_other(url_for(".index"), _("Web role deleted."))


def _stale(form: EditRoleForm, role_id: int) -> Response:
    role = queries.get(role_id)
    form.version.data = str(role.version)
    yes_or_no = {True: _("Yes"), False: _("No")}
    saved = (role.name, role.description, yes_or_no[role.managers_may_grant])
    typed = form.values()
    yours = (typed.name, typed.description, yes_or_no[typed.managers_may_grant])
    labels = (form.name.label.text, form.description.label.text, form.managers_may_grant.label.text)
    return _form(form, role=role, differences=list(zip(labels, saved, yours, strict=True)), status=409)


def _form(form: RoleForm, status: int = 200, role: object = None, differences: object = ()) -> Response:
    return render("roles/form.html", status=status, form=form, role=role, differences=differences)
