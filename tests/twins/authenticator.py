"""An authenticator in software: makes passkeys and signs challenges as a key does, or wrongly where told to."""

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

PRESENT, VERIFIED, HOLDS_KEY = 0x01, 0x04, 0x40
Twist = Any


@dataclass
class Key:
    """One passkey in it."""

    rp_id: str
    handle: bytes
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    count: int = 0

    @property
    def public(self) -> bytes:
        """Its public half, as sites keep it."""
        numbers = self.private.public_key().public_numbers()
        return encode_cbor({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})


class Authenticator:
    """One device in a browser at `origin`. `keys` are the passkeys on it; the last one made is used."""

    def __init__(self, origin: str = "http://localhost", *, counts: bool = True) -> None:
        self.origin, self.counts = origin, counts
        self.keys: list[Key] = []

    def make(self, options: dict[str, Any], **twist: Twist) -> str:
        """A new passkey, as the browser sends it. `twist` changes what is told: `challenge`, `origin`, `rp_id`,
        `type`, `cross_origin`, `verified`, `present`."""
        key = Key(options["rp"]["id"], base64url_to_bytes(options["user"]["id"]))
        self.keys.append(key)
        told = self._told("webauthn.create", options, twist)
        held = bytes(16) + struct.pack(">H", len(key.id)) + key.id + key.public
        data = self._data(key, twist, HOLDS_KEY) + held
        attestation = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        return self._sent(key, {"attestationObject": attestation, "clientDataJSON": told}, transports=["internal"])

    def use(self, options: dict[str, Any], **twist: Twist) -> str:
        """A signed challenge, as the browser sends it. `twist` as above, and `key`, `handle`, `count`, `signed_by`."""
        key: Key = twist.get("key", self.keys[-1])
        key.count += self.counts
        told = self._told("webauthn.get", options, twist)
        data = self._data(key, twist)
        signer: Key = twist.get("signed_by", key)
        signature = signer.private.sign(data + hashlib.sha256(told).digest(), ec.ECDSA(SHA256()))
        parts = {"authenticatorData": data, "clientDataJSON": told, "signature": signature}
        handle = twist.get("handle", key.handle)
        return self._sent(key, {**parts, "userHandle": handle} if handle is not None else parts)

    def _told(self, kind: str, options: dict[str, Any], twist: dict[str, Any]) -> bytes:
        told = {
            "type": twist.get("type", kind),
            "challenge": twist.get("challenge", options["challenge"]),
            "origin": twist.get("origin", self.origin),
            "crossOrigin": twist.get("cross_origin", False),
        }
        return json.dumps(told).encode()

    @staticmethod
    def _data(key: Key, twist: dict[str, Any], flags: int = 0) -> bytes:
        flags |= PRESENT * twist.get("present", True) | VERIFIED * twist.get("verified", True)
        rp = hashlib.sha256(twist.get("rp_id", key.rp_id).encode()).digest()
        return rp + bytes([flags]) + struct.pack(">I", twist.get("count", key.count))

    @staticmethod
    def _sent(key: Key, parts: dict[str, bytes], **response: Any) -> str:
        encoded = {name: bytes_to_base64url(raw) for name, raw in parts.items()}
        name = bytes_to_base64url(key.id)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": {**encoded, **response}})
