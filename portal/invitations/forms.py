"""The forms of an invitation: the record, and finding one by its code."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import DateField, Field, RadioField, SelectField, SelectMultipleField
from wtforms.validators import InputRequired
from wtforms.widgets import TextInput

from portal.accounts import queries as accounts
from portal.contacts import queries as contacts
from portal.contacts.services import languages
from portal.invitations.models import ANYONE, GROUP, INVITED, SINGLE
from portal.invitations.queries import reminders
from portal.invitations.queries.values import InvitationValues
from portal.kernel.codes import LONGEST_TYPED
from portal.roles import queries as roles
from portal.roles.models import WebRole
from portal.staff import queries as staff
from portal.staff.permissions import Permission, StaffActor, may_grant
from portal.web.forms import Form, Line, Lines, Picker, Version, WholeNumber, choices, clean
from portal.workflows import queries as workflows

LONGEST_NAME, LONGEST_MESSAGE = 200, 2000
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Day(DateField):
    """One calendar day, or nothing; anything that is not YYYY-MM-DD gets one plain message."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        self.data = None
        text = clean(valuelist[0]) if valuelist else ""
        if not text:
            return
        try:
            self.data = date.fromisoformat(text) if _DAY.fullmatch(text) else None
        except ValueError:
            self.data = None
        if self.data is None:
            raise ValueError(_("Please enter a day as year-month-day, such as 2027-01-31."))


class Days(Field):
    """Numbers of days, such as "3, 7"; `data` is a tuple of them, `typed` what stands in the field."""

    widget = TextInput()
    data: tuple[int, ...]
    typed: str | None = None

    def process_data(self, value: Any) -> None:
        self.data = tuple(value or ())

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        if not valuelist:
            self.data = ()
            return
        self.typed = clean(valuelist[0])
        days = reminders.parse_days(self.typed)
        self.data = days or ()
        if days is None:
            raise ValueError(_("Please enter numbers of days, such as 3, 7."))

    def _value(self) -> str:
        return self.typed if self.typed is not None else reminders.listed(self.data or ())


class Chosen(SelectMultipleField):
    """Tick boxes whose values are ids; whether each may be chosen is for the service to say."""

    def __init__(self, label: Any, **more: Any) -> None:
        super().__init__(label, coerce=int, validate_choice=False, **more)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        good = [int(v) for v in valuelist if v.isascii() and v.isdigit() and len(v) <= 9]
        self.data = list(dict.fromkeys(good))
        if len(good) != len(valuelist):
            raise ValueError(_("Please choose from the list."))


class OneOf(SelectField):
    """A select whose values are ids, or nothing where it offers nothing."""

    def __init__(self, label: Any, **more: Any) -> None:
        super().__init__(label, coerce=str, validate_choice=False, **more)

    @property
    def one(self) -> int | None:
        """The id chosen; 0 for what is no id."""
        text = str(self.data or "")
        if not text:
            return None
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0


class InvitationForm(Form):
    """A new invitation."""

    name = Line(_l("Name"), most=LONGEST_NAME, needed=True)
    type = RadioField(
        _l("Type"),
        [InputRequired(_l("Please choose Single or Group."))],
        choices=choices(
            [
                (SINGLE, _l("Single – one contact, one redemption")),
                (GROUP, _l("Group – several contacts, several redemptions")),
            ]
        ),
        validate_choice=False,
    )
    owner = OneOf(_l("Owner"))
    code = Line(_l("Invitation code"), most=LONGEST_TYPED)
    expires_on = Day(_l("Expires on"))
    inviter = Picker(_l("Inviter"), offer=contacts.by_ids, search=contacts.options)
    contacts = Picker(_l("Invited contacts"), offer=contacts.by_ids, search=contacts.options, multiple=True)
    account = Picker(_l("Assign to account"), offer=accounts.by_ids, search=accounts.options)
    workflow = OneOf(_l("Workflow on redemption"))
    web_roles = Chosen(_l("Assign to web roles"))
    max_redemptions = WholeNumber(_l("Maximum redemptions"))
    redeemable_by = SelectField(
        _l("Redeemable by"),
        choices=choices(
            [
                ("", _l("By type: Single – the invited contact, Group – anyone with the code")),
                (INVITED, _l("Only the invited contacts")),
                (ANYONE, _l("Anyone with the code")),
            ]
        ),
        default="",
        validate_choice=False,
    )

    language = SelectField(_l("Language"), validate_choice=False, default="")
    message = Lines(_l("Personal message"), most=LONGEST_MESSAGE)
    remind_after = Days(_l("Days after sending"))
    remind_before = Days(_l("Days before the expiry"))

    def offer(self, by: StaffActor, given: Sequence[WebRole] = ()) -> None:
        """Fill in what can be chosen. `given` are the web roles the record gives already: one that this person may
        not give stays visible, so that nobody takes it away without noticing."""
        self.contacts.search_url = self.inviter.search_url = url_for("contacts.options")
        self.account.search_url = url_for("accounts.options")
        self.language.choices = choices([("", _("That of each contact")), *languages().items()])
        self.owner.choices = choices((str(m.id), m.name) for m in staff.active_with(Permission.SEND))
        activated = [w for w in workflows.activated() if w.primary_entity == "contact"]
        self.workflow.choices = choices([("", _("None")), *((str(w.id), w.name) for w in activated)])
        offered = roles.grantable(by.role)
        beyond = [r for r in given if not may_grant(by.role, managers_may_grant=r.managers_may_grant)]
        self.web_roles.choices = choices(
            [
                *((r.id, r.name) for r in offered),
                *((r.id, _("%(name)s (you may not give it)", name=r.name)) for r in beyond),
            ]
        )

    def validate(self, extra_validators: Any = None) -> bool:
        """A maximum typed for a Single says nothing and is not looked at."""
        if self.type.data == SINGLE:
            self.max_redemptions.data = None
            self.max_redemptions.process_errors = []
        return bool(super().validate(extra_validators))

    def values(self) -> InvitationValues:
        """What was typed, for the service."""
        return InvitationValues(
            name=self.name.data,
            type=self.type.data or "",
            owner_id=self.owner.one or 0,
            code=self.code.data,
            expires_on=self.expires_on.data,
            inviter_id=self.inviter.one,
            contact_ids=tuple(self.contacts.data),
            account_id=self.account.one,
            workflow_id=self.workflow.one,
            web_role_ids=tuple(self.web_roles.data or ()),
            max_redemptions=self.max_redemptions.data,
            redeemable_by=self.redeemable_by.data or "",
            language=self.language.data or "",
            message=self.message.data,
            remind_after=self.remind_after.data,
            remind_before=self.remind_before.data,
        )


class EditInvitationForm(InvitationForm):
    """An invitation that exists."""

    version = Version()


class ExtendForm(Form):
    """Another last day."""

    expires_on = Day(_l("Expires on"))


class CodeForm(Form):
    """Another code."""

    code = Line(_l("New invitation code"), most=LONGEST_TYPED)


class RecipientForm(Form):
    """Another contact to invite."""

    contact = Picker(_l("Invite instead"), offer=contacts.by_ids, search=contacts.options, needed=True)

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.contact.search_url = url_for("contacts.options")


class NoticesForm(Form):
    """How somebody hears of what happens to their invitations."""

    notices = RadioField(
        _l("When somebody accepts or declines an invitation of yours, or asks for a new one"),
        [InputRequired(_l("Please choose from the list."))],
        choices=choices(
            [
                ("at_once", _l("An e-mail at once, for each")),
                ("daily", _l("One e-mail a day, at eight in the morning, if anything happened")),
                ("none", _l("No e-mail")),
            ]
        ),
    )


class FindForm(Form):
    """Finding an invitation by its code."""

    code = Line(_l("Invitation code"), most=LONGEST_TYPED, needed=True)


def prefilled(values: InvitationValues, **more: Any) -> dict[str, Any]:
    """Values as the form's data."""
    return {
        "name": values.name,
        "type": values.type,
        "owner": str(values.owner_id),
        "code": values.code,
        "expires_on": values.expires_on,
        "inviter": values.inviter_id,
        "contacts": list(values.contact_ids),
        "account": values.account_id,
        "workflow": str(values.workflow_id or ""),
        "web_roles": list(values.web_role_ids),
        "max_redemptions": values.max_redemptions,
        "redeemable_by": values.redeemable_by,
        "language": values.language,
        "message": values.message,
        "remind_after": values.remind_after,
        "remind_before": values.remind_before,
        **more,
    }
