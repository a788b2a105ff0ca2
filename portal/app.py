"""The composition root: settings, extensions, slices, error answers, commands."""

from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, g, request
from flask_login import current_user
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import cli, composition
from portal.config import LOOPBACK, Settings, load
from portal.contacts import queries as contacts
from portal.contacts.models import Contact
from portal.kernel.db import db
from portal.settings import queries as settings_queries
from portal.staff import queries as staff
from portal.staff.models import StaffMember
from portal.staff.permissions import Permission
from portal.web import errors, guard, jinja, logs, security
from portal.web.assets import Assets
from portal.web.extensions import babel, csrf, login, migrate
from portal.web.sessions import STAFF, DatabaseSessions, audience_of

ROOT = Path(__file__).parent.parent
LARGEST_REQUEST = 1_000_000


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application. Raises BadSettings when the configuration cannot be used."""
    settings = settings or load()
    app = Flask("portal", root_path=str(ROOT / "portal"), template_folder=str(ROOT / "templates"), static_folder=None)
    _configure(app, settings)
    app.session_interface = DatabaseSessions()
    for extension in (db, babel, csrf, login):
        extension.init_app(app)
    babel.init_app(app, locale_selector=lambda: "en", timezone_selector=lambda: settings_queries.site().timezone)
    migrate.init_app(app, db, directory=str(ROOT / "portal" / "migrations"), render_as_batch=True, compare_type=True)
    login.session_protection = None  # the session is a row of ours, bound to nothing a proxy may change
    login.user_loader(_signed_in)
    assets = Assets(app)
    jinja.init(app, assets, lambda: settings_queries.site().zone)
    app.context_processor(_shell)
    logs.init(app)
    security.init(app)
    errors.init(app)
    composition.compose(app)
    for command in cli.COMMANDS:
        app.cli.add_command(command)
    unknown = {permission for permission in guard.declared(app).values() if permission} - set(Permission)
    if unknown:
        raise RuntimeError(f"no such permission: {', '.join(sorted(unknown))}")
    app.wsgi_app = assets  # type: ignore[method-assign]
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    return app


def _configure(app: Flask, settings: Settings) -> None:
    sqlite = settings.database_url.startswith("sqlite")
    app.config.update(
        PORTAL_SETTINGS=settings,
        SECRET_KEY=settings.secret_key,
        SQLALCHEMY_DATABASE_URI=settings.database_url,
        # A failed statement is logged without its values: they hold what people typed.
        SQLALCHEMY_ENGINE_OPTIONS={"hide_parameters": True, "pool_pre_ping": not sqlite},
        MAX_CONTENT_LENGTH=LARGEST_REQUEST,
        MAX_FORM_PARTS=1_000,
        TRUSTED_HOSTS=sorted({urlsplit(settings.base_url).hostname or "", *LOOPBACK[:2], "[::1]"}),
        SESSION_COOKIE_SECURE=settings.https,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
    )


def _signed_in(session_user: str) -> StaffMember | Contact | None:
    kind, _, rest = session_user.partition(":")
    number, _, epoch = rest.partition(":")
    if (kind == STAFF) != (audience_of(request.path) == STAFF):
        return None
    if kind == STAFF:
        return staff.for_session(int(number), int(epoch))
    return contacts.for_session(int(number), int(epoch))


def _shell() -> dict[str, object]:
    """What the frame of every page shows; on a page that says the database is away, nothing is asked of it."""
    settings = settings_queries.operator()
    if g.get("without_database"):
        frame: dict[str, object] = {"site": settings_queries.SiteSettings(), "person": None, "nav": []}
        return {**frame, "demo_banner": False, "may": lambda _permission: False, "lang": "en", "dir": "ltr"}
    person = current_user._get_current_object() if current_user.is_authenticated else None
    return {
        "site": settings_queries.site(),
        "person": person,
        "may": guard.may,
        "nav": composition.navigation() if isinstance(person, StaffMember) else [],
        "demo_banner": not settings.https,
        "lang": "en",
        "dir": "ltr",
    }
