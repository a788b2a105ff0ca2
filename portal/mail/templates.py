"""Turns a template and its values into subject, HTML and text. A template is data, never code."""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import css_inline
from liquid import BoundTemplate, Environment, StrictUndefined, Token
from liquid.exceptions import LiquidSyntaxError
from markupsafe import Markup

from portal.mail.placeholders import RIGHT_TO_LEFT, filled, is_link
from portal.mail.texts import FIRST_LANGUAGE, ROOT, Source, read, source
from portal.settings.queries import operator

TAGS = (
    "if",
    "unless",
    "case",
    "for",
    "assign",
    "comment",
    "#",
    "echo",
    "break",
    "continue",
    "content",
    "output",
    "illegal",
)
FILTERS = (
    *("escape", "default", "date", "upcase", "downcase", "capitalize", "strip", "truncate", "truncatewords", "size"),
    *("join", "first", "last", "plus", "minus", "url_encode", "newline_to_br", "strip_html"),
)
LONGEST_SUBJECT = 200
LONGEST_PIECE, MOST_IN_LOOPS, LONGEST_IN_LOOPS = 1_000, 100, 1_500
"""Characters of one placeholder or tag, how many of them may stand in loops, and with how many characters together:
what Liquid leaves without limit."""
MOST_STYLING = 1_000_000
"""Rules of style times elements: each rule is looked for at each element."""
_OPENING = re.compile(r"\{\{|\{%-?\s*(\w*)")
_RAW_ENDS = re.compile(r"\{%-?\s*end(?:raw|doc)\s*-?%\}")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


class Rendered(NamedTuple):
    """A message ready to be framed. `links` and `secrets` say what in it opens a door: the outbox masks the latter."""

    subject: str
    html: str
    text: str
    links: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    language: str = FIRST_LANGUAGE
    version_id: int | None = None
    sender: str | None = None


class _Limited(Environment):
    """Liquid that cannot run long or grow large."""

    context_depth_limit = 8
    loop_iteration_limit = 2_000
    local_namespace_limit = 20_000
    output_stream_limit = 256_000

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(autoescape=autoescape, undefined=StrictUndefined)
        self.tags = {name: tag for name, tag in self.tags.items() if name in TAGS}
        self.filters = {name: self.filters[name] for name in FILTERS}


_html, _plain = _Limited(autoescape=True), _Limited(autoescape=False)
_inliner = css_inline.CSSInliner(
    inline_style_tags=True, keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False
)


class _Template(NamedTuple):
    subject: BoundTemplate
    html: BoundTemplate
    text: BoundTemplate


def render(key: str, values: Mapping[str, Any], language: str = FIRST_LANGUAGE) -> Rendered:
    """The message that the template `key` makes of `values` (see `placeholders.KNOWN`), in `language` or the nearest
    there is.

    Raises Inactive, and ValueError or a Liquid error when it cannot be made.
    """
    return made(source(key, language), values)


def made(found: Source, values: Mapping[str, Any], *, passing: bool = False) -> Rendered:
    """The message that these texts make of `values`; `passing` for a draft, which is not remembered.

    Raises ValueError or a Liquid error.
    """
    compiled = _compile if passing else _compiled
    template = compiled(found.subject, found.html, found.text)
    given = filled(found.kind, dict(values), operator().base_url, found.language)
    content = Markup(template.html.render(**given))  # noqa: S704  (Liquid has escaped every value in it)
    if styling(content) > MOST_STYLING:
        raise ValueError("too many rules of style for so many elements")
    # A message of several lines may stand in the subject, which has but one.
    subject = " ".join(template.subject.render(**given).split())
    turned = found.language in RIGHT_TO_LEFT
    page = _layout().render(
        content=content,
        site_name=values.get("site_name"),
        subject=subject,
        language=found.language,
        direction="rtl" if turned else "ltr",
        start="right" if turned else "left",
    )
    links = tuple(dict.fromkeys(str(value) for name, value in given.items() if is_link(name) and value))
    return Rendered(
        subject=subject[:LONGEST_SUBJECT],
        html=_inliner.inline(page),
        text=_tidy(template.text.render(**given)),
        links=links,
        secrets=tuple(_tokens(links)) + ((str(given["code"]),) if given.get("code") else ()),
        language=found.language,
        version_id=found.version_id,
        sender=found.sender,
    )


def parsed(text: str, *, html: bool = False) -> BoundTemplate:
    """A text as Liquid reads it, for checking. Raises a Liquid error."""
    _bounded(text)
    return (_html if html else _plain).from_string(text)


def styling(html: str) -> int:
    """How much work it is to write the rules of style into the elements."""
    return html.count("{") * html.count("<")


def _tokens(links: tuple[str, ...]) -> list[str]:
    """The part of each link that must stay between us and the recipient."""
    return [token for link in links if len(token := link.rpartition("/")[2]) >= 16]


def _tidy(text: str) -> str:
    """Without the gaps that left-out parts leave: at most one empty line in a row."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "\n".join(line for n, line in enumerate(lines) if line or lines[n - 1]) + "\n"


def _bounded(text: str) -> None:
    """Refuse what Liquid would take minutes to read or to fill in, by reading once over it.

    Its lexer looks from every opening to the end of the text for the closing, its limit on loops counts rounds and not
    what is done in each, and a range outside of a loop is made whole. Raises LiquidSyntaxError.
    """
    position = loops = inside = length = 0
    while found := _OPENING.search(text, position):
        start, tag = found.start(), found[1]
        closing = "}}" if tag is None else "%}"
        end = text.find(closing, start + 2, start + LONGEST_PIECE)
        if end < 0:
            raise _refusal(f"expected '{closing}', found end of file", text, start)
        position = end + 2
        if tag in ("raw", "doc"):
            ends = _RAW_ENDS.search(text, position)
            if ends is None:
                raise _refusal(f"expected tag end{tag}", text, start)
            position = ends.end()
        loops += (tag == "for") - (tag == "endfor")
        inside += loops > 0
        length += (end - start) * (loops > 0)  # a piece may hold a hundred filters or comparisons
        if inside > MOST_IN_LOOPS or length > LONGEST_IN_LOOPS:
            raise _refusal("too much stands in loops", text, start)
        if tag != "for" and ".." in _QUOTED.sub("", text[start:end]):
            raise _refusal("a range may stand in the tag for only", text, start)


def _refusal(message: str, text: str, start: int) -> LiquidSyntaxError:
    return LiquidSyntaxError(message, token=Token("EOF", text[start : start + 80], start, text))


def _compile(subject: str, html: str, text: str) -> _Template:
    return _Template(parsed(subject), parsed(html, html=True), parsed(text))


_compiled = lru_cache(maxsize=256)(_compile)


@cache
def _layout() -> BoundTemplate:
    return _html.from_string(read(ROOT / "layout.html"))
