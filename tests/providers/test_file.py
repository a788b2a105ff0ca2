"""Providers of `portal.toml`: what is refused at the start, and what is taken over."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.config import BadSettings, DeclaredProvider, load
from portal.identity.models import ExternalIdentity
from portal.journal.models import JournalEntry
from portal.kernel import clock
from portal.kernel.db import db, transaction
from portal.providers import queries, services
from portal.providers.models import Provider
from tests.support import make

PORTAL = str(Path(sys.executable).parent / "portal")
TENANT = "8d1f0a52-1c6e-4a0b-9b57-3f2f5a6f7c10"
GOOD = {
    "PORTAL_SECRET_KEY": "q8Zr2LkV0xW7tN4bYp6HcJ1sDf9GmTeA",
    "PORTAL_KEYS": '{"current": "k1", "keys": {"k1": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}}',
    "PORTAL_BASE_URL": "https://portal.example.org",
}
SECRET = "s3cret"
CUSTOM = {"preset": "oidc", "issuer": "https://login.example.org", "client_id": "portal"}


def read(folder: Path, text: str) -> tuple[DeclaredProvider, ...]:
    (folder / "portal.toml").write_text(text)
    return load({**GOOD, "PORTAL_INSTANCE": str(folder)}).providers


def declare(*declared: DeclaredProvider) -> None:
    with transaction():
        services.sync(declared, clock.now())


def one(slug: str = "own", secret: str | None = SECRET, **values: Any) -> DeclaredProvider:
    return DeclaredProvider(slug, {**CUSTOM, **values}, secret)


def actions() -> list[str]:
    return list(db.session.scalars(db.select(JournalEntry.action).order_by(JournalEntry.id)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("providers = 3", "providers: must be tables such as [providers.google]"),
        ("[providers]\ngoogle = 3", "providers: must be tables such as [providers.google]"),
        ("[providers.google]\nclientid = 'x'", "providers.google: clientid is not a setting"),
        ("[providers.google]\nclient_id = 3", "providers.google: client_id must be a text"),
        ("[providers.google]\nfor_staff = 'yes'", "providers.google: for_staff must be true or false"),
        ("[providers.google]\nenabled = 1", "providers.google: enabled must be true or false"),
        ("[providers.google]\nclaims = 'sub'", "providers.google: claims must be a table of texts"),
        ("[providers.google]\nclaims = {email = 3}", "providers.google: claims must be a table of texts"),
        (
            "[providers.google]\nclient_secret = 'x'\nclient_secret_file = 'y'",
            "providers.google: give client_secret or client_secret_file, not both",
        ),
    ],
)
def test_a_faulty_table_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadSettings) as refused:
        read(tmp_path, text)
    assert refused.value.faults == [told]


def test_a_missing_secret_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as refused:
        read(tmp_path, "[providers.google]\nclient_id = 'x'\nclient_secret_file = 'nowhere'")
    [fault] = refused.value.faults
    assert fault == f"providers.google: client_secret_file {tmp_path}/nowhere cannot be read: FileNotFoundError"


def test_the_secret_is_read_from_its_file_and_does_not_print(tmp_path: Path) -> None:
    (tmp_path / "google-secret").write_text("s3cret\n")
    [declared] = read(tmp_path, "[providers.google]\nclient_id = 'x'\nclient_secret_file = 'google-secret'")
    assert declared.client_secret == "s3cret"
    assert "client_secret_file" not in declared.values
    assert "s3cret" not in repr(declared)


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        (DeclaredProvider("mine", {"client_id": "x"}, None), "providers.mine: preset: must be one of oidc, entra"),
        (one("Sign In"), "providers.Sign In: slug: "),
        (one("x" * 41), f"providers.{'x' * 41}: slug: "),
        (one("passkey"), "providers.passkey: slug: "),
        (one(client_id=""), "providers.own: client_id: "),
        (one(issuer=""), "providers.own: issuer: "),
        (one(issuer="http://login.example.org"), "providers.own: issuer: "),
        (one(issuer="https://login.example.org?x=1"), "providers.own: issuer: "),
        (one(issuer="https://u:p@login.example.org"), "providers.own: issuer: "),
        (one(scopes="email profile"), "providers.own: scopes: "),
        (one(mark="brand-evil"), "providers.own: mark: "),
        (one(caption="Own\nline"), "providers.own: caption: "),
        (one(claims={"admin": "x"}), "providers.own: claims: "),
        (one(claims={"email": "up n"}), "providers.own: claim_email: "),
        (one(trusted_for_email=True, claims={"email": "upn"}), "providers.own: trusted_for_email: "),
        (one(for_sign_in=False), "providers.own: for_registration: "),
        (DeclaredProvider("entra", {"client_id": "x", "tenant": "common"}, None), "providers.entra: issuer: "),
        (
            DeclaredProvider("entra", {"client_id": "x", "tenant": TENANT, "trusted_for_email": True}, None),
            "providers.entra: trusted_for_email: ",
        ),
        (
            DeclaredProvider("google", {"client_id": "x", "issuer": "https://evil.example"}, None),
            "providers.google: issuer: ",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_provider_can_be_stops_the_start(app: Flask, dump: Any, declared: DeclaredProvider, told: str) -> None:
    before = dump()
    with pytest.raises(BadSettings) as refused:
        declare(one("sound"), declared)
    [fault] = refused.value.faults
    assert fault.startswith(told)
    assert "\n" not in fault
    assert dump() == before, "not even the sound one is taken over"


def test_a_provider_is_taken_over_once_and_its_secret_is_sealed(app: Flask) -> None:
    declare(one(), DeclaredProvider("google", {"client_id": "g", "trusted_for_email": True}, "other"))
    own, google = queries.get("own"), queries.get("google")
    assert (own.source, own.issuer, own.enabled, queries.secret(own)) == ("file", CUSTOM["issuer"], True, "s3cret")
    assert (google.preset, google.caption, google.trusted_for_email) == ("google", "Google", True)
    assert "s3cret" not in str(own.secret_sealed)
    before = (own.version, actions())
    declare(one(), DeclaredProvider("google", {"client_id": "g", "trusted_for_email": True}, "other"))
    assert (queries.get("own").version, actions()) == before
    assert actions() == ["provider.created"] * 2


def test_what_changed_in_the_file_changes_here_and_the_secret_stays_out_of_the_journal(app: Flask) -> None:
    declare(one())
    declare(one(secret="n3w", caption="Our own", for_staff=True))
    own = queries.get("own")
    assert (own.caption, own.for_staff, own.version, queries.secret(own)) == ("Our own", True, 2, "n3w")
    entry = db.session.scalars(db.select(JournalEntry).filter_by(action="provider.updated")).one()
    assert entry.detail == {
        "changes": {"caption": ["OpenID Connect", "Our own"], "for_staff": [False, True], "client_secret": True}
    }
    declare(one(secret=None, caption="Our own", for_staff=True, enabled=False))
    assert queries.secret(queries.get("own")) is None
    assert queries.offered() == []


def test_one_that_left_the_file_is_switched_off_and_becomes_the_pages(app: Flask) -> None:
    declare(one(), one("other", issuer="https://other.example"))
    declare(one("other", issuer="https://other.example"))
    own = queries.get("own")
    assert (own.enabled, own.source) == (False, "page")
    assert [p.slug for p in queries.offered()] == ["other"]
    assert actions()[-1] == "provider.switched-off"
    declare(one(), one("other", issuer="https://other.example"))
    assert (queries.get("own").enabled, queries.get("own").source) == (True, "file")


def test_providers_of_the_page_are_left_alone(app: Flask, dump: Any) -> None:
    make.make_provider("hand-made")
    before = dump()
    declare()
    assert dump() == before


def test_another_issuer_is_refused_while_people_sign_in_with_it(app: Flask) -> None:
    declare(one())
    contact_id, provider_id, now = make.make_contact().id, queries.get("own").id, clock.now()
    with transaction():
        identity = {"issuer": CUSTOM["issuer"], "subject": "7", "created_at": now}
        db.session.add(ExternalIdentity(contact_id=contact_id, provider_id=provider_id, **identity))
    with pytest.raises(BadSettings, match=r"providers\.own: issuer: 1 sign-in of a contact"):
        declare(one(issuer="https://elsewhere.example"))
    with pytest.raises(BadSettings, match=r"providers\.own: preset: is oidc already"):
        declare(one(preset="google", issuer="https://accounts.google.com"))


def test_a_github_of_ones_own_is_another_issuer_than_githubs(app: Flask) -> None:
    host = "https://git.example.org"
    addresses = {
        "authorize_url": f"{host}/login/oauth/authorize",
        "token_url": f"{host}/login/oauth/access_token",
        "userinfo_url": f"{host}/api/v3/user",
    }
    declare(
        DeclaredProvider("github", {"client_id": "x"}, "s"),
        DeclaredProvider("ours", {"preset": "github", "client_id": "x", **addresses}, "s"),
    )
    assert queries.get("github").issuer == "https://github.com/login/oauth"
    assert queries.get("ours").issuer == f"{host}/login/oauth"
    mixed = {**addresses, "userinfo_url": "https://api.github.com/user"}
    with pytest.raises(BadSettings, match="userinfo_url: All three"):
        declare(DeclaredProvider("mixed", {"preset": "github", "client_id": "x", **mixed}, "s"))


@pytest.mark.parametrize("command", ["serve", "web"])
def test_a_start_tells_each_fault_in_a_line_of_its_own(tmp_path: Path, command: str) -> None:
    environment = {"PATH": "/usr/bin:/bin", "PORTAL_INSTANCE": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        done = [PORTAL, *words]
        return subprocess.run(done, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert run("staff", "add", "olga@staff.example", "--name", "Olga", "--role", "owner").returncode == 0
    (tmp_path / "portal.toml").write_text("[providers.google]\n[providers.entra]\nclient_id = 'x'")
    done = run(command, "--port", "59871")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-2:] == [
        "providers.google: client_id: Please fill this in.",
        "providers.entra: issuer: Please enter the directory (tenant) ID: 32 hexadecimal digits in five groups.",
    ]


def test_the_page_only_shows_it(app: Flask, sign_in_as: Any, dump: Any) -> None:
    declare(one())
    provider_id = queries.get("own").id
    owner = sign_in_as("owner")
    url = f"/staff/settings/providers/{provider_id}"
    page = owner.page(url)
    assert "Set in portal.toml" in page.text
    assert not page.has_button("Edit")
    assert not page.has_button("Switch off")
    token, before = owner.token(url), dump()
    assert owner.get(f"{url}/edit").status_code == 409
    assert owner.get(f"{url}/delete").status_code == 409
    for act in ("edit", "delete", "switch"):
        assert owner.post(f"{url}/{act}", data={"csrf_token": token, "version": "1"}).status_code == 409
    assert dump() == before
    assert db.session.scalar(db.select(db.func.count()).select_from(Provider)) == 1


def test_of_two_processes_that_start_at_once_each_goes_on(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(one())
    before = actions()
    # What the second one saw before the first one committed.
    monkeypatch.setattr(queries, "all_of_them", lambda **_: [])
    declare(one())
    monkeypatch.undo()
    assert [provider.slug for provider in queries.all_of_them()] == ["own"]
    assert actions() == before
