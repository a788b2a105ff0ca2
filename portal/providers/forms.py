"""The forms of sign-in providers."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, PasswordField, SelectField

from portal.kernel.errors import Invalid
from portal.providers import presets
from portal.providers.models import OAUTH2, Provider
from portal.providers.presets import Preset
from portal.providers.services import (
    ADDRESSES,
    FIELDS,
    LONGEST_CAPTION,
    LONGEST_CLAIM,
    LONGEST_ISSUER,
    LONGEST_SECRET,
    LONGEST_SLUG,
    LONGEST_TEXT,
    LONGEST_URL,
    MARKS,
    ProviderValues,
    issuer_of,
    tenant_of,
)
from portal.web.forms import Form, Line, Longest, NoControls, Version, choices, clean


class ProviderForm(Form):
    """A provider of one preset; fields that its preset settles are left out."""

    caption = Line(_l("Caption"), most=LONGEST_CAPTION, needed=True)
    mark = SelectField(_l("Icon"))
    issuer = Line(_l("Issuer"), most=LONGEST_ISSUER, needed=True)
    tenant = Line(_l("Directory (tenant) ID"), most=LONGEST_TEXT, needed=True)
    authorize_url = Line(_l("Address to sign in at"), most=LONGEST_URL, needed=True)
    token_url = Line(_l("Address that confirms a sign-in"), most=LONGEST_URL, needed=True)
    userinfo_url = Line(_l("Address that says who it is"), most=LONGEST_URL, needed=True)
    client_id = Line(_l("Client ID"), most=LONGEST_TEXT, needed=True)
    client_secret = PasswordField(_l("Client secret"), [Longest(LONGEST_SECRET), NoControls()], filters=[clean])
    scopes = Line(_l("Scopes"), most=LONGEST_TEXT, needed=True)
    for_sign_in = BooleanField(_l("Contacts sign in with it"))
    for_registration = BooleanField(_l("Invited people, and new ones, register with it"))
    for_staff = BooleanField(_l("Staff sign in with it"))
    trusted_for_email = BooleanField(_l("Trust it for e-mail addresses"))
    refreshes = BooleanField(_l("Take over names and language at each sign-in"))
    claim_first_name = Line(_l("Claim with the first name"), most=LONGEST_CLAIM)
    claim_last_name = Line(_l("Claim with the last name"), most=LONGEST_CLAIM)
    claim_email = Line(_l("Claim with the e-mail address"), most=LONGEST_CLAIM)
    claim_language = Line(_l("Claim with the language"), most=LONGEST_CLAIM)

    def __init__(self, preset: Preset, provider: Provider | None = None) -> None:
        super().__init__(data=_held(provider) if provider else _proposed(preset))
        self.preset = preset
        self.mark.choices = choices((mark, mark.removeprefix("brand-").replace("-", " ").title()) for mark in MARKS)
        if preset.kind == OAUTH2 or preset.issuer:
            del self.issuer
        if not preset.needs_tenant:
            del self.tenant
        if preset.kind != OAUTH2:
            for name in ADDRESSES:
                del self[name]

    def values(self) -> ProviderValues:
        """What was typed."""
        typed = {name: (self[name].data if name in self else "") for name in ("issuer", "tenant", *ADDRESSES)}
        names = {name: self[f"claim_{name}"].data for name in FIELDS}
        return ProviderValues(
            caption=self.caption.data,
            mark=self.mark.data,
            issuer=issuer_of(
                self.preset, issuer=typed["issuer"], tenant=typed["tenant"], authorize_url=typed["authorize_url"]
            ),
            client_id=self.client_id.data,
            scopes=" ".join(self.scopes.data.split()),
            authorize_url=typed["authorize_url"],
            token_url=typed["token_url"],
            userinfo_url=typed["userinfo_url"],
            for_sign_in=bool(self.for_sign_in.data),
            for_registration=bool(self.for_registration.data),
            for_staff=bool(self.for_staff.data),
            trusted_for_email=bool(self.trusted_for_email.data),
            refreshes=bool(self.refreshes.data),
            claims={name: claim for name, claim in names.items() if claim},
        )

    @property
    def secret(self) -> str | None:
        """The secret typed; None: keep the one there is."""
        return self.client_secret.data or None

    def ask_secret_again(self) -> None:
        """A page shown again does not hold what was typed; left empty then, the field would keep the old secret."""
        if self.client_secret.data and not self.client_secret.errors:
            self.client_secret.errors = [_("Please enter it again.")]

    def show(self, refused: Invalid) -> None:
        """What was said of the issuer stands beside the field that it was made from."""
        beside = next((name for name in ("issuer", "tenant", "authorize_url") if name in self), "issuer")
        super().show(Invalid({beside if name == "issuer" else name: words for name, words in refused.fields.items()}))


class NewProviderForm(ProviderForm):
    """A provider that does not exist yet."""

    slug = Line(_l("Name in addresses"), most=LONGEST_SLUG, needed=True)


class EditProviderForm(ProviderForm):
    """A provider that exists."""

    version = Version()

    def differences(self, saved: Provider) -> list[tuple[str, str, str]]:
        """What is saved beside what was typed: label, saved, yours. The secret is not among it."""
        theirs, left_out = _held(saved), ("csrf_token", "client_secret", "version")
        names = [name for name in self._fields if name not in left_out]
        return [(str(self[name].label.text), _shown(theirs[name]), _shown(self[name].data)) for name in names]


def _shown(value: object) -> str:
    return (_("Yes") if value else _("No")) if isinstance(value, bool) else str(value or "")


def _proposed(preset: Preset) -> dict[str, Any]:
    known = {name: getattr(preset, name) for name in ("caption", "mark", "scopes", *ADDRESSES)}
    return {**known, "slug": preset.name, "for_sign_in": True, "for_registration": True}


def _held(provider: Provider) -> dict[str, Any]:
    left_out = ("claims", "secret_sealed")
    columns = {c.name: getattr(provider, c.name) for c in Provider.__table__.columns if c.name not in left_out}
    claims = {f"claim_{name}": provider.claims.get(name, "") for name in FIELDS}
    return {**columns, **claims, "tenant": tenant_of(presets.of(provider.preset), provider.issuer)}
