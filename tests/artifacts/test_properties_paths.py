"""Logical paths, whatever a caller sends: they stay inside the artifact's own tree."""

from __future__ import annotations

import posixpath
import re
from pathlib import PureWindowsPath

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from artifacts.paths import NAME_LIMIT, PATH_LIMIT, PATHS_LIMIT, SENT_LIMIT, all_normalised, normalised

NAMES = st.one_of(
    st.sampled_from(["", ".", "..", "...", " ", "C:", "c:x", "~", "b.txt", "é", "e\u0301", "ﬁ", "名", "NUL", "a:b"]),
    st.text(max_size=8),
)
SEPARATORS = st.sampled_from(["/", "\\", "//", "/./", "/../"])
PATHS = st.one_of(
    st.lists(st.tuples(NAMES, SEPARATORS), max_size=6).map(lambda parts: "".join(n + s for n, s in parts)),
    st.lists(NAMES, min_size=1, max_size=6).map("/".join),
    st.text(max_size=60),
)


def folded(path: str) -> str:
    """Normalise a path, leaving out of the test what is refused."""
    try:
        return normalised(path)
    except ValueError:
        assume(False)
        raise


@given(PATHS)
def test_a_path_is_relative_on_every_platform(path: str) -> None:
    result = folded(path)
    assert not result.startswith(("/", "\\"))
    assert not PureWindowsPath(result).drive
    assert not PureWindowsPath(result).is_absolute()


@given(PATHS)
def test_a_path_has_no_empty_name_and_never_leads_upwards(path: str) -> None:
    names = folded(path).split("/")
    assert not {"", ".", ".."} & set(names)
    assert not any("\\" in name for name in names)
    assert posixpath.normpath(folded(path)) == folded(path)


@given(PATHS)
def test_normalising_twice_is_normalising_once(path: str) -> None:
    result = folded(path)
    assert normalised(result) == result


@given(PATHS)
def test_what_is_refused_says_why_without_showing_the_path(path: str) -> None:
    try:
        normalised(path)
    except ValueError as why:
        assert str(why) in {"holds a control character", "names no file"} or "too long" in str(why)


@given(st.text(alphabet="ab/.", max_size=3), st.sampled_from("\x00\x01\n\r\t\x1b\x7f\ud800\udfff"), st.text(max_size=3))
def test_a_path_with_a_control_character_is_refused(before: str, bad: str, after: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        normalised(before + bad + after)


@given(st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_the_length_of_a_path_is_bounded(lengths: list[int]) -> None:
    path = "/".join("x" * length for length in lengths)
    fits = len(path) <= PATH_LIMIT and max(lengths) <= NAME_LIMIT
    try:
        assert normalised(path) == path
    except ValueError as why:
        assert not fits
        assert "too long" in str(why)
    else:
        assert fits


@given(st.lists(PATHS, max_size=8))
def test_of_several_paths_each_is_kept_once_or_named_as_a_problem(paths: list[str]) -> None:
    good, problems = all_normalised(paths)
    assert len(good) == len(set(good))
    refused = {int(re.fullmatch(r"file_paths\[(\d+)\]", problem["at"])[1]) for problem in problems}
    kept = {normalised(path) for number, path in enumerate(paths) if number not in refused}
    assert kept == set(good)


@pytest.mark.parametrize("number", [PATHS_LIMIT, PATHS_LIMIT + 1])
def test_more_paths_than_one_artifact_may_have_are_refused_together(number: int) -> None:
    good, problems = all_normalised([f"file{n}" for n in range(number)])
    assert len(good) == (number if number <= PATHS_LIMIT else 0)
    assert [problem["at"] for problem in problems] == ([] if number <= PATHS_LIMIT else ["file_paths"])


def test_a_path_is_refused_by_the_length_that_it_is_sent_in() -> None:
    steps = SENT_LIMIT // len("a/../") + 1
    assert normalised("a/../" * (steps - 2) + "b") == "b"
    with pytest.raises(ValueError, match="too long"):
        normalised("a/" * steps + "../" * steps + "b")
