"""Codes of the second factor: those that an authenticator app shows, and recovery codes."""

import hmac
from datetime import datetime

import pyotp

from portal.kernel.codes import generate, normalise

STEP = 30
RECOVERY_CODES, _RECOVERY_LENGTH, _DIGITS = 10, 10, 6


def new_secret() -> str:
    """The secret that the app and the site share: 160 bits in base 32."""
    return pyotp.random_base32()


def address(secret: str, account: str, site_name: str) -> str:
    """What the QR code holds (`otpauth://…`)."""
    issuer = site_name.replace(":", " ").strip() or "Portal"
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def step_of(secret: str, typed: str, now: datetime, after: int) -> int | None:
    """The time step whose code was typed, now or one step off; only steps later than `after`, so that none works
    twice. None where none fits."""
    code, here = plain(typed), int(now.timestamp()) // STEP
    if len(code) != _DIGITS or not code.isdigit():
        return None
    app = pyotp.TOTP(secret)
    fits = [at for at in (here - 1, here, here + 1) if hmac.compare_digest(app.generate_otp(at), code)]
    return next((at for at in fits if at > after), None)


def new_recovery_codes() -> list[str]:
    """Ten codes of 50 bits each, as they are shown: `7K3M9-QXRT2`."""
    made = [normalise(generate())[:_RECOVERY_LENGTH] for _ in range(RECOVERY_CODES)]
    return [f"{code[:5]}-{code[5:]}" for code in made]


def plain(typed: str) -> str:
    """What was typed as it is compared: read as leniently as an invitation code; empty where it can be no code."""
    return normalise(typed)


def is_recovery(typed: str) -> bool:
    """Whether this has the shape of a recovery code."""
    return len(plain(typed)) == _RECOVERY_LENGTH
