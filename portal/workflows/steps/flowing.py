"""Waiting, stopping, starting another workflow."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.workflows import queries
from portal.workflows.steps.kinds import (
    CHOICE,
    CONTACT,
    INVITATION,
    WHOLE,
    Choices,
    Context,
    Field,
    Outcome,
    StepFailed,
    StepType,
    Values,
)

UNITS = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "days": timedelta(days=1)}
LONGEST_WAIT = timedelta(days=730)
DEEPEST = 5

Starts = Callable[..., Any]
starts: list[Starts] = []
"""How a run is started; the services put themselves here, for they stand above the steps."""


def _units(entity: str) -> Choices:
    return [("minutes", _("minutes")), ("hours", _("hours")), ("days", _("days"))]


def _dates(entity: str) -> Choices:
    return [
        ("", _("from now on")),
        ("expires_at", _("before the invitation expires")),
        ("sent_at", _("after the invitation was sent")),
    ]


def _amount(values: Values) -> timedelta:
    return int(values.get("amount") or 0) * UNITS.get(str(values.get("unit")), UNITS["days"])


def _check_wait(values: Values, entity: str, role: str) -> dict[str, str]:
    if _amount(values) > LONGEST_WAIT:
        return {"amount": _("Please wait at most two years.")}
    return {}


def _wait(values: Values, about: Context) -> Outcome:
    date, amount = str(values.get("date") or ""), _amount(values)
    if not date:
        return _until(about.now + amount, about.now)
    moment = about.facts.get(date)
    if not isinstance(moment, datetime):
        return Outcome(_("There is no such date; went on at once."))
    return _until(moment - amount if date == "expires_at" else moment + amount, about.now)


def _until(moment: datetime, now: datetime) -> Outcome:
    if moment <= now:
        return Outcome(_("That time was past; went on at once."))
    return Outcome(_("Waited."), until=moment)


def conditions(entity: str) -> Choices:
    """What a condition can look at, by name."""
    of_contact = [
        ("contact_name", _("Name of the contact")),
        ("contact_email", _("E-mail of the contact")),
        ("contact_language", _("Language of the contact")),
        ("contact_account", _("Account of the contact")),
        ("contact_web_roles", _("Web roles of the contact")),
    ]
    of_invitation = [
        ("invitation_name", _("Name of the invitation")),
        ("invitation_type", _("Type of the invitation (single, group)")),
        ("invitation_status", _("Status of the invitation (new, open, completed, inactive)")),
        ("invitation_used", _("Redemptions of the invitation")),
        ("invitation_account", _("Account that the invitation assigns")),
    ]
    return [*(of_contact if entity == CONTACT else []), *of_invitation]


def _operators(entity: str) -> Choices:
    return [
        ("is", _("is")),
        ("is_not", _("is not")),
        ("contains", _("contains")),
        ("contains_not", _("does not contain")),
        ("empty", _("is empty")),
        ("not_empty", _("is not empty")),
        ("more", _("is more than")),
        ("less", _("is less than")),
    ]


def _number(text: Any) -> float | None:
    try:
        return float(str(text))
    except ValueError:
        return None


def holds(fact: Any, operator: str, value: str) -> bool:
    """Whether a condition holds. Lists are compared as their parts: *is* means that one of them is; letters' case
    does not matter; *more* and *less* hold for numbers only."""
    parts = [str(one).casefold() for one in fact] if isinstance(fact, list | tuple) else [str(fact or "").casefold()]
    wanted = value.strip().casefold()
    if operator in ("more", "less"):
        left, right = _number(fact), _number(value)
        if left is None or right is None:
            return False
        return left > right if operator == "more" else left < right
    found = {
        "is": wanted in parts,
        "is_not": wanted not in parts,
        "contains": any(wanted in part for part in parts),
        "contains_not": not any(wanted in part for part in parts),
        "empty": not any(parts),
        "not_empty": any(parts),
    }
    return found.get(operator, False)


def _check_condition(values: Values, entity: str, role: str) -> dict[str, str]:
    if str(values.get("operator")) in ("more", "less") and _number(values.get("value")) is None:
        return {"value": _("Please enter a number.")}
    if str(values.get("operator")) not in ("empty", "not_empty") and not str(values.get("value") or "").strip():
        return {"value": _("Please fill this in.")}
    return {}


def _stop_if_not(values: Values, about: Context) -> Outcome:
    if holds(about.facts.get(str(values["field"])), str(values["operator"]), str(values.get("value") or "")):
        return Outcome(_("The condition holds; went on."))
    return Outcome(_("The condition does not hold; stopped here."), stop=True)


def _condition_words(values: Values) -> str:
    fields = {name: label for entity in (CONTACT, INVITATION) for name, label in conditions(entity)}
    operator = dict(_operators("")).get(str(values.get("operator")), "")
    return f"{fields.get(str(values.get('field')), '')} {operator} {values.get('value') or ''}".strip()


def _wait_words(values: Values) -> str:
    unit, date = dict(_units("")).get(str(values.get("unit")), ""), dict(_dates("")).get(str(values.get("date") or ""))
    return f"{values.get('amount')} {unit} {date or ''}".strip()


def _workflows(entity: str) -> Choices:
    fitting = [one for one in queries.activated() if one.primary_entity == entity and one.key != queries.SENDING]
    return [(str(one.id), one.name) for one in fitting]


def _start(values: Values, about: Context) -> Outcome:
    if about.run.depth >= DEEPEST:
        raise StepFailed(_("More than %(most)s workflows start one another; stopped here.", most=DEEPEST))
    text = str(values.get("workflow", ""))
    workflow = queries.get(int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0)
    if not workflow.activated:
        raise StepFailed(_("The workflow “%(name)s” is not activated.", name=workflow.name))
    for start in starts:
        start(
            workflow.id,
            about.contact.id if about.contact else None,
            cause=("workflow-run", about.run.id),
            invitation_id=about.run.invitation_id,
            depth=about.run.depth + 1,
            now=about.now,
        )
    return Outcome(_("Started the workflow “%(name)s”.", name=workflow.name))


def _start_words(values: Values) -> str:
    text = str(values.get("workflow", ""))
    return queries.names([int(text)]).get(int(text), "") if text.isdigit() else ""


WAIT = StepType(
    "wait",
    _l("Wait"),
    "hourglass",
    _wait,
    fields=(
        Field("amount", _l("How long"), WHOLE, most=100_000),
        Field("unit", _l("Unit"), CHOICE, choices=_units),
        Field("date", _l("Counted"), CHOICE, needed=False, choices=_dates),
    ),
    check=_check_wait,
    in_words=_wait_words,
)
STOP_IF_NOT = StepType(
    "stop_if_not",
    _l("Go on only if"),
    "filter",
    _stop_if_not,
    help=_l("Where the condition does not hold, the workflow ends here, which is no failure."),
    fields=(
        Field("field", _l("What"), CHOICE, choices=conditions),
        Field("operator", _l("Condition"), CHOICE, choices=_operators),
        Field("value", _l("Value"), needed=False, most=200),
    ),
    check=_check_condition,
    in_words=_condition_words,
)
START_WORKFLOW = StepType(
    "start_workflow",
    _l("Start another workflow"),
    "sitemap",
    _start,
    fields=(Field("workflow", _l("Workflow"), CHOICE, choices=_workflows),),
    in_words=_start_words,
)
