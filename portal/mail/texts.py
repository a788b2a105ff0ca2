"""The texts of templates: those that ship with the portal, and whom to ask for others; nothing here renders."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from portal.mail.placeholders import KNOWN

ROOT = Path(__file__).parent.parent.parent / "templates" / "mail"
FIRST_LANGUAGE = "en"
LONGEST_SOURCE = 50_000


class Source(NamedTuple):
    """The texts of a template that are in force for a language. `kind` names its placeholders; `language` is the one
    the texts are in, which a fallback may have made another; `version_id` the saved version, None for shipped texts;
    `sender` the template's own From address, None for the site's."""

    kind: str
    language: str
    subject: str
    html: str
    text: str
    version_id: int | None = None
    sender: str | None = None


class Inactive(Exception):
    """The template is deactivated: nothing is sent with it. `name` is what it is called."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


sources: list[Callable[[str, str], Source | None]] = []
"""Who is asked for a template's texts in a language before the shipped files are; filled by the composition root."""


def source(key: str, language: str) -> Source:
    """The texts in force. Raises Inactive, ValueError for a template that nobody has."""
    for find in sources:
        found = find(key, language)
        if found is not None:
            return found
    return shipped(key, language)


@cache
def shipped(key: str, language: str, *, strict: bool = False) -> Source:
    """The texts that ship with the portal, in `language`, else in English. Raises ValueError where there are none, with
    `strict` also where there are none in `language`."""
    for chosen in (language,) if strict else (language, FIRST_LANGUAGE):
        folder = ROOT / chosen
        if key in KNOWN and (folder / f"{key}.html").is_file():
            names = (f"{key}.subject.txt", f"{key}.html", f"{key}.txt")
            subject, html, text = (read(folder / name) for name in names)
            return Source(key, chosen, subject, html, text)
    raise ValueError(f"there is no template {key}")


def read(path: Path) -> str:
    """A shipped file. Raises ValueError for one that is too long."""
    source = path.read_text(encoding="utf-8")
    if len(source) > LONGEST_SOURCE:
        raise ValueError(f"{path.name} is too long")
    return source
