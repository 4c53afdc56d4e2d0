"""`manage.py doctor`: every finding, and the exit code."""

from __future__ import annotations

import io
import json
import os
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
from orchestrator_site.doctor.findings import Finding, Level, found_by
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
    """Run the command as a process of a person with a home of their own."""
    environ = {**os.environ, "HOME": str(user), "ORCHESTRATOR_HOME": str(home), "XDG_CONFIG_HOME": ""}
    environ.pop("CLAUDE_CONFIG_DIR", None)
    command = [sys.executable, "manage.py", "doctor", *words]
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=90)


# The whole command


def test_a_fresh_installation_has_no_problem(empty_home: Path, tmp_path: Path) -> None:
    said = doctor(empty_home, user=tmp_path / "nobody")
    assert (said.returncode, said.stderr) == (0, "")
    for area in ("environment", "packages", "data folder", "disk", "database", "migrations", "site"):
        assert f" {area} " in said.stdout
    assert "tools in" in said.stdout


def test_a_running_site_is_well_by_every_way_and_leaves_no_token(fresh_home: Path, tmp_path: Path) -> None:
    with start(tmp_path / "up") as running:
        running.wait_until_greeted()
        said = doctor(fresh_home, "--json", user=tmp_path / "nobody")
    report = json.loads(said.stdout)
    found = {finding["area"]: finding for finding in report["findings"]}
    for area in ("site", "site: database", "bridge by command", "bridge by address"):
        assert found[area]["level"] == "ok", found[area]
    assert found["bridge by address"]["facts"]["tools"] >= 8
    assert found["bridge by address"]["facts"]["milliseconds"] > 0
    assert report["counts"]["ok"] == sum(finding["level"] == "ok" for finding in report["findings"])
    with sqlite3.connect(fresh_home / "orchestrator.sqlite3") as data:
        assert data.execute("SELECT count(*) FROM orchestrator_site_accesstoken").fetchone() == (0,)
    data.close()


def test_a_problem_makes_the_command_fail_and_is_told_with_what_to_do(empty_home: Path, tmp_path: Path) -> None:
    empty_home.mkdir()
    (empty_home / "orchestrator.sqlite3").write_text("not a database, but long enough to be read as one" * 20)
    said = doctor(empty_home, "--json", user=tmp_path / "nobody")
    assert said.returncode == 1
    assert "problem(s)" in said.stderr
    report = json.loads(said.stdout)
    found = [finding for finding in report["findings"] if finding["area"] == "database"]
    assert found[0]["level"] == "problem"
    assert "not a database" in found[0]["what"]
    assert "Traceback" not in said.stderr


def test_a_project_that_is_not_there_is_refused(fresh_home: Path, tmp_path: Path) -> None:
    said = doctor(fresh_home, "--project", str(tmp_path / "nowhere"), user=tmp_path / "nobody")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == (
        f"CommandError: --project: {tmp_path}/nowhere is no folder. Name the folder of the project: --project DIR\n"
    )


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


def test_the_packages_of_this_environment_are_those_of_the_lock_file() -> None:
    assert environment.compare_pins((ROOT / "requirements.lock").read_text())[0] == []


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "data"
    path.mkdir(mode=0o700)
    monkeypatch.setattr(settings, "ORCHESTRATOR_HOME", path)
    return path


def test_a_data_folder_that_others_can_read_is_warned_of(home: Path) -> None:
    assert only(environment.data_folder()).level == Level.OK
    home.chmod(0o755)
    found = only(environment.data_folder())
    assert found.level == Level.WARNING
    assert found.next == f"Close it: chmod 700 {home}"


def test_a_key_that_others_can_read_is_a_problem(home: Path) -> None:
    (home / "secret_key").write_text("x")
    (home / "secret_key").chmod(0o644)
    assert [finding.level for finding in environment.data_folder()] == [Level.OK, Level.PROBLEM]


def test_a_data_folder_that_is_gone_is_a_problem(home: Path) -> None:
    home.rmdir()
    assert only(environment.data_folder()).level == Level.PROBLEM


@pytest.mark.parametrize(
    ("free", "level"), [(10**12, Level.OK), (500 * 10**6, Level.WARNING), (10**6, Level.PROBLEM), (0, Level.PROBLEM)]
)
def test_little_room_on_the_disk_is_told(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: Level) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**13, 0, free))
    assert only(environment.disk()).level == level


# Database


def test_a_whole_database_is_well(db: None) -> None:
    assert database.quick_check(connection) == ""
    assert levels(database.migrations()) == {"migrations": Level.OK}


def test_a_check_that_takes_too_long_is_given_up(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_INSTRUCTIONS", 1)
    assert database.quick_check(connection, seconds=-1) is None
    assert database.quick_check(connection) == ""


def test_a_damaged_file_is_a_problem(fresh_home: Path, tmp_path: Path) -> None:
    assert doctor(fresh_home, user=tmp_path / "nobody").returncode == 0
    file = fresh_home / "orchestrator.sqlite3"
    with sqlite3.connect(file) as data:
        data.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data.close()
    content = bytearray(file.read_bytes())
    content[8192:16384] = os.urandom(8192)
    file.write_bytes(content)
    said = doctor(fresh_home, "--json", user=tmp_path / "nobody")
    assert said.returncode == 1
    found = [each for each in json.loads(said.stdout)["findings"] if each["area"] in ("database", "migrations")]
    assert "problem" in [finding["level"] for finding in found]


def test_migrations_that_are_missing_and_strange_are_told(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'orchestrator_site' AND name LIKE '0002%'")
    assert only(database.migrations()).level == Level.WARNING
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'orchestrator_site'")
    assert "missing" in only(database.migrations()).what


def test_a_database_of_a_newer_version_is_a_problem(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('tasks', '9999_future', '2031-01-01')"
        )
    found = only(database.migrations())
    assert found.level == Level.PROBLEM
    assert "tasks.9999_future" in found.what


# Site


def test_a_site_that_does_not_run_is_only_a_warning(home: Path) -> None:
    address.remember("http://127.0.0.1:9")
    assert levels(site.site()) == {"site": Level.WARNING}
    assert levels(site.http()) == {"bridge by address": Level.WARNING}


def test_another_program_in_its_place_is_a_problem(home: Path) -> None:
    with answering(200, b"<html>") as url:
        address.remember(url.removesuffix("/mcp"))
        assert levels(site.site()) == {"site": Level.PROBLEM}


def test_what_the_site_says_of_its_worker_is_passed_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
    made_up = machine_at(tmp_path / "ada")
    monkeypatch.setattr(connect_command, "this_machine", lambda: made_up)
    return made_up


def connect(*words: str) -> None:
    call_command("connect", *words, "--yes", stdout=io.StringIO(), stderr=io.StringIO())


def of(name: str, machine: Machine, project: Path | None = None) -> list[Finding]:
    return [finding for finding in clients.clients(machine, project) if finding.area == name]


def test_assistants_that_are_not_here_are_not_spoken_of(machine: Machine) -> None:
    assert list(clients.clients(machine, None)) == []


def test_an_assistant_that_is_here_and_not_connected_is_no_fault(machine: Machine) -> None:
    install("cursor", machine)
    assert only(of("cursor", machine)).facts == {"connected": False}


@pytest.mark.parametrize("words", [(), ("--http",)])
def test_an_assistant_that_was_just_connected_is_well(machine: Machine, words: tuple[str, ...]) -> None:
    connect("codex", *words)
    assert only(of("codex", machine)).level == Level.OK


def test_a_file_that_cannot_be_read_is_a_problem(machine: Machine) -> None:
    install("cursor", machine).write_text('{"mcpServers": ')
    found = only(of("cursor", machine))
    assert found.level == Level.PROBLEM
    assert "line 1, column 16" in found.what


def changed(machine: Machine, old: str, new: str) -> Finding:
    """Change the file of Cursor behind the back of connect, and look."""
    path = file_of("cursor", machine)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return only(of("cursor", machine))


@pytest.mark.parametrize(
    ("old", "new", "level", "words"),
    [
        (sys.executable, "/gone/python", Level.PROBLEM, "which is not there"),
        (str(ROOT / "manage.py"), "/elsewhere/manage.py", Level.WARNING, "starts another installation"),
        ('"mcp_serve"', '"runserver"', Level.WARNING, "starts another installation"),
        ('"mcp_serve"', '"mcp_serve", "--toolsets", "all"', Level.OK, "Connected by its command"),
        ("ORCHESTRATOR_HOME", "ELSEWHERE", Level.WARNING, "not as connect would write it (ORCHESTRATOR_HOME)"),
    ],
)
def test_a_command_that_leads_elsewhere_is_told(machine: Machine, old: str, new: str, level: Level, words: str) -> None:
    connect("cursor")
    found = changed(machine, old, new)
    assert found.level == level
    assert words in found.what
    assert found.next == ("Connect it again: python manage.py connect cursor" if level != Level.OK else "")


def test_an_assistant_on_other_data_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    connect("cursor")
    monkeypatch.setattr(settings, "ORCHESTRATOR_HOME", tmp_path)
    found = only(of("cursor", machine))
    assert found.level == Level.WARNING
    assert "works on other data" in found.what


def test_an_assistant_on_another_database_is_told(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    connect("cursor")
    monkeypatch.setenv("DATABASE_URL", "postgres://ada:hunter2@db/tasks")
    found = only(of("cursor", machine))
    assert "DATABASE_URL" in found.what
    assert "hunter2" not in str(found)


def test_a_password_that_was_written_out_on_purpose_is_as_it_should_be(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://ada:hunter2@db/tasks")
    connect("claude-desktop", "--write-secrets")
    found = only(of("claude-desktop", machine))
    assert found.level == Level.OK
    assert "hunter2" not in str(found.as_dict())


def test_a_token_that_was_revoked_is_a_problem(machine: Machine) -> None:
    connect("gemini", "--http")
    AccessToken.objects.update(revoked_at="2026-01-01T00:00:00Z")
    found = only(of("gemini", machine))
    assert found.level == Level.PROBLEM
    assert found.next == "Connect it again: python manage.py connect gemini --http"


def test_a_token_whose_owner_may_not_come_in_any_more_is_a_problem(machine: Machine) -> None:
    connect("gemini", "--http")
    owner = local_owner()
    owner.is_active = False
    owner.save()
    assert only(of("gemini", machine)).level == Level.PROBLEM


def test_a_token_of_somewhere_else_is_warned_of(machine: Machine) -> None:
    connect("cursor", "--http")
    AccessToken.objects.all().delete()
    assert "does not know" in only(of("cursor", machine)).what


def test_an_address_without_a_token_is_a_problem(machine: Machine) -> None:
    install("cursor", machine).write_text('{"mcpServers": {"task-orchestrator": {"url": "http://127.0.0.1:8000/mcp"}}}')
    assert only(of("cursor", machine)).what.endswith("holds no token.")


def test_an_address_where_the_site_is_no_more_is_warned_of(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    connect("cursor", "--http")
    monkeypatch.setattr(clients, "recall", lambda: "http://127.0.0.1:8001")
    found = only(of("cursor", machine))
    assert found.level == Level.WARNING
    assert "started last at http://127.0.0.1:8001" in found.what


def test_a_token_that_others_can_read_is_warned_of(machine: Machine) -> None:
    connect("cursor", "--http")
    file_of("cursor", machine).chmod(0o644)
    assert [finding.level for finding in of("cursor", machine)] == [Level.OK, Level.WARNING]


def test_what_to_do_can_be_pasted_whatever_the_folders_are_called(machine: Machine, tmp_path: Path) -> None:
    project = tmp_path / "my shop"
    (project / ".git").mkdir(parents=True)
    connect("codex", "--project", str(project), "--http")
    (project / ".codex" / "config.toml").chmod(0o644)
    AccessToken.objects.update(revoked_at=timezone.now())
    advice = [finding.next for finding in clients.clients(machine, project)]
    assert f"Connect it again: python manage.py connect codex --http --project '{project}'" in advice
    assert f"chmod 600 '{project}/.codex/config.toml'" in advice


def test_the_files_of_a_project_are_looked_at_too(machine: Machine, folder: Path) -> None:
    connect("claude-code", "--project", str(folder))
    found = only(of("claude-code", machine, folder))
    assert found.level == Level.OK
    assert str(folder / ".mcp.json") in found.what


def test_nothing_that_is_told_holds_a_secret(machine: Machine) -> None:
    _, secret = create_token(owner=local_owner(), name="laptop")
    path = install("cursor", machine)
    path.write_text(
        json.dumps({"mcpServers": {"task-orchestrator": {"url": f"http://x/mcp?token={secret}", "headers": {}}}})
    )
    findings = list(clients.clients(machine, None))
    assert findings
    assert secret not in json.dumps([finding.as_dict() for finding in findings])


def test_what_a_check_cannot_get_past_is_a_finding_too() -> None:
    def fail(error: Exception) -> Any:
        raise error

    for error in (
        Invalid("Broken.", next="Mend it."),
        PermissionError(13, "denied", "/x"),
        DatabaseError("no"),
    ):
        found = only(found_by("here", lambda error=error: fail(error)))
        assert (found.area, found.level) == ("here", Level.PROBLEM)
        assert found.next
