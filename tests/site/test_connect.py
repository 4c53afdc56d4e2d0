"""The commands to paste that connect an assistant."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from django.conf import settings

from orchestrator_site.up.connect import claude_code_line, connect_help, connect_line


def test_the_claude_code_command_quotes_paths_for_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/ada's/my venv/bin/python")
    monkeypatch.setattr(settings, "BASE_DIR", Path("/home/ada's/$HOME"))
    words = shlex.split(claude_code_line())
    assert words[-3:] == ["/home/ada's/my venv/bin/python", "/home/ada's/$HOME/manage.py", "mcp_serve"]


def test_the_claude_code_command_sets_the_data_folder_if_it_is_set_here(monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(claude_code_line())
    assert words[words.index("--env") + 1] == f"ORCHESTRATOR_HOME={settings.ORCHESTRATOR_HOME.resolve()}"
    monkeypatch.delenv("ORCHESTRATOR_HOME")
    assert "ORCHESTRATOR_HOME" not in claude_code_line()


def test_the_claude_code_command_references_a_database_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://ada:secret@db.example/orchestrator")
    assert '--env "DATABASE_URL=$DATABASE_URL"' in claude_code_line()


def test_the_claude_code_command_sets_the_object_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CONTENT_URL", "s3://work")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    line = claude_code_line()
    assert "--env ORCHESTRATOR_CONTENT_URL=s3://work" in line
    assert '--env "AWS_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY"' in line and "hidden" not in line
    assert "secret" not in claude_code_line()


def test_the_connect_command_names_this_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "BASE_DIR", Path("/home/ada's"))
    monkeypatch.delenv("ORCHESTRATOR_HOME")
    words = shlex.split(connect_line())
    assert words == [sys.executable, "/home/ada's/manage.py", "connect", "CLIENT"]


def test_the_connect_command_sets_the_data_folder_if_it_is_set_here() -> None:
    home = f"ORCHESTRATOR_HOME={settings.ORCHESTRATOR_HOME.resolve()}"
    assert shlex.split(connect_line())[:3] == ["env", home, sys.executable]


def test_the_greeting_has_both_commands() -> None:
    greeting = connect_help()
    assert connect_line() in greeting
    assert claude_code_line() in greeting
    assert "claude-desktop" in greeting
