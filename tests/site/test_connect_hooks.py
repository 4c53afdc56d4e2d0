"""`manage.py connect claude-code --hooks`: a hook that brings the newest handover into a context."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from maintenance.selectors.scope import of_project
from maintenance.services.handover import prepare
from orchestrator_site.connect.machine import Machine
from orchestrator_site.management.commands import connect as command
from tasks.identity.actor import Actor
from tasks.models import Project
from tests.assistants import Assistant
from tests.homes import make_home
from tests.site.machines import machine_at

Connect = Callable[..., str]
THEIRS = {"matcher": "startup", "hooks": [{"type": "command", "command": "echo hello"}]}


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    fake = machine_at(tmp_path / "ada")
    monkeypatch.setattr(command, "this_machine", lambda: fake)
    return fake


@pytest.fixture
def connect(db: None, machine: Machine) -> Connect:
    def call(*words: str) -> str:
        out, err = io.StringIO(), io.StringIO()
        call_command("connect", *words, stdout=out, stderr=err)
        return out.getvalue() + err.getvalue()

    return call


@pytest.fixture
def settings_path(machine: Machine) -> Path:
    path = machine.home / ".claude" / "settings.json"
    path.parent.mkdir(parents=True)
    return path


def _starts(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text()).get("hooks", {}).get("SessionStart", [])
    return found


def test_without_the_option_no_hook_is_written(connect: Connect, settings_path: Path) -> None:
    connect("claude-code", "--yes")
    assert not settings_path.exists()


def test_the_hook_is_shown_and_written_for_compact_and_resume(connect: Connect, settings_path: Path) -> None:
    said = connect("claude-code", "--hooks", "--yes")
    (entry,) = _starts(settings_path)
    assert entry["matcher"] == "compact|resume"
    (hook,) = entry["hooks"]
    assert hook["type"] == "command"
    assert hook["command"].endswith('manage.py handover --project-dir "$CLAUDE_PROJECT_DIR"')
    assert "ORCHESTRATOR_HOME=" in hook["command"]
    assert str(settings_path) in said


def test_other_settings_and_hooks_are_kept_and_removal_takes_ours_alone(connect: Connect, settings_path: Path) -> None:
    before = {"theme": "dark", "hooks": {"SessionStart": [THEIRS], "Stop": [THEIRS]}}
    settings_path.write_text(json.dumps(before, indent=2) + "\n")
    connect("claude-code", "--hooks", "--yes")
    assert _starts(settings_path)[0] == THEIRS
    assert len(_starts(settings_path)) == 2
    connect("claude-code", "--remove", "--yes")
    assert json.loads(settings_path.read_text()) == before


def test_a_second_time_nothing_changes(connect: Connect, settings_path: Path) -> None:
    connect("claude-code", "--hooks", "--yes")
    before = settings_path.read_bytes()
    assert "already connected" in connect("claude-code", "--hooks", "--yes")
    assert settings_path.read_bytes() == before


def test_connecting_later_without_the_option_keeps_the_hook(connect: Connect, settings_path: Path) -> None:
    connect("claude-code", "--hooks", "--yes")
    connect("claude-code", "--yes", "--toolsets", "core,artifacts")
    assert len(_starts(settings_path)) == 1


def test_a_project_has_it_in_its_private_settings(connect: Connect, folder: Path) -> None:
    connect("claude-code", "--hooks", "--yes", "--project", str(folder))
    assert len(_starts(folder / ".claude" / "settings.local.json")) == 1


@pytest.mark.parametrize("text", ["{ broken", '{"hooks": []}', '{"hooks": {"SessionStart": {}}}'])
def test_a_file_that_cannot_be_changed_safely_stays_and_nothing_else_is_written(
    connect: Connect, settings_path: Path, machine: Machine, text: str
) -> None:
    settings_path.write_text(text)
    with pytest.raises(CommandError):
        connect("claude-code", "--hooks", "--yes")
    assert settings_path.read_text() == text
    assert not (machine.home / ".claude.json").exists()


def test_other_clients_have_no_such_hooks(connect: Connect, machine: Machine) -> None:
    with pytest.raises(CommandError):
        connect("cursor", "--hooks", "--yes")
    assert not (machine.home / ".cursor" / "mcp.json").exists()


def _printed(folder: Path) -> str:
    out = io.StringIO()
    call_command("handover", "--project-dir", str(folder), stdout=out)
    return out.getvalue()


def test_the_command_prints_the_newest_handover_of_a_folder(ada: Assistant) -> None:
    ada.plan("Build")
    made = prepare(scope=of_project(Project.objects.get()), actor=Actor.system())
    below = ada.folder / "src"
    below.mkdir()
    assert made.text in _printed(ada.folder)
    assert Project.objects.count() == 1


def test_the_command_prints_nothing_and_makes_nothing_where_there_is_none(ada: Assistant, tmp_path: Path) -> None:
    ada.plan("Build")
    assert _printed(ada.folder) == ""
    other = tmp_path / "other"
    other.mkdir()
    assert _printed(other) == ""
    assert _printed(tmp_path / "missing") == ""
    assert Project.objects.count() == 1


def test_the_hook_runs_in_a_shell_and_is_silent_without_data(
    connect: Connect, settings_path: Path, folder: Path
) -> None:
    connect("claude-code", "--hooks", "--yes")
    line = _starts(settings_path)[0]["hooks"][0]["command"]
    home = make_home(folder.parent / "data")
    line = f"export H={home}; " + line.replace(line.split()[0], 'ORCHESTRATOR_HOME="$H"', 1)
    environ = {**os.environ, "CLAUDE_PROJECT_DIR": str(folder)}
    done = subprocess.run(["/bin/sh", "-c", line], env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
