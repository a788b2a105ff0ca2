"""Shows a text as its reader would get it: filled in, in light or dark, with what is wrong beside it."""

import re
from datetime import datetime
from typing import NamedTuple

from portal.contacts import queries as contacts
from portal.email_templates import messages
from portal.email_templates.models import EmailTemplate
from portal.email_templates.services.checking import BROKEN, check
from portal.email_templates.services.finding import Finding, Texts
from portal.mail.texts import Source

LIGHT, DARK = SCHEMES = ("light", "dark")
_DARK_RULES = re.compile(r"@media[^{}@]*?prefers-color-scheme\s*:\s*dark[^{}@]*")
_SCHEME_NOTE = re.compile(r"(<meta name=\"(?:supported-)?color-schemes?\" content=\")[^\"]*")


class Preview(NamedTuple):
    """A filled-in text; all three parts are empty where it cannot be filled in, `findings` says why."""

    subject: str
    html: str
    text: str
    findings: list[Finding]

    @property
    def whole(self) -> bool:
        """Whether there is something to show."""
        return bool(self.html)


def preview(
    template: EmailTemplate, language: str, texts: Texts, now: datetime, contact_id: int | None = None
) -> Preview:
    """The texts filled in for a contact, or with sample values. Raises nothing for texts that are wrong."""
    from liquid.exceptions import LiquidError

    from portal.mail import templates

    broken: tuple[type[Exception], ...] = (LiquidError, *BROKEN)
    found = check(template.kind, language, texts, now)
    values = messages.samples(template.kind, language, now, contacts.find(contact_id) if contact_id else None)
    try:
        made = templates.made(Source(template.kind, language, *texts), values, passing=True)
    except broken:
        return Preview("", "", "", found)
    return Preview(made.subject, made.html, made.text, found)


def page_of(html: str, scheme: str) -> str:
    """A mail as a reader in this scheme sees it, whatever scheme the reader of the preview has chosen."""
    rules = "@media all" if scheme == DARK else "@media not all"
    return _SCHEME_NOTE.sub(rf"\g<1>{scheme if scheme in SCHEMES else LIGHT}", _DARK_RULES.sub(f"{rules} ", html))
