"""The line that connects Claude Code."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from django.conf import settings

from orchestrator_site.up.connect import claude_code_line, connect_help, connect_line


def test_the_line_survives_a_shell_whatever_the_folders_are_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/ada's/my venv/bin/python")
    monkeypatch.setattr(settings, "BASE_DIR", Path("/home/ada's/$HOME"))
    words = shlex.split(claude_code_line())
    assert words[-3:] == ["/home/ada's/my venv/bin/python", "/home/ada's/$HOME/manage.py", "mcp_serve"]


def test_the_data_folder_is_passed_on_where_it_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(claude_code_line())
    assert words[words.index("--env") + 1] == f"ORCHESTRATOR_HOME={settings.ORCHESTRATOR_HOME.resolve()}"
    monkeypatch.delenv("ORCHESTRATOR_HOME")
    assert "ORCHESTRATOR_HOME" not in claude_code_line()


def test_the_database_is_passed_on_without_showing_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://ada:secret@db.example/orchestrator")
    assert '--env "DATABASE_URL=$DATABASE_URL"' in claude_code_line()


def test_an_object_store_is_passed_on_by_the_line_to_paste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CONTENT_URL", "s3://work")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    line = claude_code_line()
    assert "--env ORCHESTRATOR_CONTENT_URL=s3://work" in line
    assert '--env "AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY"' in line and "hidden" not in line
    assert "secret" not in claude_code_line()


def test_the_command_that_connects_any_assistant_names_this_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "BASE_DIR", Path("/home/ada's"))
    monkeypatch.delenv("ORCHESTRATOR_HOME")
    words = shlex.split(connect_line())
    assert words == [sys.executable, "/home/ada's/manage.py", "connect", "CLIENT"]


def test_the_command_for_another_terminal_names_the_data_folder_that_was_chosen() -> None:
    home = f"ORCHESTRATOR_HOME={settings.ORCHESTRATOR_HOME.resolve()}"
    assert shlex.split(connect_line())[:3] == ["env", home, sys.executable]


def test_both_ways_stand_in_the_greeting() -> None:
    said = connect_help()
    assert connect_line() in said
    assert claude_code_line() in said
    assert "claude-desktop" in said
