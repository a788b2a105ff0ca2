"""The forms of workflows; the builder's has the fields that its steps have, named `steps-<position>-<field>`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, PasswordField, RadioField, SelectField, ValidationError
from wtforms.validators import Regexp

from portal.accounts import queries as accounts
from portal.kernel.secrets_ import new_public_id
from portal.web.forms import Form, Line, Lines, Longest, NoControls, Option, Picker, Version, WholeNumber, choices
from portal.workflows import steps
from portal.workflows.models import Workflow
from portal.workflows.services.defining import LONGEST_DESCRIPTION, LONGEST_NAME, MOST_STEPS, TRIGGERS

Step = dict[str, Any]


class Chosen(SelectField):
    """One of a list, or nothing yet."""

    def __init__(self, label: Any, **more: Any) -> None:
        super().__init__(label, validate_choice=False, **more)

    def pre_validate(self, form: Any) -> None:
        if self.data and self.data not in {str(value) for value, *_rest in self.iter_choices()}:
            raise ValidationError(_("Please choose from the list."))


class Secret(PasswordField):
    """Write only: what is stored is never shown; left blank it stays."""

    def __init__(self, label: Any, *, least: int, most: int, **more: Any) -> None:
        more["render_kw"] = {"autocomplete": "new-password"}
        super().__init__(label, [Longest(most), NoControls(), self._long_enough], **more)
        self.least = least

    def _long_enough(self, form: Any, field: Any) -> None:
        if field.data and len(field.data) < self.least:
            raise ValidationError(_("Please use at least %(least)s characters.", least=self.least))


class OneOf(RadioField):
    """Exactly one of a few."""

    def __init__(self, label: Any, **more: Any) -> None:
        super().__init__(label, validate_choice=False, **more)

    def pre_validate(self, form: Any) -> None:
        if str(self.data) not in {str(value) for value, *_rest in self.iter_choices()}:
            raise ValidationError(_("Please choose from the list."))

    @property
    def number(self) -> int:
        """What was chosen, where the values are ids."""
        return int(self.data)


class _Named(Form):
    name = Line(_l("Name"), most=LONGEST_NAME, needed=True)
    description = Line(_l("Description"), most=LONGEST_DESCRIPTION)


class NewForm(_Named):
    """A new workflow."""

    primary_entity = OneOf(
        _l("Runs on"),
        choices=choices(
            [
                (steps.CONTACT, _l("A contact: after a redemption, for a new contact, or by hand")),
                (steps.INVITATION, _l("An invitation: when it expires, or by hand")),
            ]
        ),
        default=steps.CONTACT,
    )


class RunForm(Form):
    """Which workflow to run."""

    workflow = OneOf(_l("Workflow"))


class VersionForm(Form):
    """A form of one button: what it acts on must be what was shown."""

    version = Version()


class BuilderForm(_Named):
    """A workflow and the steps of its draft; made by `builder`."""

    trigger = Chosen(_l("Starts by itself"))
    version = Version()
    shape: tuple[tuple[str, str], ...] = ()
    """The (type, id) of each step."""

    def given(self) -> list[Step]:
        """The steps as they are in the form; whole or not."""
        return [
            {"type": kind, "id": mark, **{field.name: self._value(position, field) for field in _fields(kind)}}
            for position, (kind, mark) in enumerate(self.shape)
        ]

    def _value(self, position: int, field: steps.Field) -> Any:
        typed = self[f"steps-{position}-{field.name}"]
        if isinstance(typed, Picker):
            return typed.one
        return typed.data


class Offers:
    """What the fields of steps offer; asked for once, however many steps have the field."""

    def __init__(self, entity: str) -> None:
        self.entity = entity
        self._accounts: dict[int, Option | None] = {}
        self._found: dict[Callable[[str], Iterable[tuple[str, str]]], dict[str, str]] = {}

    def of(self, field: steps.Field) -> dict[str, str]:
        """Labels by value."""
        if field.choices is None:
            return {}
        if field.choices not in self._found:
            self._found[field.choices] = dict(field.choices(self.entity))
        return self._found[field.choices]

    def accounts(self, ids: Iterable[int]) -> list[Option]:
        """The accounts that exist; each is asked for once."""
        wanted = list(ids)
        missing = set(wanted) - self._accounts.keys()
        if missing:
            found = {option.value: option for option in accounts.by_ids(missing)}
            self._accounts |= {one: found.get(one) for one in missing}
        return [option for one in wanted if (option := self._accounts[one])]


def builder(workflow: Workflow, given: Sequence[Step], posted: MultiDict[str, str] | None) -> BuilderForm:
    """The form of the builder: with these steps, or with those that were posted."""
    shape = [(str(step.get("type", "")), str(step.get("id") or new_mark())) for step in given]
    known = {kind for kind, _mark in shape}
    if posted is not None:
        shape = _posted_shape(posted)
    offers = Offers(workflow.primary_entity)
    offers.accounts(step["account"] for step in given if isinstance(step.get("account"), int))
    fields: dict[str, Any] = {"shape": tuple(shape)}
    for position, (kind, _mark) in enumerate(shape):
        allowed = known | {one.name for one in steps.types.values() if workflow.primary_entity in one.entities}
        fields[f"steps-{position}-type"] = HiddenField(validators=[_one_of(allowed)])
        fields[f"steps-{position}-id"] = HiddenField(validators=[Regexp(r"[A-Za-z0-9]{1,32}\Z")])
        for field in _fields(kind):
            fields[f"steps-{position}-{field.name}"] = _control(field, offers)
    made = cast(type[BuilderForm], type("Builder", (BuilderForm,), fields))
    form = made(data={**_of(workflow), **_values(given if posted is None else (), shape)})
    _mark_needed(form)
    form.trigger.choices = choices([("", _("No")), *triggers(workflow.primary_entity)])
    return form


def triggers(entity: str) -> list[tuple[str, str]]:
    """What can start a workflow on such records by itself, with what it is called."""
    called = {"contact_created": _("When a contact is created"), "invitation_expired": _("When an invitation expires")}
    return [(name, called.get(name, name)) for name, on in TRIGGERS.items() if on == entity]


def new_mark() -> str:
    """What a step is known by while it is moved about."""
    return new_public_id().hex()[:12]


def _posted_shape(posted: MultiDict[str, str]) -> list[tuple[str, str]]:
    shape: list[tuple[str, str]] = []
    seen: set[str] = set()
    while len(shape) <= MOST_STEPS and f"steps-{len(shape)}-type" in posted:
        kind, mark = (posted[f"steps-{len(shape)}-{name}"] for name in ("type", "id"))
        if mark in seen:  # a secret belongs to one step
            mark = new_mark()
        seen.add(mark)
        shape.append((kind, mark))
    return shape


def _of(workflow: Workflow) -> dict[str, Any]:
    return {name: getattr(workflow, name) for name in ("name", "description", "trigger", "version")}


def _values(given: Sequence[Step], shape: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    for position, (step, (kind, mark)) in enumerate(zip(given, shape, strict=False)):
        values |= {f"steps-{position}-type": kind, f"steps-{position}-id": mark}
        for field in _fields(kind):
            if field.kind != steps.SECRET:
                values[f"steps-{position}-{field.name}"] = step.get(field.name)
    return values


def _fields(kind: str) -> tuple[steps.Field, ...]:
    return steps.types[kind].fields if kind in steps.types else ()


def _one_of(allowed: set[str]) -> Callable[[Any, Any], None]:
    def check(form: Any, field: Any) -> None:
        if field.data not in allowed:
            raise ValidationError(_("This step cannot be used here."))

    return check


def _control(field: steps.Field, offers: Offers) -> Any:
    if field.kind == steps.CHOICE:
        found = offers.of(field)
        first = [] if "" in found else [("", _("Please choose"))]
        return Chosen(field.label, choices=choices([*first, *found.items()]))
    if field.kind == steps.ACCOUNT:
        return Picker(field.label, offer=offers.accounts, search=accounts.options, search_url="/staff/accounts/options")
    if field.kind == steps.WHOLE:
        return WholeNumber(field.label, render_kw={"inputmode": "numeric"})
    if field.kind == steps.SECRET:
        return Secret(field.label, least=field.least, most=field.most)
    kind = Lines if field.kind == steps.LINES else Line
    return kind(field.label, most=field.most, render_kw={"autocomplete": "off"})


def _mark_needed(form: BuilderForm) -> None:
    """Show what must be filled in before the workflow is activated; a draft may lack it."""
    for position, (kind, _mark) in enumerate(form.shape):
        for field in _fields(kind):
            if field.needed:
                form[f"steps-{position}-{field.name}"].flags.required = True
