"""A configuration that cannot be used is refused, with one line for each fault that names its setting."""

import subprocess
import sys
from pathlib import Path

import pytest

from portal.config import BadSettings, load

PORTAL = str(Path(sys.executable).parent / "portal")
GOOD = {
    "PORTAL_SECRET_KEY": "q8Zr2LkV0xW7tN4bYp6HcJ1sDf9GmTeA",
    "PORTAL_KEYS": '{"current": "k1", "keys": {"k1": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}}',
    "PORTAL_BASE_URL": "https://portal.example.org",
    "PORTAL_DATABASE_URL": "sqlite:////tmp/portal.db",
    "PORTAL_MAIL_URL": "smtp://user:pw@mail.example.org:587?tls=starttls",
    "PORTAL_MAIL_FROM": "Portal <portal@example.org>",
    "PORTAL_TIMEZONE": "Europe/Berlin",
    "PORTAL_TRUSTED_PROXIES": "1",
}
BAD = [
    ("PORTAL_SECRET_KEY", ""),
    ("PORTAL_SECRET_KEY", "hunter2"),
    ("PORTAL_SECRET_KEY", "a" * 40),
    ("PORTAL_SECRET_KEY", "please-change-me-please-change-me-123"),
    ("PORTAL_SECRET_KEY", "your-very-long-key-goes-here-1234567890"),
    ("PORTAL_KEYS", "not json"),
    ("PORTAL_KEYS", '{"current": "k2", "keys": {"k1": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}}'),
    ("PORTAL_KEYS", '{"current": "k1", "keys": {"k1": "c2hvcnQ="}}'),
    ("PORTAL_KEYS", '{"current": "k1", "keys": {"k1": "%%%"}}'),
    ("PORTAL_BASE_URL", "portal.example.org"),
    ("PORTAL_BASE_URL", "http://portal.example.org"),
    ("PORTAL_BASE_URL", "ftp://portal.example.org"),
    ("PORTAL_BASE_URL", "https://"),
    ("PORTAL_BASE_URL", "https://portal.example.org:notaport"),
    ("PORTAL_BASE_URL", "https://portal.example.org:99999"),
    ("PORTAL_BASE_URL", "https://portal.example.org/below"),
    ("PORTAL_BASE_URL", "https://portal.example.org?x=1"),
    ("PORTAL_BASE_URL", "https://user:pw@portal.example.org"),
    ("PORTAL_DATABASE_URL", "mysql://root@localhost/portal"),
    ("PORTAL_DATABASE_URL", "sqlite:///:memory:"),
    ("PORTAL_DATABASE_URL", "sqlite://"),
    ("PORTAL_MAIL_URL", "mailhog"),
    ("PORTAL_MAIL_URL", "smtp://"),
    ("PORTAL_MAIL_URL", "smtp://mail.example.org:port"),
    ("PORTAL_MAIL_URL", "smtp://mail.example.org?tls=maybe"),
    ("PORTAL_MAIL_FROM", "nobody"),
    ("PORTAL_MAIL_FROM", "Portal <pörtal@example.org>"),
    ("PORTAL_MAIL_FROM", "Portal <portal@example.org>\nBcc: eve@example.org"),
    ("PORTAL_MAIL_FROM", "a@example.org, b@example.org"),
    ("PORTAL_TIMEZONE", "Mars/Olympus"),
    ("PORTAL_TIMEZONE", "../../etc/passwd"),
    ("PORTAL_TRUSTED_PROXIES", "yes"),
    ("PORTAL_TRUSTED_PROXIES", "-1"),
    ("PORTAL_TRUSTED_PROXIES", "11"),
    ("PORTAL_TRUSTED_PROXIES", "1.5"),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_refused_in_one_line(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as refused:
        load({**GOOD, "PORTAL_INSTANCE": str(tmp_path), name: value})
    [fault] = refused.value.faults
    assert fault.startswith(f"{name}: ")
    assert "\n" not in fault
    if name == "PORTAL_SECRET_KEY" and value:
        assert value not in fault


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as refused:
        load({"PORTAL_INSTANCE": str(tmp_path), "PORTAL_BASE_URL": "x", "PORTAL_MAIL_URL": "x", "PORTAL_TIMEZONE": "x"})
    told = {fault.partition(":")[0] for fault in refused.value.faults}
    assert told == {"PORTAL_SECRET_KEY", "PORTAL_KEYS", "PORTAL_BASE_URL", "PORTAL_MAIL_URL", "PORTAL_TIMEZONE"}


def test_a_file_that_is_no_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text("this is = = not toml")
    with pytest.raises(BadSettings, match=r"portal\.toml: cannot be read as TOML"):
        load({**GOOD, "PORTAL_INSTANCE": str(tmp_path)})


def test_a_misspelt_name_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text('PORTAL_BASEURL = "https://portal.example.org"')
    with pytest.raises(BadSettings, match="PORTAL_BASEURL is not a setting"):
        load({**GOOD, "PORTAL_INSTANCE": str(tmp_path)})


def test_without_permission_no_secret_is_made(tmp_path: Path) -> None:
    with pytest.raises(BadSettings):
        load({"PORTAL_INSTANCE": str(tmp_path)})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["web", "worker", "serve"])
def test_the_portal_refuses_to_start(command: str, tmp_path: Path) -> None:
    environment = {
        "PATH": "/usr/bin:/bin",
        "PORTAL_INSTANCE": str(tmp_path),
        "PORTAL_BASE_URL": "http://portal.example.org",
    }
    done = subprocess.run(
        [PORTAL, command], env=environment, capture_output=True, text=True, timeout=20, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    said = (done.stdout + done.stderr).strip().splitlines()
    assert any(line.startswith("PORTAL_BASE_URL: ") for line in said), said
    assert "Traceback" not in done.stderr


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "portal.toml").write_text('PORTAL_TIMEZONE = "Asia/Tokyo"\nPORTAL_TRUSTED_PROXIES = 2')
    without_hops = {name: value for name, value in GOOD.items() if name != "PORTAL_TRUSTED_PROXIES"}
    settings = load({**without_hops, "PORTAL_INSTANCE": str(tmp_path)})
    assert (settings.timezone, settings.trusted_proxies) == ("Europe/Berlin", 2)


def test_defaults_suit_a_first_start_on_this_machine(tmp_path: Path) -> None:
    settings = load({"PORTAL_INSTANCE": str(tmp_path / "instance")}, make_secrets=True)
    assert settings.base_url == "http://127.0.0.1:5000"
    assert settings.database_url == f"sqlite:///{tmp_path}/instance/portal.db"
    assert settings.keeps_mail
    assert (settings.timezone, settings.trusted_proxies) == ("UTC", 0)


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    first = load({"PORTAL_INSTANCE": str(tmp_path)}, make_secrets=True)
    second = load({"PORTAL_INSTANCE": str(tmp_path)}, make_secrets=True)
    assert first.secret_key == second.secret_key
    assert first.keys == second.keys
    assert (first.keys_are_new, second.keys_are_new) == (True, False)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_http_is_fine_on_this_machine_only(tmp_path: Path) -> None:
    for host in ("127.0.0.1:8000", "localhost", "[::1]:5000"):
        settings = load({**GOOD, "PORTAL_INSTANCE": str(tmp_path), "PORTAL_BASE_URL": f"http://{host}"})
        assert settings.host == host


def test_settings_do_not_print_what_is_secret() -> None:
    settings = load(GOOD)
    printed = f"{settings!r} {settings} {settings.keys!r}"
    for secret in (GOOD["PORTAL_SECRET_KEY"], "user:pw", "0123456789abcdef"):
        assert secret not in printed
