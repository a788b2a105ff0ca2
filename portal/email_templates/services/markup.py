"""Checks the HTML and the plain text of a template: links, elements that mail programs drop, tags left open."""

import re
from collections.abc import Iterator

from flask_babel import gettext as _

from portal.email_templates.services.finding import HTML, Finding, at
from portal.mail.placeholders import is_link

_OPEN = re.compile(r"\{\{|\{%|<!--")
_CLOSE = {"{{": "}}", "{%": "%}", "<!--": "-->"}
_ELEMENT = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)([^<>]*)>?")
_LINK = re.compile(r"(?:\bhttps?:)?//[^\s\"'<>{}]+|\bmailto:[^\s\"'<>{}]+|\bwww\.[^\s\"'<>{}]+", re.IGNORECASE)
_SCRIPT = re.compile(r"\bjavascript:|\bvbscript:|\bdata:text", re.IGNORECASE)
_HANDLER = re.compile(r"\son[a-z]+\s*=", re.IGNORECASE)
_ADDRESS = re.compile(r"\b(?:href|src|action|background)\s*=\s*[\"']?\s*\{\{-?\s*([a-zA-Z_]+)", re.IGNORECASE)
DROPPED = frozenset(
    {
        *("script", "iframe", "object", "embed", "form", "input", "button", "base", "link", "meta", "svg", "video"),
        *("audio", "frame", "frameset", "html", "head", "body", "textarea", "select", "template", "noscript"),
    }
)
VOID = frozenset({"area", "br", "col", "hr", "img", "wbr", "source", "track"})
OPTIONAL = frozenset({"p", "li", "dt", "dd", "option"})
"""Elements that browsers close by themselves."""


def check(source: str) -> list[Finding]:
    """What is wrong with the HTML of a template that Liquid can read."""
    mark, bare, found = at(HTML, source), blanked(source), list[Finding]()
    for place in _ADDRESS.finditer(source):
        if not is_link(place[1]):
            told = _("{{ %(name)s }} is no address, so no link may lead there.", name=place[1][:80])
            found.append(mark(place.start(), told, token=place[0]))
    for place in _SCRIPT.finditer(bare):
        found.append(
            mark(place.start(), _("Mail programs run no scripts: take “%(it)s” out.", it=place[0]), token=place[0])
        )
    for element in _ELEMENT.finditer(bare):
        name = element[2].lower()
        if not element[1] and name in DROPPED:
            told = _("Mail programs drop <%(name)s>: take it out.", name=name)
            found.append(mark(element.start(), told, token=f"<{name}>"))
        elif handler := _HANDLER.search(element[3]):
            told = _("Mail programs run no scripts: take “%(it)s” out.", it=handler[0].strip())
            found.append(mark(element.start(), told, token=handler[0].strip()))
    found += [mark(offset, told, error=False, token=token) for offset, told, token in _unbalanced(bare)]
    return [*found, *_links(HTML, source, bare)]


def plain(part: str, source: str) -> list[Finding]:
    """What is wrong with a subject or a plain text."""
    return _links(part, source, blanked(source))


def blanked(source: str) -> str:
    """The source with blanks where placeholders, tags of Liquid and comments stand, every character in its place."""
    pieces, position = [], 0
    while start := _OPEN.search(source, position):
        end = source.find(_CLOSE[start[0]], start.end())
        if end < 0:
            break
        end += len(_CLOSE[start[0]])
        pieces += [source[position : start.start()], re.sub(r"[^\n]", " ", source[start.start() : end])]
        position = end
    return "".join([*pieces, source[position:]])


def _links(part: str, source: str, bare: str) -> list[Finding]:
    mark = at(part, source)
    told = _("“%(link)s” is written into the text: it stays the same for everybody, also when this site moves.")
    return [
        mark(place.start(), told % {"link": place[0][:60]}, error=False, token=place[0])
        for place in list(_LINK.finditer(bare))[:5]
    ]


def _unbalanced(bare: str) -> Iterator[tuple[int, str, str]]:
    """Tags that open and never close, or close what is not open; at most five."""
    still_open: list[tuple[str, int]] = []
    wrong: list[tuple[int, str, str]] = []
    for element in _ELEMENT.finditer(bare):
        name = element[2].lower()
        if name in VOID or name in OPTIONAL or element[3].rstrip().endswith("/"):
            continue
        if not element[0].endswith(">"):
            wrong.append((element.start(), _("<%(name)s has no closing “>”.", name=name), element[0]))
        elif not element[1]:
            still_open.append((name, element.start()))
        elif still_open and still_open[-1][0] == name:
            still_open.pop()
        elif name in {one for one, _at in still_open[-8:]}:
            while still_open[-1][0] != name:
                left, offset = still_open.pop()
                wrong.append((offset, _("<%(name)s> is not closed.", name=left), f"<{left}>"))
            still_open.pop()
        else:
            wrong.append((element.start(), _("</%(name)s> closes nothing.", name=name), f"</{name}>"))
    wrong += [(offset, _("<%(name)s> is not closed.", name=name), f"<{name}>") for name, offset in still_open]
    yield from sorted(wrong)[:5]
