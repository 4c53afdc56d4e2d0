"""The log of a run is read by cursor, from either end, and no entry in it is too long to be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.agents import run_log
from tasks.agents.run_log import Entries


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.jsonl"


def texts(found: Entries) -> list[str]:
    return [entry["text"] for entry in found.entries]


def said(log: Path, *words: str) -> None:
    run_log.append(log, ({"kind": "said", "text": text} for text in words))


def test_a_log_that_is_not_there_is_empty(log: Path) -> None:
    assert run_log.read(log) == Entries([], 0, at_end=True)


def test_reading_goes_on_at_the_cursor(log: Path) -> None:
    said(log, "a", "b", "c")
    first = run_log.read(log, limit=2)
    assert (texts(first), first.at_end) == (["a", "b"], False)
    rest = run_log.read(log, first.cursor)
    assert (texts(rest), rest.at_end) == (["c"], True)
    assert texts(run_log.read(log, rest.cursor)) == []


def test_a_cursor_inside_a_line_begins_at_the_next_one(log: Path) -> None:
    said(log, "a", "b")
    assert texts(run_log.read(log, 3)) == ["b"]


def test_the_newest_entries_are_the_last_ones(log: Path) -> None:
    said(log, *"abcdefgh")
    found = run_log.read(log, limit=3, newest=True)
    assert (texts(found), found.at_end) == (["f", "g", "h"], True)
    said(log, "i")
    assert texts(run_log.read(log, found.cursor)) == ["i"]


def test_the_newest_entries_of_a_long_log_are_read_from_its_end(log: Path) -> None:
    for number in range(100):
        said(log, f"{number} " + "漢" * 3_900)
    found = texts(run_log.read(log, limit=3, newest=True))
    assert [text.split()[0] for text in found] == ["97", "98", "99"]


def test_a_long_text_is_cut_and_the_entry_kept(log: Path) -> None:
    said(log, "\x01" * 20_000, "after it")
    long, after = texts(run_log.read(log))
    assert 0 < len(long) < 20_000
    assert after == "after it"


def test_a_line_that_is_being_written_is_left_for_the_next_read(log: Path) -> None:
    said(log, "a")
    with log.open("a") as file:
        file.write('{"kind": "said"')
    found = run_log.read(log)
    assert (texts(found), found.at_end) == (["a"], False)
    with log.open("a") as file:
        file.write(', "text": "b"}\n')
    assert texts(run_log.read(log, found.cursor)) == ["b"]


def test_earlier_entries_end_where_others_start(log: Path) -> None:
    said(log, *map(str, range(1_000)))
    newest = run_log.read(log, limit=600, newest=True)
    earlier = run_log.read_before(log, newest.start, limit=600)
    assert texts(earlier) + texts(newest) == list(map(str, range(1_000)))
    assert earlier.start == 0
