"""Giving and taking away what a contact may do and where they belong."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.accounts import queries as accounts
from portal.contacts import services as contact_services
from portal.journal.services import record
from portal.kernel.actor import SYSTEM
from portal.kernel.errors import Forbidden, Invalid
from portal.roles import queries as roles
from portal.roles import services as role_services
from portal.workflows.steps.kinds import (
    ACCOUNT,
    CHOICE,
    CONTACT,
    Choices,
    Context,
    Field,
    Outcome,
    StepFailed,
    StepType,
    Values,
    may_change_contacts,
)


def _roles(entity: str) -> Choices:
    return [(str(role.id), role.name) for role in roles.all_rows() if role.implicit is None]


def _role_id(values: Values) -> int:
    text = str(values.get("web_role", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


def _check_role(values: Values, entity: str, role: str) -> dict[str, str]:
    try:
        role_services.check_grant([_role_id(values)], role)
    except Invalid as fault:
        return {"web_role": fault.fields["web_roles"]}
    except Forbidden as fault:
        return {"web_role": fault.message}
    return {}


def _allowed(values: Values, about: Context) -> int:
    """The role, if whoever activated the workflow may still give it (DECISIONS 9)."""
    role_id = _role_id(values)
    try:
        for activator in about.activators:
            role_services.check_grant([role_id], activator)
    except (Forbidden, Invalid) as fault:
        raise StepFailed(_("Whoever activated this workflow may not give this web role (any more).")) from fault
    return role_id


def _add(values: Values, about: Context) -> Outcome:
    role = roles.get(_allowed(values, about))
    if not contact_services.add_roles(about.person().id, [role.id], about.now):
        return Outcome(_("Had the web role “%(name)s” already.", name=role.name))
    record("role.added", *about.records, by=SYSTEM, now=about.now, text=role.name, detail={"web_role": role.id})
    return Outcome(_("Gave the web role “%(name)s”.", name=role.name))


def _remove(values: Values, about: Context) -> Outcome:
    role = roles.get(_allowed(values, about))
    if not contact_services.remove_roles(about.person().id, [role.id], about.now):
        return Outcome(_("Did not have the web role “%(name)s”.", name=role.name))
    record("role.removed", *about.records, by=SYSTEM, now=about.now, text=role.name, detail={"web_role": role.id})
    return Outcome(_("Took away the web role “%(name)s”.", name=role.name))


def _account(values: Values) -> int:
    text = str(values.get("account", ""))
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


def _check_account(values: Values, entity: str, role: str) -> dict[str, str]:
    if not may_change_contacts(role):
        return {"account": _("You may not change contacts.")}
    if accounts.find(_account(values)) is None:
        return {"account": _("This account no longer exists. Please choose again.")}
    return {}


def _assign(values: Values, about: Context) -> Outcome:
    about.must_change_contacts()
    account = accounts.find(_account(values))
    if account is None:
        raise StepFailed(_("The account no longer exists."))
    before = contact_services.assign_account(about.person().id, account.id, about.now)
    if before == account.id:
        return Outcome(_("Belonged to “%(name)s” already.", name=account.name))
    record("account.assigned", *about.records, by=SYSTEM, now=about.now, text=account.name)
    return Outcome(_("Assigned to the account “%(name)s”.", name=account.name))


def _role_words(values: Values) -> str:
    return ", ".join(role.name for role in roles.by_ids([_role_id(values)]))


def _account_words(values: Values) -> str:
    account = accounts.find(_account(values))
    return account.name if account else ""


_ROLE = Field("web_role", _l("Web role"), CHOICE, choices=_roles)
_ONLY_CONTACTS = frozenset({CONTACT})
ADD_ROLE = StepType(
    "add_role",
    _l("Add web role"),
    "shield-check",
    _add,
    help=_l("Only roles that you may give yourself."),
    fields=(_ROLE,),
    entities=_ONLY_CONTACTS,
    check=_check_role,
    in_words=_role_words,
)
REMOVE_ROLE = StepType(
    "remove_role",
    _l("Remove web role"),
    "shield",
    _remove,
    help=_l("Only roles that you may give yourself."),
    fields=(_ROLE,),
    entities=_ONLY_CONTACTS,
    check=_check_role,
    in_words=_role_words,
)
ASSIGN_ACCOUNT = StepType(
    "assign_account",
    _l("Assign account"),
    "building",
    _assign,
    fields=(Field("account", _l("Account"), ACCOUNT),),
    entities=_ONLY_CONTACTS,
    check=_check_account,
    in_words=_account_words,
)
