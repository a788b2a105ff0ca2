"""Every template compiles, has a title, and holds nothing that the content policy would refuse."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal.mail import models as _mail  # noqa: F401  (the mail templates are Liquid, read by portal.mail.templates)

ROOT = Path(__file__).parent.parent.parent
TEMPLATES = ROOT / "templates"
PAGES = sorted(path for path in TEMPLATES.rglob("*.html") if "mail" not in path.relative_to(TEMPLATES).parts[:1])
MARKUP = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.S)
WORD = re.compile(r"[A-Za-z]{2,}")
REFUSED = {
    "an inline script": r"<script(?![^>]*\bsrc=)",
    "a style element": r"<style\b",
    "a style attribute": r"\sstyle\s*=",
    "a handler attribute": r"\son[a-z]+\s*=\s*[\"'{]",
    "hx-on": r"\bhx-on\b",
    "a javascript address": r"javascript:",
    "a js: value": r"[\"']\s*js:",
    "a trigger filter": r"hx-trigger=\"[^\"]*\[",
    "unescaped output": r"\|\s*safe\b|autoescape\s+false",
    "an address of another host": r"(?:src|href|action)=[\"'](?:https?:)?//",
}


def name(path: Path) -> str:
    return path.relative_to(TEMPLATES).as_posix()


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_it_holds_nothing_the_policy_refuses(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.S)
    assert not [what for what, pattern in REFUSED.items() if re.search(pattern, text, re.I)]


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_its_attributes_are_quoted(path: Path) -> None:
    text = MARKUP.sub("§", path.read_text(encoding="utf-8"))
    tags = re.findall(r"<[a-z][a-z0-9-]*\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>", text)
    assert not [tag for tag in tags if re.search(r"\s[a-z-]+=(?![\"'])", re.sub(r"\"[^\"]*\"|'[^']*'", '""', tag))]


@pytest.mark.sqlite_only
def test_every_template_compiles(app: Flask) -> None:
    for path in PAGES:
        app.jinja_env.get_template(name(path))


@pytest.mark.parametrize("path", [p for p in PAGES if not p.name.startswith("_")], ids=name)
def test_every_page_has_a_title(path: Path) -> None:
    if path.relative_to(TEMPLATES).parts[0].startswith("_"):
        return
    text = path.read_text(encoding="utf-8")
    extends = re.search(r"\{% extends (.*?) %\}", text)
    assert extends, "a page extends a layout; a fragment's name begins with an underscore"
    block = "heading" if "dialog" in extends.group(1) else "title"
    own = re.search(r"\{%-?\s*block (?:title|heading)\s*-?%\}(.*?)\{%-?\s*endblock", text, re.S)
    assert own, f"no block {block}"
    assert own.group(1).strip()


def visible_texts(source: str) -> Iterator[str]:
    """What stands between the tags, and in the attributes that people read."""
    text = re.sub(r"\{#.*?#\}", "", source, flags=re.S)
    text = re.sub(r"\{%\s*(raw|trans).*?end\1\s*%\}", "", text, flags=re.S)
    text = MARKUP.sub("", text)
    yield from re.findall(r"\s(?:title|alt|placeholder|aria-label)=\"([^\"]*)\"", text)
    between = re.findall(r">([^<>]+)<", re.sub(r"<!--.*?-->", "", text, flags=re.S))
    yield from (text for text in between if not re.match(r"\s*[a-z-]+=\"", text))  # a macro that makes attributes


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_every_visible_text_can_be_translated(path: Path) -> None:
    texts = [" ".join(text.split()) for text in visible_texts(path.read_text(encoding="utf-8"))]
    assert not [text for text in texts if WORD.search(text)]
