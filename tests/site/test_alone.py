"""The tests depend on nothing that lies above their folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.site.processes import DEADLINE_SECONDS, ROOT

TESTS = [
    "tests/tasks/test_tools_initialize.py::test_the_first_call_opens_a_session_on_the_project_of_the_working_directory",
    "tests/tasks/test_tools_initialize.py::test_a_named_folder_is_the_project_of_all_later_calls",
]


@pytest.mark.parametrize("options", [(), ("--basetemp", "{}/base")])
def test_a_repository_above_the_folders_of_tests_changes_nothing(tmp_path: Path, options: tuple[str, ...]) -> None:
    subprocess.run(["git", "init", str(tmp_path)], check=True, capture_output=True)
    (tmp_path / "tmp").mkdir()
    words = [word.format(tmp_path) for word in options]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *words, *TESTS],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "", "TMPDIR": str(tmp_path if words else tmp_path / "tmp")},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stdout
