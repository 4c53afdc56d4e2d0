"""The demo, as `make demo` runs it, in a data folder of the test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.site.processes import ROOT


def demo(home: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.demo", "--home", str(home)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)


def test_the_second_assistant_finds_every_character_of_the_one_that_was_killed(tmp_path: Path) -> None:
    shown = demo(tmp_path / "home")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "hashes ok: 10 of 10 artifacts" in shown.stdout
    assert "kill -9  the assistant and its server: 3 processes" in shown.stdout
    assert shown.stderr == ""
    assert not (tmp_path / "home" / "server.log").read_text()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ada")
    shown = demo(tmp_path)
    assert shown.returncode == 2
    assert "holds something else" in shown.stderr
    assert (tmp_path / "letter.txt").read_text() == "Dear Ada"
