"""Setting a contact's field, writing a note."""

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.contacts import services as contact_services
from portal.contacts.services import ContactValues, with_value
from portal.journal.services import record
from portal.kernel.actor import SYSTEM
from portal.kernel.errors import Invalid
from portal.workflows.steps.kinds import (
    CHOICE,
    CONTACT,
    LINES,
    Choices,
    Context,
    Field,
    Outcome,
    StepFailed,
    StepType,
    Values,
    may_change_contacts,
)

SETTABLE = ("first_name", "last_name", "phone", "language")
"""Fields that say nothing of who somebody is or what they may do; an address is not among them."""


def _fields(entity: str) -> Choices:
    labels = contact_services.labels()
    return [(name, labels[name]) for name in SETTABLE]


def _check(values: Values, entity: str, role: str) -> dict[str, str]:
    name = str(values.get("field", ""))
    if name not in SETTABLE:
        return {"field": _("Please choose from the list.")}
    if not may_change_contacts(role):
        return {"field": _("You may not change contacts.")}
    try:
        # Beside an address, so that an empty name is judged by itself.
        contact_services.check(with_value(ContactValues(email1="a@example.org"), name, str(values.get("value") or "")))
    except Invalid as fault:
        return {"value": fault.fields.get(name, fault.message)}
    return {}


def _set(values: Values, about: Context) -> Outcome:
    name, value = str(values["field"]), str(values.get("value", ""))
    if name not in SETTABLE:
        raise StepFailed(_("This field cannot be set by a workflow."))
    about.must_change_contacts()
    label = contact_services.labels()[name]
    try:
        before = contact_services.set_field(about.person().id, name, value, about.now)
    except Invalid as fault:
        raise StepFailed(fault.message) from fault
    if before == value:
        return Outcome(_("%(field)s was “%(value)s” already.", field=label, value=value))
    changes = {"changes": {name: [before, value]}}
    record("contact.updated", *about.records[:1], by=SYSTEM, now=about.now, detail=changes)
    return Outcome(_("Set %(field)s to “%(value)s”.", field=label, value=value))


def _words(values: Values) -> str:
    label = contact_services.labels().get(str(values.get("field")), "")
    return f"{label} = {values.get('value') or ''}"


def _note(values: Values, about: Context) -> Outcome:
    record("note", *about.records, by=SYSTEM, now=about.now, text=str(values["text"]))
    return Outcome(_("Wrote a note."))


SET_FIELD = StepType(
    "set_field",
    _l("Set a contact field"),
    "edit",
    _set,
    fields=(
        Field("field", _l("Field"), CHOICE, choices=_fields),
        Field("value", _l("Value"), needed=False, most=100),
    ),
    entities=frozenset({CONTACT}),
    check=_check,
    in_words=lambda values: (
        f"{contact_services.labels().get(str(values.get('field')), '')} = {values.get('value', '')}"
    ),
)
NOTE = StepType(
    "note",
    _l("Write a note"),
    "notes",
    _note,
    help=_l("Appears on the timeline."),
    fields=(Field("text", _l("Text"), LINES, most=2000),),
    in_words=lambda values: str(values.get("text", "")),
)
