"""Reading a page as a person does: title, headings, text, links, forms and what their fields hold."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl

VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
UNSEEN = frozenset({"script", "style", "template", "head"})
Values = dict[str, list[str]]


@dataclass
class Element:
    """An element of the page; `children` holds elements and texts in their order."""

    tag: str
    attrs: dict[str, str]
    children: "list[Element | str]" = field(default_factory=list)

    def walk(self) -> "Iterator[Element]":
        """This element and all below it, in the order of the page."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.walk()

    def all(self, tag: str = "", *, cls: str = "", **attrs: str | None) -> "list[Element]":
        """Elements by tag, class and attributes (`data_testid="x"`; None: present, whatever its value)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attrs.items()}
        return [
            e
            for e in self.walk()
            if (not tag or e.tag == tag)
            and (not cls or cls in e.attrs.get("class", "").split())
            and all(name in e.attrs and value in (None, e.attrs[name]) for name, value in wanted.items())
        ]

    def first(self, tag: str = "", *, cls: str = "", **attrs: str | None) -> "Element":
        """The first of `all(…)`; AssertionError when there is none."""
        found = self.all(tag, cls=cls, **attrs)
        assert found, f"no <{tag or '*'}> {cls} {attrs} on the page"
        return found[0]

    @property
    def text(self) -> str:
        """What a reader sees of it, blanks folded."""
        return re.sub(r"\s+", " ", "".join(self._texts())).strip()

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in UNSEEN:
                yield " "
                yield from child._texts()
                yield " "


@dataclass
class Form(Element):
    """A form and what it would send now; `outside` are the controls that name it by `form="…"`."""

    outside: list[Element] = field(default_factory=list)

    @property
    def action(self) -> str:
        """Where it goes; empty: to the page itself."""
        return self.attrs.get("action", "")

    @property
    def method(self) -> str:
        return self.attrs.get("method", "get").lower()

    @property
    def controls(self) -> list[Element]:
        """Its inputs, selects and text areas that are not disabled."""
        kinds = ("input", "select", "textarea")
        found = [e for e in self._parts() if e.tag in kinds and e.attrs.get("name") and "disabled" not in e.attrs]
        return [e for e in found if e.attrs.get("form", self.attrs.get("id")) == self.attrs.get("id")]

    def _parts(self) -> Iterator[Element]:
        yield from self.walk()
        yield from self.outside

    @property
    def names(self) -> set[str]:
        """The names that can be sent, those of its buttons included."""
        buttons = {e.attrs["name"] for e in self.buttons if e.attrs.get("name")}
        return {e.attrs["name"] for e in self.controls} | buttons

    @property
    def values(self) -> Values:
        """What its fields hold."""
        sent: Values = {}
        for control in self.controls:
            for value in _held(control):
                sent.setdefault(control.attrs["name"], []).append(value)
        return sent

    @property
    def buttons(self) -> list[Element]:
        """Its submit buttons, in order."""
        pressed = [
            e for e in self._parts() if e.tag == "button" or (e.tag == "input" and e.attrs.get("type") == "submit")
        ]
        return [e for e in pressed if e.attrs.get("type", "submit") == "submit"]

    @property
    def token(self) -> str:
        """Its CSRF token; empty when it has none."""
        return (self.values.get("csrf_token") or [""])[0]


def _held(control: Element) -> list[str]:
    attrs = control.attrs
    if control.tag == "textarea":
        text = "".join(child for child in control.children if isinstance(child, str))
        return [text.removeprefix("\r").removeprefix("\n")]
    if control.tag == "select":
        options = control.all("option")
        chosen = [o for o in options if "selected" in o.attrs]
        if not chosen and "multiple" not in attrs:
            chosen = options[:1]
        return [o.attrs.get("value", o.text) for o in chosen]
    kind = attrs.get("type", "text")
    if kind in ("submit", "button", "image", "reset", "file"):
        return []
    if kind in ("checkbox", "radio"):
        return [attrs.get("value", "on")] if "checked" in attrs else []
    return [attrs.get("value", "")]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = (Form if tag == "form" else Element)(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self.open) - 1, 0, -1):
            if self.open[depth].tag == tag:
                del self.open[depth:]
                return

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


class Page:
    """A parsed answer: `Page(response)` or `Page("<p>…")`."""

    def __init__(self, source: Any) -> None:
        self.status: int = getattr(source, "status_code", 200)
        self.html: str = source if isinstance(source, str) else source.get_data(as_text=True)
        parser = _Parser()
        parser.feed(self.html)
        parser.close()
        self.root = parser.root
        self.all, self.first = self.root.all, self.root.first
        named = {form.attrs["id"]: form for form in self.forms if form.attrs.get("id")}
        for element in self.all(form=None):
            form = named.get(element.attrs["form"])
            if form is not None and element not in form.walk():
                form.outside.append(element)

    @property
    def text(self) -> str:
        """All that can be read on the page."""
        return self.root.text

    @property
    def title(self) -> str:
        return " ".join(e.text for e in self.all("title")[:1])

    @property
    def heading(self) -> str:
        """The text of its h1."""
        return " ".join(e.text for e in self.all("h1")[:1])

    @property
    def forms(self) -> list[Form]:
        return [e for e in self.root.walk() if isinstance(e, Form)]

    @property
    def posts(self) -> list[Form]:
        """The forms that POST."""
        return [form for form in self.forms if form.method == "post"]

    def form(self, action: str | None = None, *, holding: set[str] | None = None) -> Form:
        """The form that POSTs to `action` (its path), else the one that holds most of the given names."""
        found = self.posts
        if action is not None:
            path = action.partition("?")[0]
            found = [f for f in found if f.action.partition("?")[0] in (path, "")] or found
            exact = [f for f in found if f.action.partition("?")[0] == path]
            found = exact or found
        assert found, f"no form that posts to {action or 'anywhere'} on the page {self.title!r}"
        return max(found, key=lambda f: len(f.names & (holding or set())))

    @property
    def links(self) -> dict[str, str]:
        """Address by text of each link; the first wins."""
        found: dict[str, str] = {}
        for link in self.all("a", href=None):
            found.setdefault(link.text, link.attrs["href"])
        return found

    def link(self, text: str) -> str:
        """The address of the first link whose text contains `text`."""
        found = [href for label, href in self.links.items() if text in label]
        assert found, f"no link {text!r}; there are {sorted(self.links)}"
        return found[0]

    def has_button(self, text: str) -> bool:
        """Whether a button or a link looks like this."""
        return any(text in e.text for e in self.root.walk() if e.tag in ("button", "a"))

    @property
    def errors(self) -> dict[str, str]:
        """What stands beside the fields, by the field's id."""
        return {
            e.attrs["id"].removesuffix("-error"): e.text.removeprefix("Error: ")
            for e in self.all(cls="field-error")
            if e.attrs.get("id", "").endswith("-error")
        }

    @property
    def toasts(self) -> list[str]:
        """The flashed messages."""
        return [e.text for e in self.all(data_toast=None)]

    def testid(self, name: str) -> Element:
        """The element with this `data-testid`."""
        return self.first(data_testid=name)


def query_of(url: str) -> dict[str, str]:
    """The query of an address as a dictionary."""
    return dict(parse_qsl(url.partition("?")[2].partition("#")[0], keep_blank_values=True))
