"""Passwords: hashed with Argon2id, checked with equal work, refused where they are easy to guess."""

import os
import re
import threading
import unicodedata
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask_babel import gettext as _

FLOOR, LONGEST = 8, 256
"""No site accepts shorter passwords, whatever its settings say, and none cuts or accepts longer ones."""
FEWEST_DISTINCT = 5
# Without the words that anybody knows of a person, this much must be left of a password.
FEWEST_OWN = 8
ALWAYS_KNOWN = ("invitation", "password", "portal", "welcome")
RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
)

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Each hash holds a processor and 19 MiB: a crowd signing in at once waits its turn instead of filling the memory.
_turns = threading.BoundedSemaphore(os.cpu_count() or 1)
# Nobody's password. Where there is no hash to compare with, this one makes the same work.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$X66nlbkJajukfUbNHFSgmQ$Wsdsglp4m+WBpkeaRm4Gmiri8VqfcCqQe/z0lJqpHZE"


def hash_password(text: str) -> str:
    """The Argon2id hash to store. Takes some 30 ms: call it before `transaction()`, never inside."""
    with _turns:
        return _hasher.hash(_prepared(text))


def verify_password(stored: str | None, text: str) -> bool:
    """Whether `text` is the password; without a stored hash the same work is done and the answer is no."""
    with _turns:
        try:
            _hasher.verify(stored or _NOBODY, _prepared(text))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None and len(text) <= LONGEST


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def weakness(password: str, *, minimum: int, words: Iterable[str] = ()) -> str | None:
    """Why the password is refused, as a sentence for the person who typed it; None when it is good.

    `minimum` is the length that the site asks for; `words` are what others know of them: names, the e-mail address,
    the account, the site.
    """
    minimum = max(minimum, FLOOR)
    if len(password) < minimum:
        return _("Please use at least %(least)s characters. Several words in a row are fine.", least=minimum)
    if len(password) > LONGEST:
        return _("Please use at most %(most)s characters.", most=LONGEST)
    folded = unicodedata.normalize("NFKC", password).casefold()
    letters = re.sub(r"[\W_]+", "", folded)
    if folded in _common() or letters in _common():
        return _("This is one of the passwords that people use most. Please choose another one.")
    if _repeats(folded):
        return _("This repeats itself too much. Please choose something more varied.")
    if _runs(letters or folded):
        return _("This follows the alphabet, the keyboard or the numbers. Please choose something else.")
    if _own_part(letters or folded, words) < min(FEWEST_OWN, minimum // 2):
        return _("This is mostly made of names that others know. Please add words of your own.")
    return None


@cache
def _common() -> frozenset[str]:
    lines = Path(__file__).with_name("common_passwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def _prepared(text: str) -> bytes:
    # Cut before composing, which can make a text longer; such a text is never accepted as a password.
    return unicodedata.normalize("NFKC", text[: LONGEST + 1]).encode("utf-8", "surrogatepass")


def _repeats(text: str) -> bool:
    """Whether the text has too few different characters, or is one short piece again and again."""
    if len(set(text)) < FEWEST_DISTINCT:
        return True
    return (text + text).find(text, 1) <= len(text) // 2


def _runs(text: str) -> bool:
    """Whether two thirds of the text or more just go along a row of keys, the alphabet or the digits."""
    steps = {a + b for run in RUNS for row in (run, run[::-1]) for a, b in pairwise(row)}
    along = sum(a + b in steps or a == b for a, b in pairwise(text))
    return along * 3 >= (len(text) - 1) * 2


def _own_part(text: str, words: Iterable[str]) -> int:
    """How many characters are left without the known words and the numbers that people add to them."""
    pieces = [piece for word in (*words, *ALWAYS_KNOWN) for piece in re.split(r"[\W_]+", word.casefold())]
    left = text
    for piece in sorted({unicodedata.normalize("NFKC", p) for p in pieces if len(p) >= 3}, key=len, reverse=True):
        left = left.replace(piece, "")
    return len(text) if left == text else len(re.sub(r"\d", "", left))
