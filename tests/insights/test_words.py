"""Words of a task: what is counted, and that any string can be given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tasks.insights.models import WordCount
from tasks.insights.routing.words import DESCRIPTION, LIMIT, fingerprint, words_of

HOSTILE = {
    "nothing": ("", ""),
    "a megabyte": ("x" * 1_000_000, "word " * 200_000),
    "ten thousand words": (" ".join(_name for _name in map("w{}x".format, range(10_000))), ""),
    "digits": ("2024 4711 42", "1 2 3"),
    "control characters": ("\x00\x01\x1b[31m\n\t", "\x07" * 50),
    "bidi": ("\u202efix\u202c \u2066the\u2069 bug", "\u200f\u200e"),
    "half characters": ("\ud800 half", "\udfff"),
    "ligatures that grow": ("\ufdfa" * 500, "\ufdfa" * 4_000),
}
LONGEST = WordCount._meta.get_field("word").max_length or 0


def test_forms_of_a_word_are_counted_together() -> None:
    forms = words_of("crash crashes crashed crashing uploads")
    assert forms["crash"] == 5  # four, and once more since it comes first
    assert "upload" in forms


def test_the_first_word_counts_twice() -> None:
    assert words_of("review upload")["review"] == 2 * words_of("review upload")["upload"]


def test_neighbours_are_counted_as_pairs() -> None:
    assert "load test" in words_of("Run the load test")


def test_words_of_the_description_are_counted_apart() -> None:
    found = words_of("Upload", "Upload photos")
    assert found[f"{DESCRIPTION}upload"] == 1
    assert f"{DESCRIPTION}photo" in found
    assert "photo" not in found


def test_words_of_other_scripts_are_counted() -> None:
    assert words_of("Исправить ошибку входа").keys() >= {"исправить", "ошибку"}


@pytest.mark.parametrize("texts", HOSTILE.values(), ids=HOSTILE)
def test_any_text_gives_few_short_words(texts: tuple[str, str]) -> None:
    found = words_of(*texts)
    assert len(found) <= LIMIT
    assert all(len(word) <= LONGEST and "\x00" not in word for word in found)
    assert all(word.encode() for word in found)


@given(some.text(), some.text())
def test_no_text_fails(title: str, description: str) -> None:
    found = words_of(title, description)
    assert len(found) <= LIMIT
    assert all(0 < len(word) <= LONGEST for word in found)


def test_case_and_spaces_make_no_other_title() -> None:
    assert fingerprint("  Fix   the Login ") == fingerprint("fix the login")
    assert fingerprint("Fix the login") != fingerprint("Fix the logout")
