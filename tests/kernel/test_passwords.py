import threading

import pytest

from portal.kernel import passwords
from portal.kernel.passwords import hash_password, needs_rehash, verify_password, weakness

GOOD = "green lamps over quiet water"
KNOWN = ("Anna Weber", "anna.weber@example.org", "Supplier Portal", "Contoso")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("", "at least 15"),
        ("fourteen chars", "at least 15"),
        ("x" * 257, "at most 256"),
        ("passwordpassword", "use most"),
        ("Correct Horse Battery Staple", "use most"),
        ("ＰＡＳＳＷＯＲＤＰＡＳＳＷＯＲＤ", "use most"),
        ("aaaaaaaaaaaaaaaaaaaa", "repeats"),
        ("abcabcabcabcabcabc", "repeats"),
        ("ababababababababa", "repeats"),
        ("the day the day the day ", "repeats"),
        ("mnopqrstuvwxyzabcdef", "follows"),
        ("98765432109876543210987654", "follows"),
        ("asdfghjklöqwertzuiop", "follows"),
        ("Anna Weber Contoso 2026", "names"),
        ("SupplierPortal20261120", "names"),
        ("invitation portal x1", "names"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused_with_the_reason(password: str, why: str) -> None:
    assert why in str(weakness(password, minimum=15, words=KNOWN))


@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "exactly15chars!",
        "Пароль из своих слов",
        "🦊🐢🐱🐉🦊🐍🐢🐱🐉🦊🐍🐢🐱🐉🦊",
        " ".join(f"kite {n} lamp" for n in range(30))[:256],
        "  blanks stay as typed  ",
        "anna likes her purple kites",
    ],
)
def test_anything_else_is_accepted_whatever_it_is_made_of(password: str) -> None:
    assert weakness(password, minimum=15, words=KNOWN) is None


def test_code_points_are_counted_not_bytes() -> None:
    assert weakness("ü" + "öäßéèçñåøœđħŋł"[:13], minimum=15) is not None
    assert weakness("ü" + "öäßéèçñåøœđħŋł", minimum=15) is None


def test_a_site_may_ask_for_less() -> None:
    assert weakness("kite 9 lamp", minimum=8) is None
    assert "use most" in str(weakness("password1", minimum=8))


def test_the_block_list_holds_three_thousand_entries_that_satisfy_the_length_rule() -> None:
    listed = passwords._common()
    assert sum(len(entry) >= 15 for entry in listed) >= 3000
    assert all(len(entry) >= 8 and entry == entry.casefold() for entry in listed)


def test_a_hash_is_argon2id_with_the_decided_cost_and_never_the_same_twice() -> None:
    first, second = hash_password(GOOD), hash_password(GOOD)
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second
    assert verify_password(first, GOOD)
    assert not needs_rehash(first)


def test_only_the_very_password_fits() -> None:
    stored = hash_password(GOOD)
    for other in ("", GOOD + " ", " " + GOOD, GOOD.upper(), GOOD[:-1], "\x00" + GOOD, GOOD + "\ud800"):
        assert not verify_password(stored, other)


def test_two_spellings_of_the_same_letters_are_one_password() -> None:
    stored = hash_password("grüne Lampen über Wasser")
    assert verify_password(stored, "gru\u0308ne Lampen u\u0308ber Wasser")


def test_an_overlong_text_is_not_cut_and_then_accepted() -> None:
    longest = "ab3 " * 64
    stored = hash_password(longest)
    assert verify_password(stored, longest)
    assert not verify_password(stored, longest + "x")
    assert not verify_password(hash_password(longest + "x"), longest + "x")


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that were really compared with."""
    seen: list[str] = []
    real = passwords._hasher

    class Counting:
        def verify(self, stored: str, text: bytes) -> bool:
            seen.append(stored)
            return bool(real.verify(stored, text))

    monkeypatch.setattr(passwords, "_hasher", Counting())
    return seen


def test_without_a_hash_the_same_work_is_done_and_the_answer_is_no(verified: list[str]) -> None:
    assert not verify_password(None, GOOD)
    assert len(verified) == 1
    assert verified[0].startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_a_hash_that_cannot_be_read_fits_nothing() -> None:
    assert not verify_password("plain text", "plain text")


def test_a_hash_of_older_parameters_asks_to_be_made_anew() -> None:
    from argon2 import PasswordHasher

    assert needs_rehash(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD))


def test_a_crowd_waits_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No more hashes at once than the semaphore allows: each takes 19 MiB."""
    running, most, lock = 0, 0, threading.Lock()
    real = passwords._hasher

    class Watching:
        def verify(self, stored: str, text: bytes) -> bool:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                return bool(real.verify(stored, text))
            finally:
                with lock:
                    running -= 1

    monkeypatch.setattr(passwords, "_hasher", Watching())
    monkeypatch.setattr(passwords, "_turns", threading.BoundedSemaphore(2))
    crowd = [threading.Thread(target=verify_password, args=(None, GOOD)) for _ in range(8)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert 1 <= most <= 2
