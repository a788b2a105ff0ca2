"""The settings an operator gives, read once at the start; anything wrong is told in one line per fault."""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import getaddresses
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo

from portal.kernel.egress import Network
from portal.kernel.secrets_ import KeyRing, new_ring, new_secret, parse_ring, write_ring

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PLACEHOLDERS = ("change", "secret", "example", "placeholder", "password", "your-", "xxxx")
NAMES = (
    "PORTAL_SECRET_KEY",
    "PORTAL_KEYS",
    "PORTAL_BASE_URL",
    "PORTAL_DATABASE_URL",
    "PORTAL_MAIL_URL",
    "PORTAL_MAIL_FROM",
    "PORTAL_MAIL_RETURN_PATH",
    "PORTAL_TIMEZONE",
    "PORTAL_TRUSTED_PROXIES",
    "PORTAL_WEBHOOK_NETWORKS",
    "PORTAL_INSTANCE",
)
PROVIDERS = "providers"
_TEXT, _YES_OR_NO, _TEXTS = "a text", "true or false", "a table of texts"
PROVIDER_KEYS = {
    **dict.fromkeys(("preset", "caption", "mark", "issuer", "tenant", "client_id", "client_secret"), _TEXT),
    **dict.fromkeys(("client_secret_file", "scopes", "authorize_url", "token_url", "userinfo_url"), _TEXT),
    **dict.fromkeys(("enabled", "for_sign_in", "for_registration", "for_staff"), _YES_OR_NO),
    **dict.fromkeys(("trusted_for_email", "refreshes"), _YES_OR_NO),
    "claims": _TEXTS,
}
"""What a table `[providers.<name>]` of `portal.toml` may hold."""


class BadSettings(Exception):
    """Configuration the portal refuses to start with; `faults` holds one line per setting."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, repr=False)
class DeclaredProvider:
    """A sign-in provider of `portal.toml`: its name there, and what was given, each of the right type."""

    slug: str
    values: Mapping[str, Any]
    client_secret: str | None


@dataclass(frozen=True, repr=False)
class Settings:
    """Everything an operator can set, checked; it holds secrets, so it does not print. `timezone` is the site's zone
    until its owner chooses one. What the `providers` say is checked when they are taken over."""

    instance: Path
    secret_key: str
    keys: KeyRing
    keys_are_new: bool
    base_url: str
    database_url: str
    mail_url: str
    mail_from: str
    timezone: str
    trusted_proxies: int
    providers: tuple[DeclaredProvider, ...] = ()
    webhook_networks: tuple[Network, ...] = ()
    """Networks that webhooks may call beside the public internet."""
    mail_return_path: str = ""
    """The address that undeliverable mail comes back to, which `portal mail bounce` reads; empty: none."""

    @property
    def https(self) -> bool:
        return self.base_url.startswith("https://")

    @property
    def host(self) -> str:
        """Host and port of the base URL, as a browser sends them."""
        return urlsplit(self.base_url).netloc

    @property
    def keeps_mail(self) -> bool:
        """Whether mail stays in the outbox and nothing leaves the machine."""
        return self.mail_url == "outbox:"


def load(environment: Mapping[str, str] | None = None, *, make_secrets: bool = False) -> Settings:
    """Read the environment and `instance/portal.toml`; the environment wins.

    With `make_secrets`, missing keys are made once and kept in the instance folder.
    Raises BadSettings with one line per fault.
    """
    environment = os.environ if environment is None else environment
    instance = Path(environment.get("PORTAL_INSTANCE") or Path(__file__).parent.parent / "instance").resolve()
    faults: list[str] = []
    stored = _stored(instance / "portal.toml", faults)
    given = _given(environment, stored)
    secret_key = _secret_key(given, instance, faults, make=make_secrets)
    keys, keys_are_new = _keys(given, instance, faults, make=make_secrets)
    settings = Settings(
        instance=instance,
        secret_key=secret_key,
        keys=keys,
        keys_are_new=keys_are_new,
        base_url=_base_url(given.get("PORTAL_BASE_URL", "http://127.0.0.1:5000"), faults),
        database_url=_database_url(given.get("PORTAL_DATABASE_URL", ""), instance, faults),
        mail_url=_mail_url(given.get("PORTAL_MAIL_URL", "outbox:"), faults),
        mail_from=_mail_from(given.get("PORTAL_MAIL_FROM", "Portal <portal@localhost>"), faults),
        timezone=_timezone(given.get("PORTAL_TIMEZONE", "UTC"), faults),
        trusted_proxies=_hops(given.get("PORTAL_TRUSTED_PROXIES", "0"), faults),
        providers=_providers(stored.get(PROVIDERS, {}), instance, faults),
        webhook_networks=_networks(given.get("PORTAL_WEBHOOK_NETWORKS", ""), faults),
        mail_return_path=_return_path(given.get("PORTAL_MAIL_RETURN_PATH", ""), faults),
    )
    if faults:
        raise BadSettings(faults)
    return settings


def _stored(path: Path, faults: list[str]) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        faults.append(f"{path}: cannot be read as TOML: {fault}")
        return {}
    faults.extend(f"{path}: {name} is not a setting" for name in sorted(set(stored) - {*NAMES, PROVIDERS}))
    return stored


def _given(environment: Mapping[str, str], stored: Mapping[str, Any]) -> dict[str, str]:
    given = {name: str(value) for name, value in stored.items() if name in NAMES}
    return given | {name: environment[name] for name in NAMES if environment.get(name)}


def _providers(tables: object, instance: Path, faults: list[str]) -> tuple[DeclaredProvider, ...]:
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        faults.append(f"{PROVIDERS}: must be tables such as [{PROVIDERS}.google]")
        return ()
    return tuple(_provider(slug, table, instance, faults) for slug, table in tables.items())


def _provider(slug: str, table: dict[str, Any], instance: Path, faults: list[str]) -> DeclaredProvider:
    where = f"{PROVIDERS}.{slug}"
    faults.extend(f"{where}: {name} is not a setting" for name in sorted(set(table) - set(PROVIDER_KEYS)))
    known = {name: value for name, value in table.items() if name in PROVIDER_KEYS}
    wrong = {name for name, value in known.items() if not _is(value, PROVIDER_KEYS[name])}
    faults.extend(f"{where}: {name} must be {PROVIDER_KEYS[name]}" for name in sorted(wrong))
    values = {name: value for name, value in known.items() if name not in wrong}
    secret, file = values.pop("client_secret", None), values.pop("client_secret_file", None)
    if secret is not None and file is not None:
        faults.append(f"{where}: give client_secret or client_secret_file, not both")
    elif file is not None:
        try:
            secret = (instance / file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as fault:
            faults.append(f"{where}: client_secret_file {instance / file} cannot be read: {fault.__class__.__name__}")
    return DeclaredProvider(slug, values, secret or None)


def _is(value: object, kind: str) -> bool:
    if kind == _TEXTS:
        return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())
    return isinstance(value, str if kind == _TEXT else bool)


def _secret_key(given: dict[str, str], instance: Path, faults: list[str], *, make: bool) -> str:
    path = instance / "secret-key"
    key = given.get("PORTAL_SECRET_KEY", "")
    if not key and path.exists():
        key = path.read_text(encoding="utf-8").strip()
    if not key and make:
        key = new_secret()
        instance.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(key)
    if not key:
        faults.append("PORTAL_SECRET_KEY: is missing; `make run` makes one, or set 32 random bytes or more")
    elif len(key.encode()) < 32:
        faults.append("PORTAL_SECRET_KEY: is shorter than 32 bytes")
    elif len(set(key)) < 8 or any(word in key.lower() for word in PLACEHOLDERS):
        faults.append("PORTAL_SECRET_KEY: looks like a placeholder; use random bytes")
    return key


def _keys(given: dict[str, str], instance: Path, faults: list[str], *, make: bool) -> tuple[KeyRing, bool]:
    path = instance / "keys.json"
    source = "PORTAL_KEYS" if "PORTAL_KEYS" in given else str(path)
    try:
        if "PORTAL_KEYS" in given:
            return parse_ring(given["PORTAL_KEYS"]), False
        if path.exists():
            return parse_ring(path.read_text(encoding="utf-8")), False
    except ValueError as fault:
        faults.append(f"{source}: {fault}")
        return KeyRing("", {}), False
    ring = new_ring()
    if make:
        instance.mkdir(parents=True, exist_ok=True)
        write_ring(path, ring)
        return ring, True
    faults.append(f"PORTAL_KEYS: is missing, and there is no {path}; `portal serve` makes one at the first start")
    return ring, True


def _base_url(url: str, faults: list[str]) -> str:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_valid = SplitResult("", "", "", "", ""), False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid:
        faults.append("PORTAL_BASE_URL: must look like https://portal.example.org")
    elif parts.query or parts.fragment or parts.username or parts.path not in ("", "/"):
        faults.append("PORTAL_BASE_URL: takes scheme, host and port only")
    elif parts.scheme == "http" and parts.hostname not in LOOPBACK:
        faults.append("PORTAL_BASE_URL: must begin with https:// unless the host is this machine")
    return f"{parts.scheme}://{parts.netloc}"


def _database_url(url: str, instance: Path, faults: list[str]) -> str:
    if not url:
        return f"sqlite:///{instance / 'portal.db'}"
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        faults.append("PORTAL_DATABASE_URL: must begin with sqlite:/// or postgresql+psycopg://")
    elif url in ("sqlite:///", "sqlite:///:memory:"):
        faults.append("PORTAL_DATABASE_URL: needs a file; a database in memory is not shared by processes")
    elif url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        return f"sqlite:///{instance.parent / url.removeprefix('sqlite:///')}"
    return url


def _mail_url(url: str, faults: list[str]) -> str:
    if url == "outbox:":
        return url
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("smtp", "smtps") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good:
        faults.append("PORTAL_MAIL_URL: must be outbox:, smtp://host:port or smtps://host:port")
    elif parts.query not in ("", "tls=starttls", "tls=none"):
        faults.append("PORTAL_MAIL_URL: knows ?tls=starttls and ?tls=none only")
    return url


def _mail_from(value: str, faults: list[str]) -> str:
    addresses = [address for _, address in getaddresses([value])]
    plain = len(addresses) == 1 and re.fullmatch(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+", addresses[0])
    if any(ord(c) < 32 for c in value) or not plain or not addresses[0].isascii():
        faults.append("PORTAL_MAIL_FROM: must look like Portal <portal@example.org>")
    return value


def _return_path(value: str, faults: list[str]) -> str:
    # The part before the @ gets up to 33 characters more, of the 64 it may have.
    if value and not re.fullmatch(r"[A-Za-z0-9._-]{1,30}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", value):
        faults.append("PORTAL_MAIL_RETURN_PATH: must look like bounces@example.org, at most 30 characters before the @")
    return value


def _timezone(name: str, faults: list[str]) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        faults.append(f"PORTAL_TIMEZONE: {name!r} is no time zone; use a name such as Europe/Berlin")
    return name


def _hops(value: str, faults: list[str]) -> int:
    if not (value.isascii() and value.isdigit() and int(value) <= 10):
        faults.append("PORTAL_TRUSTED_PROXIES: must be the number of proxies in front, 0 to 10")
        return 0
    return int(value)


def _networks(value: str, faults: list[str]) -> tuple[Network, ...]:
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError:
        faults.append("PORTAL_WEBHOOK_NETWORKS: must be networks such as 10.0.0.0/8, separated by commas")
        return ()
