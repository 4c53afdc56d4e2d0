"""What health and doctor say about agents."""

from __future__ import annotations

from pathlib import Path

import pytest

from maintenance.health.selectors import readiness
from orchestrator_site.doctor.agents import agents
from orchestrator_site.doctor.findings import Level
from tasks.agents import health, probe
from tasks.agents.choices import RunState
from tests.agents.rows import make_run, make_supervisor, switch_on
from tests.factories import make_project, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget that agents were off a few seconds ago."""
    monkeypatch.setattr(health, "_off_until", 0.0)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder of PATH with agents; Git is still found."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


def a_claude(folder: Path, version: str) -> None:
    program = folder / "claude"
    program.write_text(f"#!/bin/sh\necho '{version} (Claude Code)'\n")
    program.chmod(0o755)


def levels() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in agents():
        found.setdefault(finding.area, []).append(finding.level.value)
    return found


def test_health_is_silent_where_no_project_lets_agents_run() -> None:
    assert "agents" not in readiness()
    assert levels() == {"agents": [Level.OK]}


def test_health_counts_supervisors_runs_and_strays() -> None:
    project = make_project()
    switch_on(project)
    make_supervisor(facts={"strays": 2})
    make_run(make_task(project))
    make_run(make_task(project), RunState.RUNNING)
    assert readiness()["agents"] == {"ok": True, "supervisors": 1, "at_work": 1, "queued": 1, "strays": 2}


def test_runs_that_no_supervisor_would_take_are_a_problem() -> None:
    project = make_project()
    switch_on(project)
    make_run(make_task(project))
    assert not readiness()["agents"]["ok"]


def test_doctor_misses_what_a_project_uses(tools: Path) -> None:
    switch_on(make_project(), agents=["claude", "codex"])
    found = levels()
    assert found["agents"] == [Level.WARNING]
    assert (found["agents: claude"], found["agents: codex"]) == ([Level.WARNING], [Level.WARNING])


def test_doctor_knows_tested_versions_and_logins(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    switch_on(make_project())
    make_supervisor()
    a_claude(tools, "2.1.331")
    assert levels()["agents: claude"] == [Level.OK, Level.WARNING]  # without a login
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    assert levels()["agents: claude"] == [Level.OK]
    a_claude(tools, "9.0.0")
    probe._version.cache_clear()
    assert levels()["agents: claude"] == [Level.OK, Level.WARNING]
