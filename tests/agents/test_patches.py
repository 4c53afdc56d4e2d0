"""Diffs of Git as rows: what real repositories give."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tasks.agents.patches import FilePatch, files_of


@pytest.fixture
def top(tmp_path: Path) -> Path:
    _git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("".join(f"line {number}\n" for number in range(1, 41)))
    (tmp_path / "old name.txt").write_text("same\n" * 20)
    (tmp_path / "gone.txt").write_text("gone\n")
    _git(tmp_path, "add", "-A")
    return tmp_path


def _git(top: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=top, check=True, capture_output=True, text=True).stdout


def _patches(top: Path) -> dict[str, FilePatch]:
    before = _git(top, "write-tree").strip()
    _git(top, "add", "-A")
    after = _git(top, "write-tree").strip()
    return {each.path: each for each in files_of(_git(top, "diff-tree", "-p", "-r", "-M", before, after))}


def test_lines_are_beside_what_takes_their_place_with_their_numbers(top: Path) -> None:
    lines = (top / "a.txt").read_text().splitlines()
    lines[9:11] = ["line ten", "line eleven", "one more"]
    (top / "a.txt").write_text("\n".join([*lines[:-1], "the end"]))
    patch = _patches(top)["a.txt"]
    changed = [row for hunk in patch.hunks for row in hunk.rows if not row.is_same]
    assert [row.numbers for row in changed] == [(10, 10), (11, 11), (None, 12), (40, 41)]
    assert (patch.added, patch.removed, len(patch.hunks)) == (4, 3, 2)
    assert changed[-1].new and not changed[-1].new.has_end
    assert changed[0].new and changed[0].new.middle == "ten"


def test_files_that_come_go_and_move_are_named(top: Path) -> None:
    (top / "gone.txt").unlink()
    (top / "old name.txt").rename(top / "new name.txt")
    (top / "naïve\ttab.txt").write_text("new\n")
    (top / "empty").touch()
    found = _patches(top)
    changes = {path: (each.change, each.notes) for path, each in found.items()}
    assert changes == {
        "gone.txt": ("deleted", []),
        "new name.txt": ("modified", ["rename from old name.txt"]),
        "naïve\ttab.txt": ("added", []),
        "empty": ("added", []),
    }


def test_links_binary_files_and_modes_are_said(top: Path) -> None:
    (top / "link").symlink_to("/etc/passwd")
    (top / "picture").write_bytes(b"\x00\x01\x02")
    (top / "gone.txt").chmod(0o755)
    found = _patches(top)
    assert found["link"].notes == ["symbolic link"]
    assert found["picture"].notes == ["binary"]
    assert found["gone.txt"].notes == ["mode 100755"]


def test_lines_that_look_like_a_diff_are_lines(top: Path) -> None:
    (top / "gone.txt").write_text("-- a\n++ b\ndiff --git a/x b/x\n@@ -1 +1 @@\n")
    patch = _patches(top)["gone.txt"]
    shown = [row.new.raw for hunk in patch.hunks for row in hunk.rows if row.new]
    assert shown == ["-- a\n", "++ b\n", "diff --git a/x b/x\n", "@@ -1 +1 @@\n"]


def test_a_diff_that_was_cut_shows_what_is_there(top: Path) -> None:
    (top / "gone.txt").write_text("new\nand more\n")
    before = _git(top, "write-tree").strip()
    _git(top, "add", "-A")
    text = _git(top, "diff-tree", "-p", before, _git(top, "write-tree").strip())
    found = files_of(f"{text.rpartition('+and')[0]}… The rest is left out: 9 bytes are shown.\n")
    assert [(each.path, each.added) for each in found] == [("gone.txt", 1)]
    assert files_of("") == []
