"""The form of a contact."""

from collections.abc import Sequence
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, SelectField, SelectMultipleField

from portal.accounts import queries as accounts
from portal.contacts.models import Contact
from portal.contacts.services import LANGUAGES, ContactValues, languages
from portal.roles.models import WebRole
from portal.web.forms import Address, Form, Line, Picker, Version, choices


class WebRoles(SelectMultipleField):
    """Ticks for web roles. Whether a ticked one may be given is the service's to say: that is a 403, not a typo."""

    def __init__(self, label: Any, **more: Any) -> None:
        super().__init__(label, coerce=_number, validate_choice=False, **more)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        try:
            self.data = [_number(value) for value in valuelist]
        except ValueError as fault:
            self.data = []
            raise ValueError(_("Please choose from the list.")) from fault


class ContactForm(Form):
    """A new contact; offers the web roles that its user may give."""

    first_name = Line(_l("First name"), most=100)
    last_name = Line(_l("Last name"), most=100)
    email1 = Address(_l("Primary e-mail"))
    create_anyway = BooleanField(_l("Create anyway"))
    email2 = Address(_l("Second e-mail"))
    email3 = Address(_l("Third e-mail"))
    phone = Line(_l("Phone"), most=50, render_kw={"type": "tel"})
    account = Picker(_l("Account"), offer=accounts.by_ids, search=accounts.options)
    language = SelectField(_l("Language"))
    web_roles = WebRoles(_l("Web roles"))

    def __init__(self, grantable: Sequence[WebRole], **more: Any) -> None:
        super().__init__(**more)
        self.account.search_url = url_for("accounts.options")
        self.language.choices = choices(languages().items())
        if self.language.data is None:
            self.language.data = LANGUAGES[0]
        self.web_roles.choices = choices((role.id, role.name) for role in grantable)
        self.offered = {role.id for role in grantable}

    def values(self) -> ContactValues:
        """What was typed."""
        return ContactValues(
            first_name=self.first_name.data or "",
            last_name=self.last_name.data or "",
            email1=self.email1.data or "",
            email2=self.email2.data or "",
            email3=self.email3.data or "",
            phone=self.phone.data or "",
            account_id=self.account.one,
            language=self.language.data,
            web_roles=tuple(self.web_roles.data or ()),
            create_anyway=bool(self.create_anyway.data),
        )


class EditContactForm(ContactForm):
    """A contact that exists."""

    version = Version()


def typed_from(contact: Contact, role_ids: Sequence[int]) -> dict[str, Any]:
    """What the form of a contact holds when it is opened."""
    plain = ("first_name", "last_name", "email1", "email2", "email3", "phone", "language", "version")
    return {
        **{name: getattr(contact, name) for name in plain},
        "account": contact.account_id,
        "web_roles": list(role_ids),
    }


def _number(value: object) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise ValueError(text)
    return int(text)
