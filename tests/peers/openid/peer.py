"""Runs the certified `oidc-provider` of npm, and signs in there as a person with a browser does."""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

HERE = Path(__file__).parent
OLDEST_NODE = 18
START_WITHIN_SECONDS = 20


class NoPeer(Exception):
    """It cannot run here; the text says why."""


def installed() -> Path:
    """The folder with what the lock file pins, installed once beside the environment, where git does not look."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise NoPeer("node and npm are not installed: apt-get install nodejs npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").partition(".")[0]) < OLDEST_NODE:
        raise NoPeer(f"node {version.strip()} is too old; {OLDEST_NODE} is needed")
    files = [HERE / name for name in ("package.json", "package-lock.json", "server.mjs")]
    state = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    folder = Path(sys.prefix) / "peers" / state
    if not folder.exists():
        _install(npm, files, folder)
    return folder


def _install(npm: str, files: list[Path], folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        for file in files:
            shutil.copy(file, making)
        command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        try:
            subprocess.run(command, cwd=making, capture_output=True, text=True, check=True, timeout=180)
        except subprocess.SubprocessError as fault:
            raise NoPeer(f"npm ci failed: {getattr(fault, 'stderr', '') or fault}") from fault
        making.rename(folder)  # all of it or nothing, also where two tests begin at once
    except OSError as fault:
        if not folder.exists():
            raise NoPeer(str(fault)) from fault
    finally:
        shutil.rmtree(making, ignore_errors=True)


@contextmanager
def running(callback: str, signed_out: str, log: Path) -> Iterator[str]:
    """The provider, for one client with this callback; gives its issuer. Raises NoPeer."""
    folder = installed()
    with log.open("wb") as written:
        process = subprocess.Popen(
            ["node", "server.mjs", callback, signed_out],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _issuer(process, log)
    finally:
        process.kill()
        process.wait()


def _issuer(process: "subprocess.Popen[bytes]", log: Path) -> str:
    until = time.monotonic() + START_WITHIN_SECONDS
    while time.monotonic() < until and process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith("http://127.0.0.1:"):
                return line
        time.sleep(0.05)
    raise NoPeer(f"oidc-provider does not start: {log.read_text()[-500:]}")


class _Form(HTMLParser):
    """The first form of a page: where it goes and what its fields hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.values = "", dict[str, str]()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and not self.action:
            self.action = given.get("action") or ""
        if tag == "input" and given.get("name"):
            self.values[given["name"] or ""] = given.get("value") or ""


def sign_in(browser: requests.Session, url: str, login: str, back: str) -> str:
    """Fill in whatever the provider asks, until it sends the browser `back`; gives that address, not opened yet."""
    answer = browser.get(url, allow_redirects=False, timeout=10)
    for _ in range(12):
        if answer.is_redirect:
            url = urljoin(answer.url, answer.headers["Location"])
            if urlsplit(url).netloc == urlsplit(back).netloc:
                return url
            answer = browser.get(url, allow_redirects=False, timeout=10)
            continue
        assert answer.status_code == 200, f"{answer.status_code} {answer.text[:300]}"
        form = _Form(answer.text)
        typed = {**form.values, **({"login": login, "password": "any"} if "login" in form.values else {})}
        answer = browser.post(urljoin(answer.url, form.action), data=typed, allow_redirects=False, timeout=10)
    raise AssertionError(f"never came back: {json.dumps(answer.text[:300])}")
