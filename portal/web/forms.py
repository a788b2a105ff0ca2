"""The base of every form, and the fields that plain WTForms lacks."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import Field, HiddenField, IntegerField, StringField, TextAreaField, ValidationError
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined, unused-ignore]  # newer than its types
from wtforms.utils import unset_value
from wtforms.validators import InputRequired

from portal.kernel import addresses
from portal.kernel.errors import Invalid
from portal.kernel.names import searchable, visible
from portal.kernel.options import Option as Option
from portal.web.htmx import render


class Form(FlaskForm):  # type: ignore[misc]
    """A form that knows which status its refusal has, and that shows what a service refused beside the fields."""

    def refusal(self) -> int:
        """400 when the page was stale (its CSRF token no longer holds), else 422."""
        return 400 if "csrf_token" in self.errors else 422

    def show(self, refused: Invalid) -> None:
        """Put a service's messages beside the fields they speak of; others go above the form."""
        for name, message in refused.fields.items():
            field = self._fields.get(name)
            if field is None:
                self.form_errors.append(message)
            else:
                field.errors = [*field.errors, message]


def clean(text: str | None) -> str:
    """Typed text without blanks at its ends, composed (NFC)."""
    return unicodedata.normalize("NFC", text or "").strip()


class NoControls:
    """Refuses control characters and line separators: such text may end up in a mail header."""

    def __init__(self, *, lines: bool = False) -> None:
        self.allowed = "\r\n\t" if lines else ""

    def __call__(self, form: Any, field: Field) -> None:
        for c in str(field.data or ""):
            if (unicodedata.category(c) in ("Cc", "Cs") or c in "\u2028\u2029") and c not in self.allowed:
                raise ValidationError(_("Please remove the invisible control characters."))


class Longest:
    """At most this many characters; the browser is told too."""

    def __init__(self, most: int) -> None:
        self.field_flags = {"maxlength": most}
        self.most = most

    def __call__(self, form: Any, field: Field) -> None:
        if len(str(field.data or "")) > self.most:
            raise ValidationError(_("Please use at most %(most)s characters.", most=self.most))


def choices(pairs: Iterable[tuple[Any, Any]]) -> list[Any]:
    """(value, label) pairs as a select, radio or tick-box field takes them; WTForms 3.4 refuses plain tuples."""
    return [SelectChoice(value, label) for value, label in pairs]


def required() -> InputRequired:
    """The field must hold something."""
    return InputRequired(_l("Please fill this in."))


class Line(StringField):
    """One line of text, cleaned, without control characters."""

    data: str  # `clean` never leaves None

    def __init__(self, label: Any, *, most: int, needed: bool = False, **more: Any) -> None:
        checks = [*([NotBlank()] if needed else []), Longest(most), NoControls(), *more.pop("validators", [])]
        super().__init__(label, checks, filters=[clean], **more)


class Lines(TextAreaField):
    """Several lines of text, cleaned."""

    data: str  # `clean` never leaves None

    def __init__(self, label: Any, *, most: int, needed: bool = False, **more: Any) -> None:
        checks = [*([NotBlank()] if needed else []), Longest(most), NoControls(lines=True)]
        super().__init__(label, checks, filters=[clean], **more)


class NotBlank:
    """Something other than blanks must be typed."""

    field_flags = {"required": True}

    def __call__(self, form: Any, field: Field) -> None:
        if not field.data:
            raise ValidationError(_("Please fill this in."))


class Address(StringField):
    """One e-mail address, or nothing."""

    data: str  # `clean` never leaves None

    def __init__(self, label: Any, *, needed: bool = False, **more: Any) -> None:
        checks = [*([NotBlank()] if needed else []), Longest(addresses.LONGEST), OneAddress()]
        render_kw = {"type": "email", "spellcheck": "false", **more.pop("render_kw", {})}
        super().__init__(label, checks, filters=[clean], render_kw=render_kw, **more)


class OneAddress:
    """Accepts exactly one plain address."""

    def __call__(self, form: Any, field: Field) -> None:
        if not field.data:
            return
        try:
            addresses.parse(field.data)
        except addresses.BadAddress as fault:
            raise ValidationError(_("Please enter one e-mail address, such as anna@example.org.")) from fault


class WholeNumber(IntegerField):
    """A whole number, or nothing; anything else gets one plain message."""

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        self.data = None
        text = clean(valuelist[0]) if valuelist else ""
        if not text:
            return
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
            raise ValueError(_("Please enter a whole number."))
        self.data = int(text)


class Picker(Field):
    """Chooses records by searching, never by loading them all. `data` is a list of ids.

    `offer(ids)` gives the options for ids that exist; `search(text)` those that match. Ids that do not exist
    are refused. Works without JavaScript: the *Find* button sends the form, which comes back with results.
    """

    def __init__(
        self,
        label: Any,
        *,
        offer: Callable[[Iterable[int]], list[Option]],
        search: Callable[[str], list[Option]],
        search_url: str = "",
        multiple: bool = False,
        needed: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(label, **more)
        self.offer, self.search, self.search_url = offer, search, search_url
        self.multiple, self.needed = multiple, needed
        self.query = ""
        self.data: list[int] = []
        self._offered: tuple[list[int], list[Option]] | None = None

    @property
    def chosen(self) -> list[Option]:
        """The options chosen so far; a page asks several times, the database is asked once."""
        if self._offered is None or self._offered[0] != self.data:
            self._offered = (list(self.data), self.offer(self.data) if self.data else [])
        return self._offered[1]

    @property
    def found(self) -> list[Option]:
        """What the typed search finds, without what is chosen already."""
        return [option for option in self.search(self.query) if option.value not in self.data] if self.query else []

    @property
    def one(self) -> int | None:
        """The id chosen, where only one may be."""
        return self.data[0] if self.data else None

    def process(self, formdata: Any, data: Any = unset_value, extra_filters: Any = None) -> None:
        super().process(formdata, data, extra_filters)
        if formdata is not None:
            self.query = clean(formdata.get(f"{self.name}_q"))[:100]

    def process_data(self, value: Any) -> None:
        self.data = [] if value is None else [value] if isinstance(value, int) else list(value)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        typed = [value for value in valuelist if value]
        good = [int(v) for v in typed if v.isascii() and v.isdigit() and len(v) <= 18]
        self.data = list(dict.fromkeys(good))
        if len(good) != len(typed):
            raise ValueError(_("Please choose from the list."))

    def pre_validate(self, form: Any) -> None:
        if not self.multiple and len(self.data) > 1:
            raise ValidationError(_("Please choose one."))
        if self.needed and not self.data:
            raise ValidationError(_("Please choose from the list."))
        missing = set(self.data) - {option.value for option in self.chosen}
        if missing:
            self.data = [value for value in self.data if value not in missing]
            raise ValidationError(_("One of those no longer exists. Please choose again."))


class Version(HiddenField):
    """The version a record had when its form was opened; a form without it is refused."""

    def __init__(self, **more: Any) -> None:
        super().__init__(validators=[self._is_number], **more)

    def process_formdata(self, valuelist: Sequence[str]) -> None:
        # A form that lacks it was not opened here: the record's own version must not stand in.
        self.data = valuelist[0] if valuelist else ""

    def _is_number(self, form: Any, field: Field) -> None:
        text = str(field.data or "")
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise ValidationError(_("Please open the form again."))

    @property
    def number(self) -> int:
        """The version as a number."""
        return int(self.data or 0)


def wants_find() -> bool:
    """Whether a picker's *Find* button sent the form, so that it is shown again with results instead of saved."""
    return "find" in request.form


def found_options(search: Callable[[str], list[Option]], name: str) -> Response:
    """The answer to a picker that asks while somebody types; `name` is its field's where the asker gives none."""
    name = visible(request.args.get("name", name))
    text = searchable(request.args.get("q") or request.args.get(f"{name}_q", ""))
    return render(
        "_shared/_picker_options.html",
        options=search(text) if text else [],
        name=name,
        multiple=bool(request.args.get("multiple")),
        query=text,
    )
