"""Invitation codes: how one is made, written and read back.

Crockford's base 32 (no I, L, O, U), 16 symbols from the system's generator: 80 bits.
"""

import secrets
import unicodedata
from itertools import pairwise

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 16
SHORTEST, LONGEST = 8, 64
FEWEST_DISTINCT = 5
LONGEST_TYPED = 200
_LOOKALIKES = str.maketrans({"I": "1", "L": "1", "O": "0"})
_SEPARATORS = frozenset("-‐‑‒–—−._/:·")


def generate() -> str:
    """A new code, set in groups of four: `7K3M-9QXR-T2VD-8HNC`."""
    return grouped("".join(secrets.choice(ALPHABET) for _ in range(LENGTH)))


def grouped(normalised: str) -> str:
    """The code with a dash after each fourth symbol."""
    return "-".join(normalised[i : i + 4] for i in range(0, len(normalised), 4))


def normalise(typed: str) -> str:
    """One spelling for all ways of typing the same code; empty when nothing usable was typed.

    Folds width and case, drops blanks and dashes, reads I and L as 1 and O as 0. A symbol that no
    code can hold makes the whole text unusable, as does a text over 200 characters.
    """
    if len(typed) > LONGEST_TYPED:
        return ""
    folded = unicodedata.normalize("NFKC", typed)
    kept = "".join(c for c in folded if not c.isspace() and c not in _SEPARATORS).upper()
    plain = kept.translate(_LOOKALIKES)
    return plain if plain.isascii() and plain.isalnum() and len(plain) <= LONGEST else ""


def too_weak(normalised: str) -> bool:
    """Whether a code chosen by hand is refused: under 8 symbols, or fewer than 5 different ones."""
    return len(normalised) < SHORTEST or len(set(normalised)) < FEWEST_DISTINCT


def guessable(normalised: str) -> bool:
    """Whether a code chosen by hand deserves a warning: under 60 bits by its alphabet, or a plain run."""
    bits_per_symbol = 3.32 if normalised.isdigit() else 4.7 if normalised.isalpha() else 5.0
    runs = sum(ord(b) - ord(a) in (0, 1, -1) for a, b in pairwise(normalised))
    return len(normalised) * bits_per_symbol < 60 or runs * 2 > len(normalised)
