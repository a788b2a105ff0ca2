"""Checks the texts of a template: what cannot be sent is an error, what should not be sent so is a warning."""

from collections.abc import Iterable
from datetime import datetime

from flask_babel import gettext as _

from portal.email_templates import labels, messages
from portal.email_templates.services import finding, markup
from portal.email_templates.services.finding import HTML, PARTS, SUBJECT, TEXT, Finding, Texts
from portal.mail.placeholders import KNOWN, filled
from portal.mail.texts import LONGEST_SOURCE
from portal.settings.queries import operator

LONGEST_SUBJECT = 200
SUBJECT_SEEN = 78
"""Mail programs cut longer subjects."""
MOST_FINDINGS = 30
BROKEN: tuple[type[Exception], ...] = (
    *(TypeError, ValueError, ArithmeticError, LookupError, AttributeError),
    RecursionError,
)
"""What a filter may raise that was given a value it cannot use; Liquid's own errors come beside these."""


def check(kind: str, language: str, texts: Texts, now: datetime) -> list[Finding]:
    """What is wrong with the texts of a template of this kind, errors first, in the order of the text."""
    found: list[Finding] = []
    used: dict[str, set[str]] = {}
    for part in PARTS:
        source = getattr(texts, part)
        names, faults = _read(part, source, kind, language, now)
        found += faults
        if names is not None:
            used[part] = names
    if SUBJECT in used and len(used) == len(PARTS):
        found += _doors(kind, used)
    found.sort(key=lambda one: (not one.error, PARTS.index(one.part), one.line, one.column))
    return found[:MOST_FINDINGS]


def refusals(found: Iterable[Finding]) -> dict[str, str]:
    """The errors as they stand beside the fields; empty where the texts may be saved."""
    fields: dict[str, list[str]] = {}
    for one in found:
        if one.error:
            fields.setdefault(one.part, []).append(one.told)
    return {part: " ".join(told[:3]) for part, told in fields.items()}


def _read(part: str, source: str, kind: str, language: str, now: datetime) -> tuple[set[str] | None, list[Finding]]:
    """The placeholders that a part uses, None where it cannot be read, and what is wrong with it."""
    whole = finding.at(part, source)
    if not source.strip():
        return None, [whole(0, _("Please fill this in."))]
    most = LONGEST_SUBJECT if part == SUBJECT else LONGEST_SOURCE
    if len(source) > most:
        return None, [whole(most, _("Please use at most %(most)s characters.", most=most))]
    names, faults = finding.liquid(part, source, KNOWN.get(kind, ()))
    if names is None or faults:
        return None, faults
    faults += markup.check(source) if part == HTML else markup.plain(part, source)
    rendered, broken = _rendered(part, source, kind, language, now)
    faults += broken
    if part == SUBJECT and not broken:
        faults += _subject(rendered)
    return (None if broken else names), faults


def _rendered(part: str, source: str, kind: str, language: str, now: datetime) -> tuple[str, list[Finding]]:
    """The part with sample values; tried without any of them too, for every one may be missing."""
    from liquid.exceptions import LiquidError

    from portal.mail.templates import MOST_STYLING, parsed, styling

    base = operator().base_url
    sample = filled(kind, messages.samples(kind, language, now), base, language) if kind in KNOWN else {}
    text = ""
    for values in (dict.fromkeys(sample), sample):
        try:
            text = parsed(source, html=part == HTML).render(**values)
        except LiquidError as fault:
            return "", [finding.of_liquid(part, source, fault)]
        except BROKEN as fault:
            return "", [finding.at(part, source)(0, _("This cannot be filled in: %(fault)s.", fault=str(fault)[:200]))]
    if part == HTML and styling(text) > MOST_STYLING // 4:  # real values make it longer than those of the sample
        return "", [finding.at(part, source)(0, _("There are too many rules of style for so many elements."))]
    return text, []


def _subject(rendered: str) -> list[Finding]:
    text = rendered.strip()
    if not text:
        return [Finding(SUBJECT, 1, 1, _("Nothing is left of the subject once it is filled in."))]
    if len(text) > SUBJECT_SEEN:
        told = _(
            "Filled in, the subject has %(many)s characters. Mail programs show about %(most)s, phones about 40.",
            many=len(text),
            most=SUBJECT_SEEN,
        )
        return [Finding(SUBJECT, 1, 1, told, error=False)]
    return []


def _doors(kind: str, used: dict[str, set[str]]) -> list[Finding]:
    """What keeps a reader from doing what the message is about."""
    doors = labels.doors(kind)
    if not doors or kind == labels.OWN:
        return []
    shown = {part: [name for name in doors if name in used[part]] for part in (HTML, TEXT)}
    missing: list[Finding] = []
    for part, there in shown.items():
        for name in doors:
            if name in there:
                continue
            told = (
                _("The link is missing: nobody can open what this message is about. Add {{ link }}.")
                if name == "link"
                else _("The code is missing: those who cannot open the link have nothing to type. Add {{ code }}.")
            )
            useless = not any(shown.values()) and kind in labels.NEED_A_DOOR
            missing.append(Finding(part, 1, 1, told, error=useless and name == doors[0], token=f"{{{{ {name} }}}}"))
    return missing
