"""Turns a template and its values into subject, HTML and text. A template is data, never code."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import css_inline
from liquid import BoundTemplate, Environment, StrictUndefined
from markupsafe import Markup

from portal.mail.placeholders import filled, is_link
from portal.settings.queries import operator

ROOT = Path(__file__).parent.parent.parent / "templates" / "mail"
LANGUAGES = ("en",)
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
LONGEST_SOURCE = 50_000
LONGEST_SUBJECT = 200


class Rendered(NamedTuple):
    """A message ready to be framed. `links` and `secrets` say what in it opens a door: the outbox masks the latter."""

    subject: str
    html: str
    text: str
    links: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


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


def render(name: str, values: Mapping[str, Any], language: str = "en") -> Rendered:
    """The message that `name` makes of `values` (see `placeholders.KNOWN`).

    Raises ValueError or a Liquid error when it cannot be made.
    """
    template = _load(name, language if language in LANGUAGES else "en")
    given = filled(name, dict(values), operator().base_url)
    content = Markup(template.html.render(**given))  # noqa: S704  (Liquid has escaped every value in it)
    page = _layout(language if language in LANGUAGES else "en").render(
        content=content, site_name=given["site_name"], subject=(subject := template.subject.render(**given).strip())
    )
    links = tuple(dict.fromkeys(str(value) for key, value in given.items() if is_link(key) and value))
    return Rendered(
        subject=subject[:LONGEST_SUBJECT],
        html=_inliner.inline(page),
        text=_tidy(template.text.render(**given)),
        links=links,
        secrets=tuple(_tokens(links)) + ((str(given["code"]),) if given.get("code") else ()),
    )


def _tokens(links: tuple[str, ...]) -> list[str]:
    """The part of each link that must stay between us and the recipient."""
    return [token for link in links if len(token := link.rpartition("/")[2]) >= 16]


def _tidy(text: str) -> str:
    """Without the gaps that left-out parts leave: at most one empty line in a row."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    return "\n".join(line for n, line in enumerate(lines) if line or lines[n - 1]) + "\n"


@cache
def _load(name: str, language: str) -> _Template:
    folder = ROOT / language
    return _Template(
        _plain.from_string(_source(folder / f"{name}.subject.txt")),
        _html.from_string(_source(folder / f"{name}.html")),
        _plain.from_string(_source(folder / f"{name}.txt")),
    )


@cache
def _layout(language: str) -> BoundTemplate:
    return _html.from_string(_source(ROOT / language / "layout.html"))


def _source(path: Path) -> str:
    source = path.read_text(encoding="utf-8")
    if len(source) > LONGEST_SOURCE:
        raise ValueError(f"{path.name} is too long")
    return source
