"""The pages of accounts."""

from typing import Any

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.accounts import queries, services
from portal.accounts.forms import AccountForm, EditAccountForm
from portal.journal import queries as journal
from portal.kernel import clock, paging
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.kernel.names import searchable
from portal.staff.guard import actor
from portal.staff.permissions import Permission
from portal.web.forms import found_options
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("accounts", __name__, "/accounts")


@bp.get("/")
@needs(Permission.VIEW)
def index() -> Response:
    """The list, by name."""
    text = searchable(request.args.get("q", ""))
    after = request.args.get("after", "")
    page = queries.page(text, after)
    query: dict[str, Any] = {"q": text or None}
    return render(
        "accounts/index.html",
        text=text,
        rows=page.rows,
        total=queries.count(text),
        counted=paging.COUNTED,
        first_url=url_for("accounts.index", **query) if after else None,
        next_url=url_for("accounts.index", after=page.after, **query) if page.after else None,
    )


@bp.get("/options")
@needs(Permission.VIEW)
def options() -> Response:
    """What a picker finds."""
    return found_options(queries.options, "account")


@bp.route("/new", methods=["GET", "POST"])
@needs(Permission.MANAGE_CONTACTS)
@refills_form
def new() -> Response:
    """Create an account."""
    form = AccountForm()
    if form.validate_on_submit():
        try:
            with transaction():
                account = services.create(form.name.data, by=actor(), now=clock.now())
        except Invalid as refused:
            form.show(refused)
        else:
            return see_other(url_for(".record", account_id=account.id), _("Account created."))
    return _form(form, status=form.refusal() if form.is_submitted() else 200)


@bp.get("/<int:account_id>")
@needs(Permission.VIEW)
def record(account_id: int) -> Response:
    """One account: facts, contacts, timeline."""
    account = queries.get(account_id)
    return render("accounts/record.html", account=account, timeline=journal.timeline("account", account_id))


@bp.route("/<int:account_id>/edit", methods=["GET", "POST"])
@needs(Permission.MANAGE_CONTACTS)
@refills_form
def edit(account_id: int) -> Response:
    """Rename an account."""
    account = queries.get(account_id)
    form = EditAccountForm(data={"name": account.name, "version": account.version})
    if not form.is_submitted():
        return _form(form, account=account)
    if form.validate():
        try:
            with transaction():
                services.update(account_id, form.name.data, form.version.number, by=actor(), now=clock.now())
        except Invalid as refused:
            form.show(refused)
        except Stale:
            return _stale(form, account_id)
        else:
            return see_other(url_for(".record", account_id=account_id), _("Account saved."))
    return _form(form, account=account, status=form.refusal())


@bp.route("/<int:account_id>/delete", methods=["GET", "POST"])
@needs(Permission.MANAGE_CONTACTS)
def delete(account_id: int) -> Response:
    """The dialog, and deleting an account that nothing refers to."""
    account = queries.get(account_id)
    if request.method != "POST":
        held = services.held_by(account_id)
        return render("accounts/delete.html", account=account, held=held)
    with transaction():
        services.delete(account_id, by=actor(), now=clock.now())
    return see_other(url_for(".index"), _("Account deleted."))


def _stale(form: EditAccountForm, account_id: int) -> Response:
    account = queries.get(account_id)
    form.version.data = str(account.version)
    differences = [(form.name.label.text, account.name, form.name.data)]
    return _form(form, account=account, differences=differences, status=409)


def _form(form: AccountForm, status: int = 200, account: object = None, differences: object = ()) -> Response:
    page = "accounts/form.html"
    return render(page, status=status, form=form, account=account, differences=differences)
