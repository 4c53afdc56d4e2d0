"""Every command prints on every stream, whatever the names in it."""

from __future__ import annotations

import io
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from orchestrator_site.kernel.output import PlainCommand, PlainOutput
from tests.homes import make_home
from tests.site.processes import DEADLINE_SECONDS, ROOT, start

OURS = sorted(
    (name, app)
    for name, app in get_commands().items()
    if str(app).partition(".")[0] in ("orchestrator_site", "tasks", "artifacts", "maintenance")
)
PROJECT = "INSERT INTO tasks_project VALUES (1, 'shop', 'Shop', '', '{}', '2030-01-01', '')"
ANY = "张三 … → \u00a0 ä ½ \x1b]0;title\x07 \u202ecod \x9b31m"


def test_there_are_commands() -> None:
    assert len(OURS) > 8


@pytest.mark.parametrize(("name", "app"), OURS)
def test_every_command_prints_plainly(name: str, app: str) -> None:
    assert isinstance(load_command_class(app, name), PlainCommand)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8", "gbk"])
def test_what_an_encoding_lacks_or_a_terminal_obeys_is_printed_as_an_escape(encoding: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="")
    PlainOutput(stream).write(f"{ANY}\tone\ntwo")
    stream.flush()
    printed = raw.getvalue().decode(encoding)
    assert printed.endswith("\tone\ntwo\n")
    assert all(char.isprintable() or char in "\n\t" for char in printed)
    assert "\\x1b]0;title" in printed


def test_messages_and_help_are_printed_in_any_encoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(make_home(tmp_path / "张三")))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    for words in (
        ("token", "create", "张三 …"),
        ("token", "list"),
        ("connect", "--help"),
        ("doctor",),
        ("token", "revoke", "李"),
    ):
        run = [sys.executable, "manage.py", *words]
        done = subprocess.run(run, cwd=ROOT, capture_output=True, timeout=DEADLINE_SECONDS, check=False)
        assert b"UnicodeEncodeError" not in done.stderr and b"Traceback" not in done.stderr
        assert done.returncode == 0 or words[0] == "doctor" or "revoke" in words


def run_in_shell(tmp_path: Path, words: list[str], redirected: str) -> tuple[int, str]:
    """Run a command and return its exit code and what it said on stderr."""
    line = f'cd "{tmp_path}"; set -o pipefail; "$0" "{ROOT}/manage.py" "$@" {redirected}'
    run = ["bash", "-c", line, sys.executable, *words]
    done = subprocess.run(run, stderr=subprocess.PIPE, timeout=DEADLINE_SECONDS, check=False, text=True)
    return done.returncode, done.stderr


@pytest.mark.parametrize("redirected", [">&-", ">/dev/full", "| true"])
@pytest.mark.parametrize("words", ["doctor", "project", "maintain", "backup copy", "token list --json", "connect"])
def test_a_command_survives_a_stream_that_is_closed_full_or_gone(
    tmp_path: Path, fresh_home: Path, words: str, redirected: str
) -> None:
    with closing(sqlite3.connect(fresh_home / "orchestrator.sqlite3")) as database, database:
        database.execute(PROJECT)
    code, error = run_in_shell(tmp_path, words.split(), redirected)
    assert "Traceback" not in error and "data" not in error
    if redirected == ">/dev/full":
        assert (code, error.count("\n")) == (1, 1)
    elif words != "doctor":
        assert error == "" and code <= (redirected == "| true")


def test_a_command_needs_no_stream_at_all(tmp_path: Path, fresh_home: Path) -> None:
    assert run_in_shell(tmp_path, ["connect", "cursor"], "<&- >&- 2>&-")[0] == 2
    assert run_in_shell(tmp_path, ["maintain"], "<&- >&- 2>&-")[0] == 0


@pytest.mark.parametrize("redirected", [">&-", ">/dev/full", "| true"])
def test_a_token_whose_secret_cannot_be_printed_is_not_left(tmp_path: Path, fresh_home: Path, redirected: str) -> None:
    code, _ = run_in_shell(tmp_path, ["token", "create", "laptop"], redirected)
    with closing(sqlite3.connect(fresh_home / "orchestrator.sqlite3")) as database:
        usable = database.execute("SELECT count(*) FROM orchestrator_site_accesstoken WHERE revoked_at IS NULL")
        assert (code, usable.fetchone()) == (1, (0,))


def test_the_site_starts_with_a_home_of_any_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(make_home(tmp_path / "张三")))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        site.end(signal.SIGINT)
        assert site.process.returncode == 0
