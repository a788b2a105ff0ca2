"""Static files under names that hold their content's hash, so that a browser may keep them for ever."""

import hashlib
from pathlib import Path

from flask import Flask
from whitenoise import WhiteNoise

ROOT = Path(__file__).parent.parent.parent / "static"
COMPRESSED = (".gz", ".br")
PREFIX = "/static/"


class Assets(WhiteNoise):  # type: ignore[misc]  # it comes without types
    """WhiteNoise that serves each file of `static/` under its plain and under its hashed name."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app.wsgi_app, max_age=3600, allow_all_origins=False, add_headers_function=_headers)
        self.hashed: dict[str, str] = {}
        for path in sorted(ROOT.rglob("*")):
            if path.is_file() and path.suffix not in COMPRESSED:
                self._add(path)

    def _add(self, path: Path) -> None:
        name = path.relative_to(ROOT).as_posix()
        stamp = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        self.hashed[name] = PREFIX + f"{name.removesuffix(path.suffix)}.{stamp}{path.suffix}"
        self.add_file_to_dictionary(PREFIX + name, str(path))
        self.add_file_to_dictionary(self.hashed[name], str(path))

    def immutable_file_test(self, path: str, url: str) -> bool:
        """A hashed name, or a vendored file, whose folder holds its version."""
        return url in self.hashed.values() or url.startswith(PREFIX + "vendor/")


def _headers(headers: dict[str, str], path: str, url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
