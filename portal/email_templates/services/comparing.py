"""Compares two texts line by line."""

import difflib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

AROUND = 3
"""Lines of agreement shown around each difference."""
MOST_LINES = 3000
SAME, CHANGED, REMOVED, ADDED, GAP = "same", "changed", "removed", "added", "gap"


class Line(NamedTuple):
    """A row of the comparison. Numbers are 0 where a side has no line; `kind` is same, changed, removed, added, gap."""

    kind: str
    left_number: int = 0
    left: str = ""
    right_number: int = 0
    right: str = ""


class Compared(NamedTuple):
    """One part of two versions."""

    part: str
    rows: list[Line]

    @property
    def differs(self) -> bool:
        """Whether there is any difference."""
        return any(row.kind not in (SAME, GAP) for row in self.rows)


def compare(part: str, left: str, right: str) -> Compared:
    """The differences between two texts, with the lines around them."""
    before, after = left.splitlines(), right.splitlines()
    if len(before) > MOST_LINES or len(after) > MOST_LINES:
        return Compared(part, [] if before == after else list(_rows("replace", before, after, (0, 0))))
    rows: list[Line] = []
    matcher = difflib.SequenceMatcher(None, before, after)
    for group in matcher.get_grouped_opcodes(AROUND):
        if rows or group[0][1] or group[0][3]:
            rows.append(Line(GAP))
        for tag, i, i_end, j, j_end in group:
            rows += _rows(tag, before[i:i_end], after[j:j_end], (i, j))
    return Compared(part, rows)


def _rows(tag: str, left: Sequence[str], right: Sequence[str], start: tuple[int, int]) -> Iterator[Line]:
    kinds = {"equal": SAME, "replace": CHANGED, "delete": REMOVED, "insert": ADDED}
    i, j = start
    for n in range(max(len(left), len(right))):
        ours, theirs = n < len(left), n < len(right)
        kind = kinds[tag] if ours and theirs else REMOVED if ours else ADDED
        numbers = (i + n + 1 if ours else 0, j + n + 1 if theirs else 0)
        yield Line(kind, numbers[0], left[n] if ours else "", numbers[1], right[n] if theirs else "")
