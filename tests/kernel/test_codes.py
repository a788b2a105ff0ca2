"""Codes: how they are made, and which ways of typing one are the same."""

import random
import re
from collections import Counter

import pytest

from portal.kernel import codes

CODE = "7K3M-9QXR-T1VD-80NC"
PLAIN = "7K3M9QXRT1VD80NC"

SPELLINGS = [
    CODE,
    PLAIN,
    CODE.lower(),
    PLAIN.lower(),
    "7k3M-9qXr-T1vD-80Nc",
    "7K3M 9QXR T1VD 80NC",
    "  7K3M-9QXR-T1VD-80NC  ",
    "7K3M-9QXR-T1VD-80NC\n",
    "7K3M\t9QXR\tT1VD\t80NC",
    "7K3M-9QXR-TIVD-80NC",
    "7K3M-9QXR-TLVD-80NC",
    "7K3M-9QXR-T1VD-8ONC",
    "7k3m-9qxr-tlvd-8onc",
    "7k3m-9qxr-tivd-8onc",
    "7K3M.9QXR.T1VD.80NC",
    "7K3M_9QXR_T1VD_80NC",
    "7K3M–9QXR–T1VD–80NC",
    "7K3M—9QXR—T1VD—80NC",
    "7K3M‑9QXR‑T1VD‑80NC",
    "7K3M−9QXR−T1VD−80NC",
    "7K3M/9QXR/T1VD/80NC",
    "7K3M:9QXR:T1VD:80NC",
    "７Ｋ３Ｍ－９ＱＸＲ－Ｔ１ＶＤ－８０ＮＣ",
    "7K3M\u00a09QXR\u2009T1VD\u300080NC",
    "-7-K-3-M-9-Q-X-R-T-1-V-D-8-0-N-C-",
]
NEAR_MISSES = [
    "",
    " ",
    "-",
    PLAIN[:-1],
    PLAIN + "0",
    PLAIN[1:],
    "0" + PLAIN,
    "K73M-9QXR-T1VD-80NC",
    "7K3N-9QXR-T1VD-80NC",
    "7K3M-9QXR-T1VD-80NG",
    "7K3M-9QXR-T1VD-8QNC",
    "7K3M-9QXR-T1VD-8DNC",
    "7K3M-9QXR-T7VD-80NC",
    "7K3M-9QXR-T1UD-80NC",
    "7K3M-9QXR-T1VD-80NC!",
    "7K3M+9QXR+T1VD+80NC",
    "7K3M,9QXR,T1VD,80NC",
    "7K3M-9QXR-T1VD-80NÇ",
    "7К3М-9QXR-T1VD-80NC",
    "7K3M-9QXR-T1VD-80NC\x00",
    "7K3M\u200b9QXRT1VD80NC",
    "7K3M-9QXR-T1VD-80NC😀",
    CODE + CODE,
    "%7K3M-9QXR-T1VD-80NC",
    "7K3M-9QXR-T1VD-80N*",
]


def test_the_tables_hold_25_each():
    assert len(set(SPELLINGS)) == 25
    assert len(set(NEAR_MISSES)) == 25


@pytest.mark.parametrize("typed", NEAR_MISSES)
def test_a_near_miss_is_another_code_or_none(typed: str):
    assert codes.normalise(typed) != PLAIN


@pytest.mark.parametrize("typed", ["x" * 201, "A" * 65, "\x00", "😀", "é" * 10, "A" * 1_000_000, "\ud800"])
def test_what_no_code_can_be_normalises_to_nothing(typed: str):
    assert codes.normalise(typed) == ""


@pytest.mark.parametrize("typed", SPELLINGS)
def test_every_spelling_is_the_same_code(typed: str):
    assert codes.normalise(typed) == PLAIN


@pytest.mark.parametrize(
    "chosen", ["", "A", "ABCDEFG", "AAAAAAAA", "ABABABABAB", "ABCDABCDABCD", "11112222333344445555"[:16]]
)
def test_a_chosen_code_that_is_too_weak(chosen: str):
    assert codes.too_weak(chosen)


@pytest.mark.parametrize("chosen", ["WELC0ME2026", "SPR1NG0NB0ARD", "ABCDEFGH", "12345678"])
def test_a_chosen_code_that_passes(chosen: str):
    assert not codes.too_weak(chosen)


@pytest.mark.parametrize("chosen", ["12345678", "ABCDEFGH", "87654321", "WELC0ME26", "123456789012"])
def test_a_code_that_deserves_a_warning(chosen: str):
    assert codes.guessable(chosen)


def test_a_generated_code_deserves_none():
    assert not any(codes.guessable(codes.normalise(codes.generate())) for _ in range(1_000))


def test_a_hundred_thousand_codes_are_well_formed_distinct_and_even(monkeypatch: pytest.MonkeyPatch):
    """The chi-square of 32 symbols (31 degrees of freedom) lies between its 0.001 and 0.999 quantiles."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("codes come from `secrets` only")

    for name in ("random", "choice", "choices", "randint", "randrange", "getrandbits", "shuffle", "sample"):
        monkeypatch.setattr(random, name, refuse)
    pattern = re.compile(rf"[{codes.ALPHABET}]{{4}}(-[{codes.ALPHABET}]{{4}}){{3}}")
    made = [codes.generate() for _ in range(100_000)]
    assert all(pattern.fullmatch(code) for code in made)
    assert len(set(made)) == len(made)
    counts = Counter("".join(made).replace("-", ""))
    expected = len(made) * codes.LENGTH / len(codes.ALPHABET)
    chi_square = sum((counts[symbol] - expected) ** 2 / expected for symbol in codes.ALPHABET)
    assert 11.0 < chi_square < 61.1
    assert set(counts) == set(codes.ALPHABET)


def test_a_generated_code_is_its_own_spelling():
    code = codes.generate()
    assert codes.grouped(codes.normalise(code)) == code
