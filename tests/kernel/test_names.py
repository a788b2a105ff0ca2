"""What a name shows is what it holds."""

import pytest

from portal.kernel.names import holds_link, visible


@pytest.mark.parametrize("sign", ["\u202e", "\u200b", "\u2066", "\ufeff", "\u2028", "\x0b", "\x00", "\u200f"])
def test_what_turns_text_or_hides_in_it_is_dropped(sign: str) -> None:
    assert visible(f"An{sign}na") == "Anna"


@pytest.mark.parametrize("name", ["Müller", "محمد", "नेहा", "می\u200cخواهم", "O'Brien-Smith", "李雷"])
def test_names_of_all_languages_stay(name: str) -> None:
    assert visible(name) == name


@pytest.mark.parametrize(("name", "expected"), [("anna.weber", False), ("evil.com", True), ("www.x", True)])
def test_what_looks_like_a_link(name: str, expected: bool) -> None:
    assert holds_link(name) is expected
