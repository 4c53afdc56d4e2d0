"""`manage.py doctor`: its findings and exit code."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from orchestrator_site.accounts.owner import local_owner
from orchestrator_site.connect.machine import Machine
from orchestrator_site.doctor import clients, database, environment, site
from orchestrator_site.doctor.findings import Finding, Level, run_check
from orchestrator_site.kernel.errors import Invalid
from orchestrator_site.management.commands import connect as connect_command
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import create_token
from orchestrator_site.up import address
from tests.site.machines import file_of, install, machine_at
from tests.site.processes import ROOT, start
from tests.site.test_connect_probe import site as answering

Look = Callable[[], list[Finding]]


def levels(findings: Iterable[Finding]) -> dict[str, Level]:
    return {finding.area: finding.level for finding in findings}


def only(findings: Iterable[Finding]) -> Finding:
    (finding,) = findings
    return finding


def doctor(home: Path, *words: str, user: Path) -> subprocess.CompletedProcess[str]:
    """Run the command with a home folder of its own."""
    environ = {**os.environ, "HOME": str(user), "ORCHESTRATOR_HOME": str(home), "XDG_CONFIG_HOME": ""}
    environ.pop("CLAUDE_CONFIG_DIR", None)
    command = [sys.executable, "manage.py", "doctor", *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=90)


# The whole command


def test_a_fresh_installation_has_no_problems(empty_home: Path, tmp_path: Path) -> None:
    result = doctor(empty_home, user=tmp_path / "nobody")
    assert (result.returncode, result.stderr) == (0, "")
    for area in ("environment", "packages", "data folder", "disk", "database", "migrations", "site"):
        assert f" {area} " in result.stdout
    assert re.search(r"ok +MCP over stdio .* \d+ tools", result.stdout)


def test_a_running_site_passes_every_check_and_keeps_no_token(fresh_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up") as running:
        running.wait_until_greeted()
        result = doctor(fresh_home, "--json", user=tmp_path / "nobody")
    report = json.loads(result.stdout)
    found = {finding["area"]: finding for finding in report["findings"]}
    for area in ("site", "site: database", "MCP over stdio", "MCP over HTTP"):
        assert found[area]["level"] == "ok", found[area]
    assert found["MCP over HTTP"]["facts"]["tools"] >= 8
    assert found["MCP over HTTP"]["facts"]["milliseconds"] > 0
    assert report["counts"]["ok"] == sum(finding["level"] == "ok" for finding in report["findings"])
    with sqlite3.connect(fresh_home / "orchestrator.sqlite3") as data:
        assert data.execute("SELECT count(*) FROM orchestrator_site_accesstoken").fetchone() == (0,)
    data.close()


def test_a_problem_makes_the_command_fail(empty_home: Path, tmp_path: Path) -> None:
    empty_home.mkdir()
    (empty_home / "orchestrator.sqlite3").write_text("not a database, but long enough to be read as one" * 20)
    result = doctor(empty_home, "--json", user=tmp_path / "nobody")
    assert result.returncode == 1
    assert result.stderr.startswith("CommandError: ")
    report = json.loads(result.stdout)
    found = [finding for finding in report["findings"] if finding["area"] == "database"]
    assert found[0]["level"] == "problem"
    assert "not a database" in found[0]["what"]
    assert "Traceback" not in result.stderr


def test_a_missing_project_folder_is_rejected(fresh_home: Path, tmp_path: Path) -> None:
    result = doctor(fresh_home, "--project", str(tmp_path / "nowhere"), user=tmp_path / "nobody")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(f"CommandError: --project: {tmp_path}/nowhere ")


# Environment


LOCK = """\
django==5.2.19 \\
    --hash=sha256:00
no-such-package-at-all==1.0
windows-only-thing==2.0 ; sys_platform == 'win32' \\
    --hash=sha256:00
pyyaml==0.1
"""


def test_packages_are_compared_with_the_lock_file() -> None:
    from django import get_version

    missing, other = environment.compare_pins(LOCK.replace("5.2.19", get_version()))
    assert missing == ["no-such-package-at-all"]
    assert [text.split()[0] for text in other] == ["pyyaml"]
    assert other[0].endswith("instead of 0.1")


def test_all_packages_of_the_lock_file_are_installed() -> None:
    assert environment.compare_pins((ROOT / "requirements.lock").read_text())[0] == []


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    monkeypatch.setattr(settings, "ORCHESTRATOR_HOME", path)
    return path


def test_a_data_folder_open_to_others_is_a_warning(home: Path) -> None:
    assert only(environment.data_folder()).level == Level.OK
    home.chmod(0o755)
    found = only(environment.data_folder())
    assert found.level == Level.WARNING
    assert f"chmod 700 {home}" in found.next


def test_a_secret_key_open_to_others_is_a_problem(home: Path) -> None:
    (home / "secret_key").write_text("x")
    (home / "secret_key").chmod(0o644)
    assert [finding.level for finding in environment.data_folder()] == [Level.OK, Level.PROBLEM]


def test_a_missing_data_folder_is_a_problem(home: Path) -> None:
    home.rmdir()
    assert only(environment.data_folder()).level == Level.PROBLEM


@pytest.mark.parametrize(
    ("free", "level"), [(10**12, Level.OK), (500 * 10**6, Level.WARNING), (10**6, Level.PROBLEM), (0, Level.PROBLEM)]
)
def test_low_disk_space_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**13, 0, free))
    assert only(environment.disk()).level == level


# Database


def test_an_intact_database_passes(db: None) -> None:
    assert database.quick_check(connection) == ""
    assert levels(database.migrations()) == {"migrations": Level.OK}


def test_an_integrity_check_that_takes_too_long_is_stopped(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator_site.kernel.sqlite.check._INSTRUCTIONS", 1)
    assert database.quick_check(connection, seconds=-1) is None
    assert database.quick_check(connection) == ""


def test_a_corrupt_database_is_a_problem(fresh_home: Path, tmp_path: Path) -> None:
    assert doctor(fresh_home, user=tmp_path / "nobody").returncode == 0
    file = fresh_home / "orchestrator.sqlite3"
    with sqlite3.connect(file) as data:
        data.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data.close()
    content = bytearray(file.read_bytes())
    content[8192:16384] = os.urandom(8192)
    file.write_bytes(content)
    result = doctor(fresh_home, "--json", user=tmp_path / "nobody")
    assert result.returncode == 1
    found = [each for each in json.loads(result.stdout)["findings"] if each["area"] in ("database", "migrations")]
    assert "problem" in [finding["level"] for finding in found]


def test_a_table_that_was_dropped_after_its_migration_is_a_problem_that_a_restart_does_not_solve(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE django_session")
    found = only(database.migrations())
    assert (found.level, "django_session" in found.what, "backup" in found.next) == (Level.PROBLEM, True, True)


def test_unapplied_migrations_are_a_warning(db: None) -> None:
    with connection.cursor() as cursor:
        newest = "SELECT max(name) FROM django_migrations WHERE app = 'orchestrator_site'"
        cursor.execute(f"DELETE FROM django_migrations WHERE name IN ({newest})")
    assert only(database.migrations()).level == Level.WARNING
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'orchestrator_site'")
    assert only(database.migrations()).level == Level.WARNING


def test_a_newer_database_is_a_problem(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('tasks', '9999_future', '2031-01-01')"
        )
    found = only(database.migrations())
    assert found.level == Level.PROBLEM
    assert "tasks.9999_future" in found.what


# Site


def test_a_stopped_site_is_only_a_warning(home: Path) -> None:
    address.remember("http://127.0.0.1:9")
    assert levels(site.site()) == {"site": Level.WARNING}
    assert levels(site.http()) == {"MCP over HTTP": Level.WARNING}


def test_another_program_on_its_port_is_a_problem(home: Path) -> None:
    with answering(200, b"<html>") as url:
        address.remember(url.removesuffix("/mcp"))
        assert levels(site.site()) == {"site": Level.PROBLEM}


def test_the_health_of_the_worker_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {"database": {"ok": True}, "worker": {"ok": False, "problem": "It is gone.", "heartbeat_age_seconds": 900}}
    answers = {"/healthz": (200, {"status": "ok"}), "/readyz": (503, {"checks": checks})}
    monkeypatch.setattr(site, "_get", answers.__getitem__)
    found = {finding.area: finding for finding in site.site()}
    assert found["site: database"].level == Level.OK
    assert found["site: worker"].level == Level.PROBLEM
    assert found["site: worker"].what == "It is gone."
    assert found["site: worker"].facts == {"heartbeat_age_seconds": 900}


# Assistants


@pytest.fixture
def machine(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    fake = machine_at(tmp_path / "ada")
    monkeypatch.setattr(connect_command, "this_machine", lambda: fake)
    return fake


def connect(*words: str) -> None:
    call_command("connect", *words, "--yes", stdout=io.StringIO(), stderr=io.StringIO())


def of(name: str, machine: Machine, project: Path | None = None) -> list[Finding]:
    return [finding for finding in clients.clients(machine, project) if finding.area == name]


def test_assistants_that_are_not_installed_are_omitted(machine: Machine) -> None:
    assert list(clients.clients(machine, None)) == []


def test_an_installed_assistant_that_is_not_connected_is_ok(machine: Machine) -> None:
    install("cursor", machine)
    assert only(of("cursor", machine)).facts == {"connected": False}


@pytest.mark.parametrize("words", [(), ("--http",)])
def test_an_assistant_that_was_just_connected_is_ok(machine: Machine, words: tuple[str, ...]) -> None:
    connect("codex", *words)
    assert only(of("codex", machine)).level == Level.OK


def test_a_malformed_file_is_a_problem(machine: Machine) -> None:
    install("cursor", machine).write_text('{"mcpServers": ')
    found = only(of("cursor", machine))
    assert found.level == Level.PROBLEM
    assert "line 1, column 16" in found.what


def changed(machine: Machine, old: str, new: str) -> Finding:
    """Change Cursor's file and check it."""
    path = file_of("cursor", machine)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return only(of("cursor", machine))


@pytest.mark.parametrize(
    ("old", "new", "level", "reason"),
    [
        (sys.executable, "/gone/python", Level.PROBLEM, "no_command"),
        (str(ROOT / "manage.py"), "/elsewhere/manage.py", Level.WARNING, "other_installation"),
        ('"mcp_serve"', '"runserver"', Level.WARNING, "other_installation"),
        ('"mcp_serve"', '"mcp_serve", "--toolsets", "all"', Level.OK, None),
        ("ORCHESTRATOR_HOME", "ELSEWHERE", Level.WARNING, "changed"),
    ],
)
def test_a_changed_command_is_reported(machine: Machine, old: str, new: str, level: Level, reason: str | None) -> None:
    connect("cursor")
    found = changed(machine, old, new)
    assert (found.level, found.facts.get("reason")) == (level, reason)
    assert ("python manage.py connect cursor" in found.next) is (level != Level.OK)


def test_an_assistant_with_another_data_folder_is_a_warning(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connect("cursor")
    monkeypatch.setattr(settings, "ORCHESTRATOR_HOME", tmp_path)
    found = only(of("cursor", machine))
    assert (found.level, found.facts["reason"]) == (Level.WARNING, "other_data")


def test_an_assistant_with_another_database_is_a_warning(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    connect("cursor")
    monkeypatch.setenv("DATABASE_URL", "postgres://ada:hunter2@db/tasks")
    found = only(of("cursor", machine))
    assert (found.level, found.facts["differing"]) == (Level.WARNING, ["DATABASE_URL"])
    assert "hunter2" not in str(found)


def test_a_password_written_on_purpose_is_ok(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://ada:hunter2@db/tasks")
    connect("claude-desktop", "--write-secrets")
    found = only(of("claude-desktop", machine))
    assert found.level == Level.OK
    assert "hunter2" not in str(found.as_dict())


def test_a_revoked_token_is_a_problem(machine: Machine) -> None:
    connect("gemini", "--http")
    AccessToken.objects.update(revoked_at="2026-01-01T00:00:00Z")
    found = only(of("gemini", machine))
    assert (found.level, found.facts["reason"]) == (Level.PROBLEM, "unusable_token")
    assert "python manage.py connect gemini --http" in found.next


def test_a_token_of_an_inactive_owner_is_a_problem(machine: Machine) -> None:
    connect("gemini", "--http")
    owner = local_owner()
    owner.is_active = False
    owner.save()
    assert only(of("gemini", machine)).level == Level.PROBLEM


def test_a_token_of_another_installation_is_a_warning(machine: Machine) -> None:
    connect("cursor", "--http")
    AccessToken.objects.all().delete()
    found = only(of("cursor", machine))
    assert (found.level, found.facts["reason"]) == (Level.WARNING, "unknown_token")


def test_a_url_without_a_token_is_a_problem(machine: Machine) -> None:
    install("cursor", machine).write_text('{"mcpServers": {"task-orchestrator": {"url": "http://127.0.0.1:8000/mcp"}}}')
    found = only(of("cursor", machine))
    assert (found.level, found.facts["reason"]) == (Level.PROBLEM, "no_token")


def test_another_url_than_that_of_the_site_is_a_warning(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    connect("cursor", "--http")
    monkeypatch.setattr(clients, "recall", lambda: "http://127.0.0.1:8001")
    found = only(of("cursor", machine))
    assert (found.level, found.facts["reason"]) == (Level.WARNING, "other_url")
    assert "http://127.0.0.1:8001" in found.what


def test_a_file_with_a_token_open_to_others_is_a_warning(machine: Machine) -> None:
    connect("cursor", "--http")
    file_of("cursor", machine).chmod(0o644)
    assert [finding.level for finding in of("cursor", machine)] == [Level.OK, Level.WARNING]


def test_commands_in_advice_are_quoted(machine: Machine, tmp_path: Path) -> None:
    project = tmp_path / "my shop"
    (project / ".git").mkdir(parents=True)
    connect("codex", "--project", str(project), "--http")
    (project / ".codex" / "config.toml").chmod(0o644)
    AccessToken.objects.update(revoked_at=timezone.now())
    advice = [finding.next for finding in clients.clients(machine, project)]
    assert any(text.endswith(f"python manage.py connect codex --http --project '{project}'") for text in advice)
    assert f"chmod 600 '{project}/.codex/config.toml'" in advice


def test_project_files_are_checked_too(machine: Machine, folder: Path) -> None:
    connect("claude-code", "--project", str(folder))
    found = only(of("claude-code", machine, folder))
    assert found.level == Level.OK
    assert str(folder / ".mcp.json") in found.what


def test_findings_contain_no_secrets(machine: Machine) -> None:
    _, secret = create_token(owner=local_owner(), name="laptop")
    path = install("cursor", machine)
    path.write_text(
        json.dumps({"mcpServers": {"task-orchestrator": {"url": f"http://x/mcp?token={secret}", "headers": {}}}})
    )
    findings = list(clients.clients(machine, None))
    assert findings
    assert secret not in json.dumps([finding.as_dict() for finding in findings])


def test_an_error_that_stops_a_check_is_a_finding() -> None:
    def fail(error: Exception) -> Any:
        raise error

    for error in (
        Invalid("Broken.", next="Fix it."),
        PermissionError(13, "denied", "/x"),
        DatabaseError("no"),
    ):
        found = only(run_check("here", lambda error=error: fail(error)))
        assert (found.area, found.level) == ("here", Level.PROBLEM)
        assert found.next
