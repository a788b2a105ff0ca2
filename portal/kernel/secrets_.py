"""Keys, keyed hashes, sealed texts and link tokens. No key is ever in the database.

One master key per key id lives in `instance/keys.json` (or `PORTAL_KEYS`); what a use needs is derived
from it with HKDF, so a key for one use tells nothing about another.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ID_BYTES = MAC_BYTES = 16


class KeyMissing(Exception):
    """A stored value names a key that the ring does not hold."""


@dataclass(frozen=True, repr=False)
class KeyRing:
    """Master keys by id; `current` is the one that new values are made with, the others still verify."""

    current: str
    keys: dict[str, bytes]

    def lookup(self, text: str) -> str:
        """The keyed hash (64 hex digits) under which `text` is stored from now on."""
        return _keyed_hash(self.keys[self.current], b"lookup", text)

    def lookups(self, text: str) -> list[str]:
        """Every keyed hash under which `text` may have been stored, newest key first."""
        return [_keyed_hash(key, b"lookup", text) for _, key in self._newest_first()]

    def seal(self, text: str, about: str) -> str:
        """`text` encrypted and bound to `about`; opened only with the same `about`."""
        nonce = secrets.token_bytes(12)
        sealed = AESGCM(_derive(self.keys[self.current], b"seal")).encrypt(nonce, text.encode(), about.encode())
        return f"{self.current}.{_b64(nonce + sealed)}"

    def open(self, sealed: str, about: str) -> str:
        """The text that `seal` was given.

        Raises KeyMissing when its key is gone, ValueError when it was altered or is bound to something else.
        """
        key_id, _, body = sealed.partition(".")
        if key_id not in self.keys:
            raise KeyMissing(key_id)
        raw = _unb64(body)
        try:
            return AESGCM(_derive(self.keys[key_id], b"seal")).decrypt(raw[:12], raw[12:], about.encode()).decode()
        except InvalidTag as fault:
            raise ValueError("the sealed text was altered") from fault

    def token(self, public_id: bytes, *bound_to: object) -> str:
        """A link token: 128 bits of public id, 128 bits of MAC over it and `bound_to`, as 43 characters."""
        return _b64(public_id + _mac(self.keys[self.current], public_id, bound_to))

    def verifies(self, token: str, *bound_to: object) -> bool:
        """Whether `token` was made by this ring for exactly these values; compares in constant time."""
        public_id = token_id(token)
        if public_id is None:
            return False
        given = _unb64(token)[ID_BYTES:]
        matches = [hmac.compare_digest(given, _mac(key, public_id, bound_to)) for _, key in self._newest_first()]
        return any(matches)

    def _newest_first(self) -> list[tuple[str, bytes]]:
        return sorted(self.keys.items(), key=lambda item: item[0] != self.current)


def token_id(token: str) -> bytes | None:
    """The public id inside a token, or None when it is not one, in its one accepted spelling."""
    if len(token) != 43 or not token.isascii():
        return None
    try:
        raw = _unb64(token)
    except ValueError:
        return None
    return raw[:ID_BYTES] if len(raw) == ID_BYTES + MAC_BYTES and _b64(raw) == token else None


def new_public_id() -> bytes:
    """128 random bits that name a link without giving it away."""
    return secrets.token_bytes(ID_BYTES)


def new_secret() -> str:
    """256 random bits as text, for a session cookie."""
    return secrets.token_urlsafe(32)


def digest(text: str) -> str:
    """SHA-256 as hex: for values that are random already, such as session ids, or that a MAC binds."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_ring() -> KeyRing:
    """A ring with one fresh key."""
    key_id = f"k{secrets.token_hex(4)}"
    return KeyRing(key_id, {key_id: secrets.token_bytes(32)})


def parse_ring(text: str) -> KeyRing:
    """Read `{"current": "k1", "keys": {"k1": "<base64, 32 bytes>"}}`; raises ValueError with the reason."""
    try:
        data = json.loads(text)
        keys = {str(name): base64.b64decode(value, validate=True) for name, value in data["keys"].items()}
        current = str(data["current"])
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise ValueError('must be {"current": "k1", "keys": {"k1": "<base64>"}}') from fault
    if current not in keys:
        raise ValueError("its current key is not among its keys")
    if any(len(key) < 32 or "." in name or not name for name, key in keys.items()):
        raise ValueError("every key needs a name without a dot and at least 32 bytes")
    return KeyRing(current, keys)


def write_ring(path: Path, ring: KeyRing) -> None:
    """Write a key file that only this user can read; never over one that exists."""
    body = {"current": ring.current, "keys": {k: base64.b64encode(v).decode() for k, v in ring.keys.items()}}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(body, file)
        file.flush()
        os.fsync(file.fileno())


@cache
def _derive(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"portal/" + purpose).derive(master)


def _keyed_hash(master: bytes, purpose: bytes, text: str) -> str:
    return hmac.new(_derive(master, purpose), text.encode(), hashlib.sha256).hexdigest()


def _mac(master: bytes, public_id: bytes, bound_to: tuple[object, ...]) -> bytes:
    message = b"\x1f".join([public_id.hex().encode(), *(str(value).encode() for value in bound_to)])
    return hmac.new(_derive(master, b"link"), message, hashlib.sha256).digest()[:MAC_BYTES]


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
