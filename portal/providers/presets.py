"""What is known of the usual providers before their owner types anything."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask_babel import LazyString
from flask_babel import lazy_gettext as _l

OIDC, OAUTH2 = "oidc", "oauth2"
NONCE, PKCE = "nonce", "pkce"
TENANT = "{tenant}"
STANDARD_CLAIMS: Mapping[str, str] = {
    "first_name": "given_name",
    "last_name": "family_name",
    "email": "email",
    "language": "locale",
}


@dataclass(frozen=True)
class Preset:
    """A kind of provider. `issuer` may hold `{tenant}`; empty: the owner types it.

    `waives` are checks that the provider cannot pass, `waives_because` says why. `distrusted_because` is the reason for
    which it is never trusted for e-mail; where it is None, the owner decides. `claims` are the names of its claims.
    """

    name: str
    caption: str
    mark: str
    kind: str
    help: LazyString
    issuer: str = ""
    authorize_url: str | None = None
    token_url: str | None = None
    userinfo_url: str | None = None
    emails_path: str | None = None
    scopes: str = "openid email profile"
    claims: Mapping[str, str] = field(default_factory=lambda: STANDARD_CLAIMS)
    subject: str = "sub"
    waives: tuple[str, ...] = ()
    waives_because: LazyString | None = None
    distrusted_because: LazyString | None = None

    @property
    def may_be_trusted(self) -> bool:
        """Whether an owner may trust it for e-mail at all."""
        return self.distrusted_because is None and not self.waives

    @property
    def needs_tenant(self) -> bool:
        """Whether the owner names a tenant instead of an issuer."""
        return TENANT in self.issuer


_ALL = (
    Preset(
        name="oidc",
        caption="OpenID Connect",
        mark="key",
        kind=OIDC,
        help=_l(
            "Any provider that speaks OpenID Connect, for example Keycloak, authentik, GitLab or Okta. Register the "
            "portal there as a web application (a confidential client that uses the authorization code flow)."
        ),
    ),
    Preset(
        name="entra",
        caption="Microsoft",
        mark="brand-microsoft",
        kind=OIDC,
        issuer=f"https://login.microsoftonline.com/{TENANT}/v2.0",
        help=_l(
            "In the Microsoft Entra admin center: App registrations, New registration, platform Web. The tenant is the "
            "directory (tenant) ID on the overview page; a domain name or “common” does not work, because people of "
            "other organizations could then sign in."
        ),
        distrusted_because=_l(
            "Whoever manages a Microsoft Entra directory can give its people any e-mail address; Microsoft does not "
            "say that the address was verified."
        ),
    ),
    Preset(
        name="google",
        caption="Google",
        mark="brand-google",
        kind=OIDC,
        issuer="https://accounts.google.com",
        help=_l("In the Google Cloud console: APIs & Services, Credentials, Create OAuth client ID, Web application."),
    ),
    Preset(
        name="linkedin",
        caption="LinkedIn",
        mark="brand-linkedin",
        kind=OIDC,
        issuer="https://www.linkedin.com/oauth",
        waives=(NONCE, PKCE),
        help=_l(
            "At LinkedIn Developers: create an app, then add the product “Sign In with LinkedIn using OpenID Connect”."
        ),
        waives_because=_l("LinkedIn returns no nonce, and accepts PKCE from some apps only."),
        distrusted_because=_l(
            "LinkedIn returns no nonce, so its answer is not bound to the browser as firmly as that of other providers."
        ),
    ),
    Preset(
        name="github",
        caption="GitHub",
        mark="brand-github",
        kind=OAUTH2,
        issuer="https://github.com/login/oauth",
        authorize_url="https://github.com/login/oauth/authorize",
        token_url="https://github.com/login/oauth/access_token",  # noqa: S106  (an address)
        userinfo_url="https://api.github.com/user",
        emails_path="/emails",
        scopes="read:user user:email",
        subject="id",
        claims={"email": "email"},
        help=_l(
            "On GitHub: Settings, Developer settings, OAuth Apps, New OAuth App. For a GitHub Enterprise Server, put "
            "its host name into the three addresses."
        ),
    ),
    Preset(
        name="facebook",
        caption="Facebook",
        mark="brand-facebook",
        kind=OAUTH2,
        issuer="https://www.facebook.com",
        authorize_url="https://www.facebook.com/v23.0/dialog/oauth",
        token_url="https://graph.facebook.com/v23.0/oauth/access_token",  # noqa: S106  (an address)
        userinfo_url="https://graph.facebook.com/v23.0/me?fields=id,first_name,last_name,email",
        scopes="public_profile email",
        subject="id",
        claims={"first_name": "first_name", "last_name": "last_name", "email": "email"},
        help=_l("At Meta for Developers: create an app, add the use case of signing in with Facebook."),
        distrusted_because=_l("Facebook does not say whether an address was verified."),
    ),
)
PRESETS: Mapping[str, Preset] = {preset.name: preset for preset in _ALL}


def of(name: str) -> Preset:
    """The preset of this name; the plain OpenID Connect one where the name is not known any more."""
    return PRESETS.get(name, PRESETS["oidc"])
