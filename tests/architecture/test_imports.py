"""The import contracts hold, and they are awake: a stray room or a wrong import is caught."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
LINTER = Path(sys.executable).parent / "lint-imports"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LINTER), "--no-cache"]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(folder)}
    )


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "portal", tmp_path / "portal", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def add(path: Path, line: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")


def test_the_contracts_hold() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


def test_a_stray_room_is_caught(copied: Path) -> None:
    (copied / "portal" / "contacts" / "helpers.py").write_text('"""Nobody knows what for."""\n', encoding="utf-8")
    done = lint(copied)
    assert done.returncode == 1
    assert "helpers" in done.stdout


def test_a_stray_slice_is_caught(copied: Path) -> None:
    (copied / "portal" / "common").mkdir()
    (copied / "portal" / "common" / "__init__.py").write_text('"""Two things."""\n', encoding="utf-8")
    done = lint(copied)
    assert done.returncode == 1
    assert "common" in done.stdout


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("contacts/models.py", "from portal.invitations import models as above"),
        ("accounts/models.py", "from portal.roles import models as beside"),
        ("contacts/queries.py", "from portal.contacts import services as room_above"),
        ("contacts/services/editing.py", "from flask_login import current_user"),
        ("invitations/models.py", "from portal.web import htmx"),
        ("redemption/views.py", "from portal.mail import delivery"),
    ],
    ids=lambda value: value,
)
def test_a_wrong_import_is_caught(copied: Path, module: str, line: str) -> None:
    add(copied / "portal" / module, line)
    assert lint(copied).returncode == 1
