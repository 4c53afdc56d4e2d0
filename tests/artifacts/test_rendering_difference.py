"""The difference between two texts: nothing is lost, nothing is made up, and no text is slow."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from hashlib import sha256
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from artifacts.models import Content
from artifacts.rendering import difference as rooms
from artifacts.rendering import sandbox
from artifacts.rendering.difference import SHOWN_ROWS, Difference, Hunk, Row, difference
from artifacts.rendering.opcodes import opcodes, plain_opcodes

WHOLE = 10_000


def compare(old: str, new: str, **more: int) -> Difference:
    contents = [Content(sha256=sha256(text.encode()).hexdigest()) for text in (old, new)]
    return difference(contents[0], contents[1], old, new, **more)


def sides(rows: list[Row]) -> tuple[str, str]:
    return "".join(row.old.raw for row in rows if row.old), "".join(row.new.raw for row in rows if row.new)


def place_of(hunk: Hunk) -> str:
    spans = []
    for lines in ([row.old for row in hunk.rows if row.old], [row.new for row in hunk.rows if row.new]):
        spans.append(f"{lines[0].number},{len(lines)}" if lines else "0,0")
    return f"@@ -{spans[0]} +{spans[1]} @@"


def unified(difference: Difference, old_name: str, new_name: str) -> str:
    """Return a difference as text that `patch` and `git apply` take; empty where there is none."""
    if not difference.hunks:
        return ""
    lines = [f"--- {old_name}", f"+++ {new_name}"]
    for hunk in difference.hunks:
        lines.append(place_of(hunk))
        for row in hunk.unified:
            if line := row.old or row.new:
                sign = " " if row.is_same else "-" if row.old else "+"
                end = [] if line.has_end else ["\\ No newline at end of file"]
                lines += [sign + line.raw.removesuffix("\n"), *end]
    return "\n".join(lines) + "\n"


LINES = st.lists(
    st.sampled_from(["a\n", "b\n", "\n", "c\r\n", "d \u2028e\x0bf\n", "\u00fc\U0001f389\n"]), max_size=12
).map("".join)
TEXTS = st.tuples(LINES, st.sampled_from(["", "end"])).map("".join)


@given(TEXTS, TEXTS)
def test_opcodes_turn_the_old_lines_into_the_new_ones(old: str, new: str) -> None:
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    for codes in (opcodes(before, after), plain_opcodes(before, after)):
        assert [line for code in codes for line in before[code[1] : code[2]]] == before
        assert [line for code in codes for line in after[code[3] : code[4]]] == after
        assert all(code[0] != "equal" or before[code[1] : code[2]] == after[code[3] : code[4]] for code in codes)


@settings(max_examples=25)
@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_from_their_difference(old: str, new: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "render", lambda key, what, old, new: opcodes(old, new))
        found = compare(old, new, context=WHOLE)
    rows = [row for hunk in found.hunks for row in hunk.rows]
    below = [row for hunk in found.hunks for row in hunk.unified]
    if old != new:
        assert sides(rows) == sides(below) == (old, new)
    assert found.removed == sum(bool(row.old) for row in below if not row.is_same)
    assert found.added == sum(bool(row.new) for row in below if not row.is_same)
    for line in [line for row in rows for line in (row.old, row.new) if line]:
        shown = line.raw.removesuffix("\n").replace("\r", "\u240d").replace("\x0b", "\u240b")
        assert line.before + line.middle + line.after == shown


@pytest.mark.skipif(shutil.which("git") is None, reason="git is what reads differences")
@settings(max_examples=15)
@given(TEXTS, TEXTS)
def test_git_applies_what_is_written(tmp_path_factory: pytest.TempPathFactory, old: str, new: str) -> None:
    folder = tmp_path_factory.mktemp("tree")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rooms, "render", lambda key, what, old, new: opcodes(old, new))
        text = unified(compare(old, new), "a/file", "b/file")
    if not text:
        assert old == new
        return
    (folder / "file").write_bytes(old.encode())
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    subprocess.run(
        command,
        input=text.encode(),
        cwd=folder,
        check=True,
        env={"GIT_CEILING_DIRECTORIES": "/", "PATH": "/usr/bin:/bin"},
    )
    assert (folder / "file").read_bytes() == new.encode()


def test_distant_changes_are_separate_hunks() -> None:
    old = [f"{number}\n" for number in range(40)]
    new = [*old[:5], "x\n", *old[6:30], *old[31:]]
    found = compare("".join(old), "".join(new))
    assert [place_of(hunk) for hunk in found.hunks] == ["@@ -3,7 +3,7 @@", "@@ -28,7 +28,6 @@"]
    assert (found.added, found.removed, found.is_rough, found.left_out) == (1, 2, False, 0)


def test_what_changed_within_a_line_is_marked() -> None:
    (hunk,) = compare("the old word\n", "the new word\n").hunks
    (row,) = hunk.rows
    assert row.old and row.new
    assert (row.old.before, row.old.middle, row.old.after) == ("the ", "old", " word")
    assert (row.new.before, row.new.middle, row.new.after) == ("the ", "new", " word")


def test_a_missing_last_newline_is_a_difference() -> None:
    found = compare("a\n", "a")
    assert (found.added, found.removed) == (1, 1)
    assert unified(found, "a", "b") == "--- a\n+++ b\n@@ -1,1 +1,1 @@\n-a\n+a\n\\ No newline at end of file\n"


def test_the_same_text_has_no_difference() -> None:
    found = compare("a\nb", "a\nb")
    assert (found.hunks, unified(found, "a", "b")) == ([], "")


def test_a_text_from_nothing_and_to_nothing() -> None:
    assert unified(compare("", "a\n"), "a", "b").splitlines()[2:] == ["@@ -0,0 +1,1 @@", "+a"]
    assert unified(compare("a\n", ""), "a", "b").splitlines()[2:] == ["@@ -1,1 +0,0 @@", "-a"]


def test_a_small_change_in_a_long_text_is_found_exactly() -> None:
    old = [f"{number}\n" for number in range(60_000)]
    found = compare("".join(old), "".join([*old[:30_000], "x\n", *old[30_001:]]))
    assert (found.added, found.removed, found.is_rough) == (1, 1, False)


@pytest.mark.parametrize("old, new", [("", "x\n" * 9000), ("a\nb\n", "a\n" + "x\n" * 9000 + "b\n"), ("x\n" * 9000, "")])
def test_what_only_came_or_only_went_is_exact_however_much_it_is(old: str, new: str) -> None:
    for one, other in ((old, new), (new, old)):
        found = compare(one, other)
        assert not found.is_rough
        assert {found.added, found.removed} == {0, 9000}


def test_of_a_very_long_text_the_beginning_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "COMPARED_CHARACTERS", 10)
    assert compare("a" * 11, "b" * 11).compared == 10
    assert compare("a" * 10, "b" * 10).compared is None


def test_a_comparison_that_takes_too_long_is_rough_and_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_workers", sandbox.two_workers())
    monkeypatch.setattr(sandbox, "SECONDS", 0.01)
    found = compare("same\na\nslow\nb\n", "same\nb\nslow\na\n")
    assert found.is_rough and (found.added, found.removed) == (3, 3)
    assert sides([row for hunk in found.hunks for row in hunk.rows]) == ("same\na\nslow\nb\n", "same\nb\nslow\na\n")


def _numbers(numbers: Iterable[int]) -> str:
    return "".join(f"{number}\n" for number in numbers)


BOMBS = {
    "all lines again": ("a\n" * 5_000, "b\n" * 5_000),
    "every line twice": (_numbers(n % 2500 for n in range(5_000)), _numbers(n % 2499 for n in range(5_000))),
    "lines of each sort as often": (_numbers(n % 101 for n in range(5_000)), _numbers(n % 103 for n in range(4_999))),
    "lines at random": (
        _numbers(Random(1).choices(range(101), k=5_000)),
        _numbers(Random(2).choices(range(101), k=5_000)),
    ),
    "upside down": (_numbers(range(5_000)), _numbers(range(5_000, 0, -1))),
    "a million lines": ("\n" * 1_000_000, "x\n" * 500_000),
    "one long line": ("a" * 1_000_000, "a" * 500_000 + "b"),
    "long lines": (("x" * 400 + "a\n") * 2_400, ("x" * 400 + "b\n") * 2_400),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_any_texts_are_compared_finely_or_roughly(bomb: str) -> None:
    found = compare(*BOMBS[bomb])
    assert found.added and found.removed
    assert sum(len(hunk.rows) for hunk in found.hunks) <= SHOWN_ROWS
    shown = sum(row.is_same is False for hunk in found.hunks for row in hunk.rows)
    assert shown or found.left_out


def test_a_character_without_a_shape_is_seen_where_it_is_all_that_changed() -> None:
    (row,) = compare("a\x00b\x1b\n", "ab\n").hunks[0].rows
    assert row.old and row.new
    assert row.old.before + row.old.middle + row.old.after == "a\u2400b\u241b"
    assert row.old.raw == "a\x00b\x1b\n"
