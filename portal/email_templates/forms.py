"""The forms of an e-mail template: its texts, and what surrounds them."""

from typing import Any

from flask import url_for
from flask_babel import lazy_gettext as _l
from wtforms import TextAreaField

from portal.contacts import queries as contacts
from portal.email_templates.services import Texts
from portal.email_templates.services.describing import LONGEST_DESCRIPTION, LONGEST_NAME, Surroundings
from portal.mail.texts import LONGEST_SOURCE
from portal.web.forms import Address, Form, Line, Longest, NoControls, NotBlank, Picker, Version


def _unix(text: str | None) -> str:
    """With the line ends of files, as forms send others; else as it was typed."""
    return (text or "").replace("\r\n", "\n").replace("\r", "\n")


class SourceText(TextAreaField):
    """The source of a template."""

    data: str  # `_unix` never leaves None

    def __init__(self, label: Any, **more: Any) -> None:
        checks = [NotBlank(), Longest(LONGEST_SOURCE), NoControls(lines=True)]
        super().__init__(label, checks, filters=[_unix], **more)


class TextsForm(Form):
    """The texts of a template in one language; `version` is the number of the version they are made from."""

    subject = Line(_l("Subject"), most=200, needed=True)
    html = SourceText(_l("HTML"))
    text = SourceText(_l("Plain text"))
    note = Line(_l("What you changed"), most=200)
    preview_as = Picker(_l("Show it as"), offer=contacts.by_ids, search=contacts.options)
    version = Version()

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.preview_as.search_url = url_for("contacts.options")

    def texts(self) -> Texts:
        """What was typed."""
        return Texts(self.subject.data or "", self.html.data or "", self.text.data or "")

    def begin(self, texts: Texts, number: int, contact_id: int | None = None) -> None:
        """Fill the form with what there is to change."""
        self.subject.data, self.html.data, self.text.data = texts
        self.version.data = str(number)
        if contact_id:
            self.preview_as.data = [contact_id]


class NewForm(Form):
    """A template of the site's own."""

    name = Line(_l("Name"), most=LONGEST_NAME, needed=True)
    description = Line(_l("Description"), most=LONGEST_DESCRIPTION)
    sender = Address(_l("From"))

    def values(self) -> Surroundings:
        """What was typed."""
        return Surroundings(self.name.data, self.description.data, self.sender.data)


class DescribeForm(NewForm):
    """Name and sender of a template that exists."""

    version = Version()
