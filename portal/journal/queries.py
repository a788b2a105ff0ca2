"""Reading the journal: a record's timeline, and the pages of the whole."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, func, or_, select

from portal.journal import labels
from portal.journal.models import JournalEntry, JournalRecord, Record
from portal.kernel import paging
from portal.kernel.db import contains, db, escape_like


class Line(NamedTuple):
    """An entry ready to be shown. `about` are its records without the one whose timeline it is on;
    `actions` are (url, label) of buttons, added by whoever knows of any."""

    id: int
    at: datetime
    action: str
    label: str
    icon: str
    tone: str
    actor: str
    text: str
    detail: dict[str, Any]
    about: tuple[Record, ...] = ()
    actions: Sequence[tuple[str, str]] = ()


Actions = Callable[[Sequence[Line]], dict[int, Sequence[tuple[str, str]]]]

adds_actions: list[Actions] = []
"""What the slices above know of a timeline's lines: (url, label) of buttons by the line's id. Filled by the
composition root."""


@dataclass(frozen=True)
class Filters:
    """Which entries are asked for; what is empty does not narrow."""

    group: str = ""
    actor: str = ""
    kind: str = ""
    record_id: int | None = None
    text: str = ""


def timeline(kind: str, record_id: int, limit: int = 50) -> list[Line]:
    """What happened to one record, newest first."""
    statement = (
        select(JournalEntry)
        .join(JournalRecord, JournalRecord.entry_id == JournalEntry.id)
        .where(JournalRecord.kind == kind, JournalRecord.record_id == record_id)
        .order_by(JournalRecord.entry_id.desc())
        .limit(limit)
    )
    lines = _lines(statement, without=(kind, record_id))
    for known in adds_actions:
        actions = known(lines)
        lines = [line._replace(actions=actions.get(line.id, line.actions)) for line in lines]
    return lines


def deeds(kind: str, actor_id: int) -> list[JournalEntry]:
    """Everything that one person did, oldest first."""
    own = select(JournalEntry).where(JournalEntry.actor_kind == kind, JournalEntry.actor_id == actor_id)
    return list(db.session.scalars(own.order_by(JournalEntry.id)))


def page(filters: Filters, after: str) -> paging.Page[Line]:
    """A page of the journal, newest first; `after` is a cursor of this function's, anything else is the first page."""
    statement = _narrowed(select(JournalEntry), filters)
    position = paging.keys(after, int)
    if position:
        statement = statement.where(JournalEntry.id < position[0])
    lines = _lines(statement.order_by(JournalEntry.id.desc()).limit(paging.PAGE_SIZE + 1))
    return paging.page(lines, lambda line: (line.id,))


def _narrowed(statement: Select[Any], filters: Filters) -> Select[Any]:
    if filters.group:
        whole, inside = JournalEntry.action == filters.group, f"{escape_like(filters.group)}.%"
        statement = statement.where(or_(whole, JournalEntry.action.like(inside, escape="\\")))
    if filters.actor:
        statement = statement.where(_holds(JournalEntry.actor_name, filters.actor))
    about = select(JournalRecord.entry_id).where(JournalRecord.entry_id == JournalEntry.id)
    if filters.kind:
        about = about.where(JournalRecord.kind == filters.kind)
    if filters.record_id is not None:
        about = about.where(JournalRecord.record_id == filters.record_id)
    if filters.text:
        about = about.where(_holds(JournalRecord.name, filters.text))
    narrows = filters.kind or filters.text or filters.record_id is not None
    return statement.where(about.exists()) if narrows else statement


def _holds(column: Any, text: str) -> Any:
    return func.lower(column).like(contains(text.lower()), escape="\\")


def _lines(statement: Select[Any], without: tuple[str, int] | None = None) -> list[Line]:
    entries = db.session.scalars(statement).all()
    about = _records([entry.id for entry in entries])
    lines = []
    for entry in entries:
        others = tuple(record for record in about[entry.id] if record[:2] != without)
        shown = labels.label(entry.action)
        text = labels.sentence(entry.text, entry.detail, [record.name for record in others] if without else [])
        actor = entry.actor_name or labels.somebody()
        lines.append(Line(entry.id, entry.at, entry.action, *shown, actor, text, entry.detail, others))
    return lines


def _records(entry_ids: Iterable[int]) -> dict[int, list[Record]]:
    columns = (JournalRecord.entry_id, JournalRecord.kind, JournalRecord.record_id, JournalRecord.name)
    statement = select(*columns).where(JournalRecord.entry_id.in_(entry_ids))
    about: dict[int, list[Record]] = defaultdict(list)
    for entry_id, kind, record_id, name in db.session.execute(statement.order_by(JournalRecord.kind)):
        about[entry_id].append(Record(kind, record_id, name))
    return about
