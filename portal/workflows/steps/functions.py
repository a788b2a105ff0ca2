"""Running a Python function that another package registers under the entry point group `portal.workflow_steps`."""

from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from typing import Any

import structlog
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.workflows.steps.kinds import CHOICE, LINES, Choices, Context, Field, Outcome, StepFailed, StepType, Values

log = structlog.get_logger("workflows")
GROUP = "portal.workflow_steps"
Function = Callable[[Context, str], Any]


@cache
def registered() -> dict[str, Function]:
    """The functions by name. One that cannot be loaded is left out, and the log says why."""
    found: dict[str, Function] = {}
    for point in entry_points(group=GROUP):
        try:
            loaded = point.load()
        except Exception:
            log.exception("workflows.step_not_loaded", name=point.name)
            continue
        if callable(loaded):
            found[point.name] = loaded
    return found


def _choices(entity: str) -> Choices:
    return [(name, _title(name, function)) for name, function in sorted(registered().items())]


def _title(name: str, function: Function) -> str:
    first = (function.__doc__ or "").strip().partition("\n")[0].rstrip(".")
    return f"{first} ({name})" if first else name


def _run(values: Values, about: Context) -> Outcome:
    function = registered().get(str(values["function"]))
    if function is None:
        raise StepFailed(_("The function “%(name)s” is not installed here.", name=values["function"]))
    made = function(about, str(values.get("argument") or ""))
    return made if isinstance(made, Outcome) else Outcome(str(made or _("Done.")))


FUNCTION = StepType(
    "function",
    _l("Run a function"),
    "code",
    _run,
    help=_l("One that an installed package registers; see docs/workflows.md."),
    fields=(
        Field("function", _l("Function"), CHOICE, choices=_choices),
        Field("argument", _l("Argument"), LINES, needed=False, most=2000),
    ),
    in_words=lambda values: str(values.get("function", "")),
)
