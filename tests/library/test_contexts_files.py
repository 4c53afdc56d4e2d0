"""Contexts in files: what is read, and what is named as broken."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.library.contexts import reading
from tasks.library.contexts.choosing import Entry

BROKEN = {
    "no end of the front matter": ("---\nexpires: 2030-01-31\nText", "line 1: "),
    "no YAML": ("---\nwhen: [\n---\nText", "not valid YAML"),
    "an unknown key": ("---\nfor: all\n---\nText", "when, expires, learned_from"),
    "an unknown condition": ("---\nwhen: {files: [a]}\n---\nText", "paths, words"),
    "a string for a list": ("---\nwhen: {paths: a}\n---\nText", "paths must be a list"),
    "too many words": (f"---\nwhen: {{words: [{', '.join(['a'] * 21)}]}}\n---\nText", "words must be a list"),
    "no date": ("---\nexpires: soon\n---\nText", "expires must be a date"),
    "a date that is none": ("---\nexpires: 2030-13-45\n---\nText", "expires must be a date"),
    "a date that no zone can show": ("---\nexpires: 9999-12-31\n---\nText", "expires must be a date"),
    "a tag of a time": ("---\nexpires: !!timestamp soon\n---\nText", "line 2: "),
    "a tag of a truth": ("---\nwhen:\n  words: [!!bool maybe]\n---\nText", "line 3: "),
    "a tag of a number": ("---\nexpires: !!int ''\n---\nText", "line 2: "),
    "a number too large": (f"---\nexpires: {'1:' * 400}1.0\n---\nText", "expires must be a date"),
    "a key that is a list": ("---\n? [a]\n: b\n---\nText", "line 2: "),
    "an alias": ("---\nwhen: {paths: &a [x], words: *a}\n---\nText", "line 2: "),
    "nested too deeply": (f"---\nwhen: {'[' * 3_000}\n---\nText", "line 2: "),
    "no text": ("---\nexpires: 2030-01-31\n---\n \n", "no text"),
    "a NUL": ("Text\x00", "no text"),
}


def write(root: Path, name: str, text: str) -> Path:
    path = root / ".task_orchestrator" / "contexts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_file_says_when_it_is_for_how_long_and_from_what(tmp_path: Path) -> None:
    head = "when: {paths: [src/*], words: [cache]}\nexpires: 2030-01-31\nlearned_from: [task_1]"
    write(tmp_path, "tester/cache.md", f"---\n{head}\n---\n\n# Cache\nIt is cold.\n")
    (entry,), problems = reading.read(str(tmp_path), ["tester"])
    assert entry == Entry(
        key=".task_orchestrator/contexts/tester/cache.md",
        name="cache",
        specialist="tester",
        text="# Cache\nIt is cold.",
        paths=("src/*",),
        words=("cache",),
        sources=("task_1",),
        expires_at=datetime(2030, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
    )
    assert problems == []


def test_a_file_without_front_matter_is_all_text(tmp_path: Path) -> None:
    write(tmp_path, "all/style.md", "Use tabs.\n")
    (entry,), _ = reading.read(str(tmp_path), [""])
    assert (entry.specialist, entry.text, entry.expires_at) == ("", "Use tabs.", None)


def test_a_byte_order_mark_hides_no_front_matter(tmp_path: Path) -> None:
    write(tmp_path, "all/style.md", "\ufeff---\nexpires: 2030-01-31\n---\nUse tabs.\n")
    (entry,), _ = reading.read(str(tmp_path), [""])
    assert (entry.text, entry.expires_at is not None) == ("Use tabs.", True)


def test_front_matter_of_comments_alone_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, "all/style.md", "---\n# expires: 2030-01-31\n---\nUse tabs.\n")
    (entry,), _ = reading.read(str(tmp_path), [""])
    assert (entry.text, entry.expires_at) == ("Use tabs.", None)


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_file_is_named_and_left_out(tmp_path: Path, case: str) -> None:
    text, expected = BROKEN[case]
    write(tmp_path, "tester/a.md", text)
    write(tmp_path, "tester/b.md", "Good")
    entries, (problem,) = reading.read(str(tmp_path), ["tester"])
    assert [entry.name for entry in entries] == ["b"]
    assert "tester/a.md" in problem and expected in problem


def test_a_name_too_long_to_be_shown_and_kept_is_named_and_left_out(tmp_path: Path) -> None:
    write(tmp_path, f"tester/{chr(0x202E) * 80}.md", "Text")
    entries, (problem,) = reading.read(str(tmp_path), ["tester"])
    assert entries == [] and "300" in problem and len(problem) < 400


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text("Secret")
    path = write(tmp_path, "tester/a.md", "x")
    path.unlink()
    path.symlink_to(secret)
    entries, problems = reading.read(str(tmp_path), ["tester"])
    assert entries == [] and "a link is in the way" in problems[0]


def test_what_a_role_named_all_gets_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, "all/a.md", "Text")
    assert len(reading.read(str(tmp_path), ["", "all"])[0]) == 1


def test_folders_name_the_specialists(tmp_path: Path) -> None:
    for name in ("tester/a.md", "all/b.md", "Not One/c.md"):
        write(tmp_path, name, "Text")
    assert reading.specialists_in(str(tmp_path)) == ["", "tester"]
    assert reading.specialists_in("") == []


def test_an_edit_counts_for_the_next_brief(tmp_path: Path) -> None:
    write(tmp_path, "tester/a.md", "Old")
    assert reading.read(str(tmp_path), ["tester"])[0][0].text == "Old"
    write(tmp_path, "tester/a.md", "New")
    assert reading.read(str(tmp_path), ["tester"])[0][0].text == "New"
