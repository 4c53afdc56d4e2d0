"""Commands say in one line that their data cannot be reached, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.processes import manage

COMMANDS = [("token", "list"), ("token", "create", "x"), ("connect", "cursor", "--yes"), ("sign_in_link",)]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_folder_that_is_not_there_is_named(
    empty_home: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////nowhere/at/all.sqlite3")
    refused = manage(*words)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "CommandError: The data cannot be reached: /nowhere/at/all.sqlite3: unable to open database file. "
        "Look closer: manage.py doctor\n"
    )


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_file_that_is_no_database_is_said(empty_home: Path, words: tuple[str, ...]) -> None:
    empty_home.mkdir()
    file = empty_home / "orchestrator.sqlite3"
    file.write_text("not a database, but long enough to be read as one" * 20)
    refused = manage(*words)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"CommandError: The data cannot be reached: {file}: file is not a database. Look closer: manage.py doctor\n"
    )
