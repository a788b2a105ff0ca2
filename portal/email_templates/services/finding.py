"""What is wrong at which place of a text, and what Liquid has to say about it in plain words."""

import difflib
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, NamedTuple

from flask_babel import gettext as _

SUBJECT, HTML, TEXT = PARTS = ("subject", "html", "text")
LONGEST_TOKEN = 80
_TAG = re.compile(r"\{%-?\s*([a-zA-Z_#]*)")
_BLOCKS = ("if", "unless", "case", "for", "comment", "raw")


class Texts(NamedTuple):
    """The three texts of a template."""

    subject: str
    html: str
    text: str


class Finding(NamedTuple):
    """Something wrong: where (counted from 1), what, and the piece of text it is about. An error cannot be saved."""

    part: str
    line: int
    column: int
    message: str
    error: bool = True
    token: str = ""

    @property
    def told(self) -> str:
        """The message with its place."""
        if self.part == SUBJECT or (self.line, self.column) == (1, 1):
            return self.message
        return str(_("Line %(line)s: %(message)s", line=self.line, message=self.message))


def at(part: str, source: str) -> Callable[..., Finding]:
    """Makes findings from offsets into a source."""

    def make(offset: int, message: str, *, error: bool = True, token: str = "") -> Finding:
        before = source[: max(0, offset)]
        line = before.count("\n") + 1
        return Finding(part, line, len(before) - (before.rfind("\n") + 1) + 1, message, error, token[:LONGEST_TOKEN])

    return make


def liquid(part: str, source: str, known: Collection[str]) -> tuple[set[str] | None, list[Finding]]:
    """The placeholders a text uses, None where Liquid cannot read it; and the names and filters that do not exist."""
    from liquid.exceptions import LiquidError

    from portal.mail.templates import FILTERS, parsed

    mark = at(part, source)
    try:
        template = parsed(source, html=part == HTML)
        seen = template.analyze()
    except LiquidError as fault:
        return None, [of_liquid(part, source, fault)]
    except RecursionError:
        return None, [mark(0, _("The blocks of this text stand too deep in one another."))]
    found = []
    for name, places in seen.globals.items():
        if name in known:
            continue
        for place in places[:3]:
            path = str(place)
            told = _("There is no placeholder {{ %(name)s }} in this kind of message.", name=path[:LONGEST_TOKEN])
            found.append(mark(place.span.index, told + _nearest(name, known), token=path))
    for name, spans in seen.filters.items():
        if name not in FILTERS:
            told = _("There is no filter “%(name)s”.", name=name[:LONGEST_TOKEN])
            found += [mark(span.index, told + _nearest(name, FILTERS), token=name) for span in spans[:3]]
    return set(seen.globals), found


def of_liquid(part: str, source: str, fault: Any) -> Finding:
    """An error of Liquid in plain words, at its place."""
    from liquid import exceptions

    mark, token = at(part, source), getattr(fault, "token", None)
    offset = token.start_index if token is not None else -1
    message = str(getattr(fault, "message", "") or fault).partition("\n")[0]
    if message.startswith("expected tag end") or offset < 0:
        return _unclosed(part, source, message)
    word = str(getattr(token, "value", ""))
    piece = _piece(source, offset)
    if message.startswith("unexpected tag"):
        if word.startswith(("end", "else", "when", "elsif")):
            told = _("{%% %(tag)s %%} closes or divides nothing that is open here.", tag=word)
        else:
            told = _("There is no tag {%% %(tag)s %%}.", tag=word[:LONGEST_TOKEN])
        return mark(offset, told, token=word)
    limits = (
        *(exceptions.LoopIterationLimitError, exceptions.LocalNamespaceLimitError),
        *(exceptions.OutputStreamLimitError, exceptions.ContextDepthError),
    )
    if isinstance(fault, limits):
        return mark(offset, _("This would run too long or grow too large: %(piece)s", piece=piece), token=piece)
    if "found end of file" in message:
        return mark(offset, _("%(piece)s is not closed.", piece=piece), token=piece)
    return mark(offset, _("%(piece)s cannot be read (%(fault)s).", piece=piece, fault=message[:120]), token=piece)


def _unclosed(part: str, source: str, message: str) -> Finding:
    """The block that is still open at the end, for which Liquid gives no place."""
    mark, still_open = at(part, source), list[tuple[str, int]]()
    for name, offset in _tags(source):
        if name in _BLOCKS:
            still_open.append((name, offset))
        elif name.startswith("end") and still_open and still_open[-1][0] == name[3:]:
            still_open.pop()
    if not still_open:
        return mark(0, _("This cannot be read (%(fault)s).", fault=message[:120]))
    name, offset = still_open[-1]
    told = _("{%% %(tag)s %%} is not closed: {%% end%(tag)s %%} is missing.", tag=name)
    return mark(offset, told, token=_piece(source, offset))


def _tags(source: str) -> Iterator[tuple[str, int]]:
    for found in _TAG.finditer(source):
        yield found[1], found.start()


def _piece(source: str, offset: int) -> str:
    """The whole placeholder or tag that holds a place."""
    start = max(source.rfind("{{", 0, offset + 2), source.rfind("{%", 0, offset + 2))
    start = offset if start < 0 else start
    closing = "}}" if source.startswith("{{", start) else "%}"
    end = source.find(closing, start)
    end = len(source) if end < 0 else end + 2
    return " ".join(source[start : min(end, start + LONGEST_TOKEN)].split())


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name[:60], list(known), n=1)
    return " " + _("Did you mean “%(name)s”?", name=close[0]) if close else ""
