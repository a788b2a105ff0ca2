"""The pages of contacts."""

from collections.abc import Sequence
from typing import Any

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.accounts import queries as accounts
from portal.contacts import queries, services
from portal.contacts.forms import ContactForm, EditContactForm, typed_from
from portal.contacts.models import Contact
from portal.journal import queries as journal
from portal.kernel import clock, paging
from portal.kernel.db import transaction
from portal.kernel.errors import Invalid, Stale
from portal.kernel.names import searchable
from portal.kernel.options import Option
from portal.roles import queries as roles
from portal.staff.guard import actor, current_staff
from portal.staff.permissions import Permission
from portal.web.forms import found_options, wants_find
from portal.web.guard import needs, staff_blueprint
from portal.web.htmx import render, see_other
from portal.web.security import refills_form

bp = staff_blueprint("contacts", __name__, "/contacts")
SHOWN, SORTED = ("active", "inactive", "all"), ("name", "newest")


@bp.get("/")
@needs(Permission.VIEW)
def index() -> Response:
    """The list."""
    return _list()


@bp.get("/invite")
@needs(Permission.CREATE)
def invite() -> Response:
    """From the ticked row of the list to an invitation for that contact; anything but one row is answered with why."""
    ids = [_number(text) for text in request.args.getlist("ids")]
    if len(ids) == 1 and queries.find(ids[0] or 0) is not None:
        return see_other(url_for("invitations.new", contact=ids[0]))
    return _list(wrong=_("Tick exactly one contact to create an invitation for it."), status=422)


@bp.get("/options")
@needs(Permission.VIEW)
def options() -> Response:
    """What a picker finds."""
    return found_options(queries.options, "contacts")


@bp.route("/new", methods=["GET", "POST"])
@needs(Permission.MANAGE_CONTACTS)
@refills_form
def new() -> Response:
    """Create a contact; `?account=ID` fills in the account."""
    form = ContactForm(roles.grantable(current_staff().role), data={"account": _account_asked_for()})
    if not form.is_submitted():
        return _form(form)
    same: Sequence[Option] = ()
    if not wants_find() and form.validate():
        try:
            with transaction():
                contact = services.create(form.values(), by=actor(), now=clock.now())
        except Invalid as refused:
            form.show(refused)
            same = _same(refused)
        else:
            return see_other(url_for(".record", contact_id=contact.id), _("Contact created."))
    return _form(form, same=same, status=form.refusal())


@bp.get("/<int:contact_id>")
@needs(Permission.VIEW)
def record(contact_id: int) -> Response:
    """One contact: facts, invitations, timeline."""
    contact = queries.get(contact_id)
    account = accounts.find(contact.account_id) if contact.account_id else None
    return render(
        "contacts/record.html",
        contact=contact,
        account=account,
        web_roles=queries.web_roles(contact_id),
        language=services.languages().get(contact.language, contact.language),
        timeline=journal.timeline("contact", contact_id),
    )


@bp.route("/<int:contact_id>/edit", methods=["GET", "POST"])
@needs(Permission.MANAGE_CONTACTS)
@refills_form
def edit(contact_id: int) -> Response:
    """Change a contact."""
    contact = queries.get(contact_id)
    given = [role.id for role in queries.web_roles(contact_id)]
    form = EditContactForm(roles.grantable(current_staff().role), data=typed_from(contact, given))
    if not form.is_submitted():
        return _form(form, contact)
    same: Sequence[Option] = ()
    if not wants_find() and form.validate():
        try:
            with transaction():
                services.update(contact_id, form.values(), form.version.number, by=actor(), now=clock.now())
        except Invalid as refused:
            form.show(refused)
            same = _same(refused)
        except Stale:
            return _stale(form, contact_id)
        else:
            return see_other(url_for(".record", contact_id=contact_id), _("Contact saved."))
    return _form(form, contact, same=same, status=form.refusal())


@bp.route("/<int:contact_id>/deactivate", methods=["GET", "POST"])
@needs(Permission.MANAGE_CONTACTS)
def deactivate(contact_id: int) -> Response:
    """The dialog, and keeping the contact out."""
    contact = queries.get(contact_id)
    if request.method != "POST":
        return render("contacts/deactivate.html", contact=contact)
    with transaction():
        services.deactivate(contact_id, by=actor(), now=clock.now())
    return see_other(url_for(".record", contact_id=contact_id), _("Contact deactivated."))


@bp.route("/<int:contact_id>/activate", methods=["GET", "POST"])
@needs(Permission.MANAGE_CONTACTS)
def activate(contact_id: int) -> Response:
    """The dialog, and letting the contact in again."""
    contact = queries.get(contact_id)
    if request.method != "POST":
        return render("contacts/activate.html", contact=contact)
    with transaction():
        services.activate(contact_id, by=actor(), now=clock.now())
    return see_other(url_for(".record", contact_id=contact_id), _("Contact activated."))


def _list(wrong: str = "", status: int = 200) -> Response:
    account_id = _account_asked_for()
    filters = queries.Filters(
        text=searchable(request.args.get("q", "")),
        show=_one_of(SHOWN, "view"),
        account_id=account_id,
        sort=_one_of(SORTED, "sort"),
    )
    query: dict[str, Any] = {
        "q": filters.text or None,
        "view": filters.show if filters.show != SHOWN[0] else None,
        "account": account_id,
        "sort": filters.sort if filters.sort != SORTED[0] else None,
    }
    after = request.args.get("after", "")
    page = queries.page(filters, after)
    return render(
        "contacts/index.html",
        status=status,
        rows=page.rows,
        name_of=queries.display_name,
        filters=filters,
        query={name: value for name, value in query.items() if value is not None},
        account=accounts.get(account_id) if account_id else None,
        total=queries.count(filters),
        counted=paging.COUNTED,
        wrong=wrong,
        first_url=url_for("contacts.index", **query) if after else None,
        next_url=url_for("contacts.index", after=page.after, **query) if page.after else None,
    )


def _form(
    form: ContactForm,
    contact: Contact | None = None,
    same: Sequence[Option] = (),
    differences: Sequence[tuple[Any, Any, Any]] = (),
    status: int = 200,
) -> Response:
    kept = [role for role in queries.web_roles(contact.id) if role.id not in form.offered] if contact else []
    return render(
        "contacts/form.html",
        status=status,
        form=form,
        contact=contact,
        same=same,
        kept=kept,
        differences=differences,
    )


def _stale(form: EditContactForm, contact_id: int) -> Response:
    contact = queries.get(contact_id)
    saved = _in_words(typed_from(contact, [role.id for role in queries.web_roles(contact_id)]))
    kept = [role.id for role in queries.web_roles(contact_id) if role.id not in form.offered]
    yours = _in_words({**form.data, "account": form.account.one, "web_roles": [*form.values().web_roles, *kept]})
    form.version.data = str(contact.version)
    differences = [(label, saved[name], yours[name]) for name, label in services.labels().items()]
    return _form(form, contact, differences=differences, status=409)


def _in_words(values: dict[str, Any]) -> dict[str, str]:
    account_id = values["account"]
    return {
        **{name: value or "" for name, value in values.items()},
        "account": accounts.names([account_id]).get(account_id, ""),
        "language": services.languages().get(values["language"], ""),
        "web_roles": ", ".join(role.name for role in roles.by_ids(values["web_roles"])),
    }


def _same(refused: Invalid) -> Sequence[Option]:
    return refused.contacts if isinstance(refused, services.SameAddress) else ()


def _account_asked_for() -> int | None:
    return _number(request.args.get("account", ""))


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _one_of(choices: tuple[str, ...], name: str) -> str:
    typed = request.args.get(name, "")
    return typed if typed in choices else choices[0]
