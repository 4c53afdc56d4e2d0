"""Every command prints on every stream, whatever the names in it."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
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


def test_the_site_starts_with_a_home_of_any_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_HOME", str(make_home(tmp_path / "张三")))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    with start(tmp_path / "up") as site:
        site.wait_until_greeted()
        site.end(signal.SIGINT)
        assert site.process.returncode == 0
