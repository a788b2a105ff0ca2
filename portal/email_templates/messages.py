"""Sample values for every placeholder, and the test that somebody sends to themselves."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.email_templates import queries
from portal.kernel.errors import NotFound
from portal.mail.dates import LastDay
from portal.mail.models import Message
from portal.mail.outbox import Cancelled, Prepared
from portal.mail.placeholders import KNOWN, is_link
from portal.mail.texts import Source
from portal.settings.queries import absolute_url, site
from portal.staff import queries as staff

KIND = "template-test"
TEST_PAGE = "/test-link"
"""Where the links of a test lead."""
_PEOPLE = {
    "en": ("Anna", "Anna Weber", "Ben Carter", "Weber & Sons"),
    "de": ("Anna", "Anna Weber", "Bernd Köhler", "Weber & Söhne"),
    "fr": ("Aline", "Aline Moreau", "Benoît Lefèvre", "Moreau & Fils"),
    "es": ("Ana", "Ana Romero", "Bruno Núñez", "Romero e Hijos"),
    "ar": ("أمل", "أمل منصور", "بلال حداد", "منصور وأولاده"),
}
_ROLES = {
    "de": ("Lieferant", "Leser"),
    "fr": ("Fournisseur", "Lecteur"),
    "es": ("Proveedor", "Lector"),
    "ar": ("مورّد", "قارئ"),
}


def samples(kind: str, language: str, now: datetime, contact: Contact | None = None) -> dict[str, Any]:
    """A value for every placeholder of a kind; those of a contact where one is given. Links lead to the test page."""
    first, full, inviter, account = _PEOPLE.get(language, _PEOPLE["en"])
    settings = site()
    local = now.astimezone(settings.zone)
    values: dict[str, Any] = {
        "site_name": settings.name,
        "inviter_name": inviter,
        "owner_name": inviter,
        "contact_name": full,
        "contact_first_name": first,
        "name": first,
        "invitation_name": full,
        "link": absolute_url(TEST_PAGE),
        "code": "7K3M-9QXR-T2VD-8HNC" if kind != "second-factor" else "482 913",
        "redeem_url": absolute_url(TEST_PAGE),
        "expires_text": LastDay((local + timedelta(days=30)).date(), settings.zone),
        "account_name": account,
        "role_names": list(_ROLES.get(language, ("Supplier", "Reader"))),
        "personal_message": _("This is what the personal message of an invitation looks like.\nIt may have lines."),
        "minutes": 30,
        "hours": 72,
        "when": local,
        "words": _("What somebody wrote to you."),
        "items": [f"{full}: {account}", f"{inviter}: {account}"],
        "email": "anna.weber@company.example",
    }
    if contact is not None:
        values |= _of_contact(contact)
    return {name: _sample(name, values) for name in KNOWN.get(kind, ())}


def with_test_links(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same values, with every link leading to the page that says it was a test."""
    return {name: absolute_url(TEST_PAGE) if is_link(name) else value for name, value in values.items()}


def prepare_test(message: Message, now: datetime) -> Prepared:
    """A test of the texts in the message, to the staff member who asked for it."""
    member = staff.get(message.staff_id or 0)
    if not member.active:
        raise Cancelled(_("The staff member was deactivated."))
    told = message.detail
    try:
        template = queries.get(int(told["template"]))
    except NotFound as gone:
        raise Cancelled(_("The e-mail template is gone.")) from gone
    language = str(told["language"])
    texts = (f"[{told['mark']}] {told['subject']}", str(told["html"]), str(told["text"]))
    return Prepared(
        to=member.email,
        template=template.key,
        values=with_test_links(samples(template.kind, language, now)),
        language=language,
        source=Source(template.kind, language, *texts, sender=queries.sender_of(template)),
    )


def _sample(name: str, values: Mapping[str, Any]) -> Any:
    if name in values:
        return values[name]
    return absolute_url(TEST_PAGE) if is_link(name) else name.replace("_", " ")


def _of_contact(contact: Contact) -> dict[str, Any]:
    account = accounts.names([contact.account_id]).get(contact.account_id or 0, "")
    return {
        "contact_name": contact.name,
        "contact_first_name": contact.first_name or contact.name,
        "name": contact.first_name or contact.name,
        "invitation_name": contact.name,
        "account_name": account,
        "role_names": [role.name for role in contacts.web_roles(contact.id)],
        "email": contact.email1 or "",
    }
