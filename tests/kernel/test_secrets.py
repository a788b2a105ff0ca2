"""Keys, keyed hashes, sealed texts, link tokens, and what happens when keys are rotated or lost."""

import json
import stat
from pathlib import Path

import pytest

from portal.kernel import secrets_
from portal.kernel.secrets_ import KeyMissing, KeyRing

URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
BOUND = ("purpose", 7, 3, 1, "digest")


@pytest.fixture
def ring() -> KeyRing:
    return secrets_.new_ring()


@pytest.fixture
def rotated(ring: KeyRing) -> KeyRing:
    newer = secrets_.new_ring()
    return KeyRing(newer.current, {**newer.keys, **ring.keys})


def test_every_single_character_change_of_a_token_is_refused(ring: KeyRing):
    token = ring.token(secrets_.new_public_id(), *BOUND)
    changed = [
        token[:place] + other + token[place + 1 :] for place in range(43) for other in URL_SAFE if other != token[place]
    ]
    assert len(changed) == 2_709
    assert not any(ring.verifies(one, *BOUND) for one in changed)


def test_the_last_character_has_one_accepted_spelling(ring: KeyRing):
    token = ring.token(secrets_.new_public_id(), *BOUND)
    readable = [other for other in URL_SAFE if secrets_.token_id(token[:-1] + other) is not None]
    assert token[-1] in readable
    assert len(readable) == 16  # 43 characters carry 258 bits; the last two are zero in the accepted spelling


@pytest.mark.parametrize(
    "text", ["", "x", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "é", "A" * 42 + "\n", "+" * 43, "/" * 43, " " * 43]
)
def test_what_is_no_token_is_refused(ring: KeyRing, text: str):
    assert secrets_.token_id(text) is None
    assert not ring.verifies(text, *BOUND)


@pytest.mark.parametrize("place", range(len(BOUND)))
def test_a_token_is_bound_to_every_value(ring: KeyRing, place: int):
    token = ring.token(secrets_.new_public_id(), *BOUND)
    other = [*BOUND[:place], "other", *BOUND[place + 1 :]]
    assert not ring.verifies(token, *other)


def test_values_do_not_run_into_each_other(ring: KeyRing):
    token = ring.token(secrets_.new_public_id(), "a", 1, 23)
    assert not ring.verifies(token, "a", 12, 3)


def test_the_token_of_one_with_the_id_of_another_is_refused(ring: KeyRing):
    first, second = (ring.token(secrets_.new_public_id(), *BOUND) for _ in range(2))
    assert not ring.verifies(first[:21] + second[21:], *BOUND)
    assert not ring.verifies(second[:22] + first[22:], *BOUND)


def test_a_token_of_another_key_is_refused(ring: KeyRing):
    assert not ring.verifies(secrets_.new_ring().token(secrets_.new_public_id(), *BOUND), *BOUND)


def test_a_sealed_text_is_bound_to_its_record(ring: KeyRing):
    sealed = ring.seal("7K3M", "invitation:1")
    with pytest.raises(ValueError, match="altered"):
        ring.open(sealed, "invitation:2")


def test_a_sealed_text_that_was_altered_is_refused(ring: KeyRing):
    sealed = ring.seal("7K3M-9QXR", "invitation:1")
    middle = len(sealed) // 2
    other = "A" if sealed[middle] != "A" else "B"
    with pytest.raises(ValueError, match="altered"):
        ring.open(sealed[:middle] + other + sealed[middle + 1 :], "invitation:1")


def test_without_its_key_a_sealed_text_says_so(ring: KeyRing):
    sealed = ring.seal("7K3M", "invitation:1")
    with pytest.raises(KeyMissing):
        secrets_.new_ring().open(sealed, "invitation:1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"current": "a", "keys": {}}',
        '{"current": "a", "keys": {"b": "AAAA"}}',
        '{"current": "a", "keys": {"a": "AAAA"}}',
        '{"current": "a", "keys": {"a": "not base64!"}}',
        '{"current": "a.b", "keys": {"a.b": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}',
        '{"current": "a", "keys": ["a"]}',
    ],
)
def test_a_bad_key_file_is_refused_with_a_reason(text: str):
    with pytest.raises(ValueError, match=r"\w"):
        secrets_.parse_ring(text)


def test_a_key_file_is_never_overwritten(tmp_path: Path, ring: KeyRing):
    path = tmp_path / "keys.json"
    secrets_.write_ring(path, ring)
    with pytest.raises(FileExistsError):
        secrets_.write_ring(path, secrets_.new_ring())
    assert secrets_.parse_ring(path.read_text()) == ring


def test_a_key_file_can_be_read_by_its_owner_only(tmp_path: Path, ring: KeyRing):
    path = tmp_path / "keys.json"
    secrets_.write_ring(path, ring)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_text())) == {"current", "keys"}


def test_after_a_rotation_the_old_values_still_hold(ring: KeyRing, rotated: KeyRing):
    token = ring.token(secrets_.new_public_id(), *BOUND)
    assert rotated.verifies(token, *BOUND)
    assert rotated.open(ring.seal("7K3M", "x"), "x") == "7K3M"
    assert ring.lookup("7K3M") in rotated.lookups("7K3M")


def test_after_a_rotation_new_values_carry_the_new_key(ring: KeyRing, rotated: KeyRing):
    assert rotated.seal("7K3M", "x").startswith(f"{rotated.current}.")
    assert rotated.lookup("7K3M") == rotated.lookups("7K3M")[0] != ring.lookup("7K3M")
    assert not ring.verifies(rotated.token(secrets_.new_public_id(), *BOUND), *BOUND)


def test_a_good_token_verifies(ring: KeyRing):
    public_id = secrets_.new_public_id()
    token = ring.token(public_id, *BOUND)
    assert len(token) == 43
    assert secrets_.token_id(token) == public_id
    assert ring.verifies(token, *BOUND)


def test_the_same_text_is_sealed_differently_each_time(ring: KeyRing):
    assert ring.seal("7K3M", "x") != ring.seal("7K3M", "x")


def test_a_keyed_hash_says_nothing_without_the_key(ring: KeyRing):
    assert ring.lookup("7K3M") == ring.lookup("7K3M")
    assert ring.lookup("7K3M") != secrets_.digest("7K3M")
    assert len(ring.lookup("7K3M")) == 64
