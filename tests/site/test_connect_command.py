"""`manage.py connect`, on made-up homes."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from orchestrator_site.connect import files
from orchestrator_site.connect.clients import CLIENTS
from orchestrator_site.connect.machine import Machine
from orchestrator_site.management.commands import connect as command
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import create_token, principal_of
from tests.site.machines import PLATFORMS, file_of, install, machine_at
from tests.site.processes import DEADLINE_SECONDS, ROOT

Connect = Callable[..., str]

SETTINGS = """\
{
    // how I like it
    "theme": "dark",
    "mcpServers": {
        "github": {"command": "npx", "env": {"GITHUB_TOKEN": "ghp_secret"}}, // keep me
    },
}
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made_up = machine_at(tmp_path / "ada")
    monkeypatch.setattr(command, "this_machine", lambda: made_up)
    return made_up


@pytest.fixture
def connect(db: None, machine: Machine) -> Connect:
    """Return a way to call the command, which gives back what it printed; standard error comes last."""

    def call(*words: str) -> str:
        out, err = io.StringIO(), io.StringIO()
        call_command("connect", *words, stdout=out, stderr=err)
        return out.getvalue() + err.getvalue()

    return call


def entry_of(path: Path, section: str = "mcpServers") -> dict[str, Any]:
    entry: dict[str, Any] = json.loads(path.read_text())[section]["task-orchestrator"]
    return entry


def secret_of(path: Path) -> str:
    found = re.search(r"mto_[\w-]+", path.read_text())
    assert found
    return found[0]


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("client", [client.name for client in CLIENTS])
def test_every_client_is_connected_and_taken_away_on_every_platform(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str, platform: str
) -> None:
    made_up = machine_at(tmp_path / "ada", platform)
    monkeypatch.setattr(command, "this_machine", lambda: made_up)
    path = install(client, made_up)
    call_command("connect", client, "--yes", stdout=io.StringIO())
    written = path.read_text()
    assert json.dumps(sys.executable) in written
    assert json.dumps(str(ROOT / "manage.py")) in written
    call_command("connect", client, "--remove", "--yes", stdout=io.StringIO())
    assert "task-orchestrator" not in path.read_text()


def test_nothing_else_in_the_file_changes(connect: Connect, machine: Machine) -> None:
    path = install("gemini", machine)
    path.write_text(SETTINGS)
    said = connect("gemini", "--yes")
    new = path.read_text()
    assert [line for line in new.splitlines() if line in SETTINGS.splitlines()] == SETTINGS.splitlines()
    assert '+        "task-orchestrator": {' in said
    assert "ghp_secret" not in said
    (backup,) = path.parent.glob("settings.json.backup-*")
    assert backup.read_text() == SETTINGS
    assert str(backup) in said
    connect("gemini", "--remove", "--yes")
    assert path.read_text() == SETTINGS


def test_a_second_time_writes_nothing(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--yes")
    path = file_of("cursor", machine)
    before = (path.read_text(), path.stat().st_mtime_ns)
    assert "connected already" in connect("cursor")
    assert (path.read_text(), path.stat().st_mtime_ns) == before
    assert not list(path.parent.glob("*backup*"))


def test_where_nobody_can_be_asked_the_change_is_shown_and_not_made(connect: Connect, machine: Machine) -> None:
    with pytest.raises(CommandError, match="say --yes") as refused:
        connect("claude-code")
    assert refused.value.returncode == command.NOT_CONFIRMED
    assert not file_of("claude-code", machine).exists()


def test_toolsets_are_asked_for_and_stay_until_others_are(connect: Connect, machine: Machine) -> None:
    def options() -> list[str]:
        entry: list[str] = json.loads(machine.home.joinpath(".claude.json").read_text())["mcpServers"][
            "task-orchestrator"
        ]["args"]
        return entry[1:]

    connect("claude-code", "--yes", "--toolsets", "core,artifacts")
    assert options() == ["mcp_serve", "--toolsets", "core,artifacts"]
    connect("claude-code", "--yes")
    assert options() == ["mcp_serve", "--toolsets", "core,artifacts"]
    connect("claude-code", "--yes", "--toolsets", "all")
    assert options() == ["mcp_serve", "--toolsets", "all"]


def test_an_unknown_toolset_is_refused_with_the_known_ones(connect: Connect) -> None:
    with pytest.raises(CommandError, match="'nothing' is no toolset; there are core, artifacts, all"):
        connect("claude-code", "--yes", "--toolsets", "nothing")


def test_taking_away_what_is_not_there_is_no_error(connect: Connect, machine: Machine) -> None:
    assert "is not connected" in connect("codex", "--remove")
    assert not file_of("codex", machine).exists()


def test_the_entry_is_printed_and_nothing_is_written(connect: Connect, machine: Machine) -> None:
    printed = connect("vscode", "--print")
    entry = json.loads(printed[: printed.rindex("}") + 1])["servers"]["task-orchestrator"]
    assert entry["type"] == "stdio"
    assert str(file_of("vscode", machine)) in printed
    assert not file_of("vscode", machine).parent.exists()


def test_the_printed_address_has_no_token(connect: Connect) -> None:
    assert "Bearer YOUR-TOKEN" in connect("codex", "--http", "--print")
    assert not AccessToken.objects.exists()


def test_the_clients_that_are_here_are_listed_with_how_they_are_connected(connect: Connect, machine: Machine) -> None:
    install("cursor", machine)
    install("vscode", machine).write_text("{ broken")
    connect("codex", "--yes")
    states = {line.split()[0]: line for line in connect().splitlines() if line}
    assert "here, not connected" in states["cursor"]
    assert "connected by its command" in states["codex"]
    assert "cannot be told" in states["vscode"]
    assert "not found" in states["gemini"]


def test_a_project_gets_a_file_of_its_own(connect: Connect, machine: Machine, folder: Path) -> None:
    connect("claude-code", "--project", str(folder), "--yes")
    assert entry_of(folder / ".mcp.json")["env"]["ORCHESTRATOR_PROJECT_DIR"] == str(folder)
    assert not file_of("claude-code", machine).exists()


def test_a_project_that_is_not_there_is_refused(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"^--project: \S+/nowhere is no folder\. Name the folder of the project"):
        connect("cursor", "--project", str(tmp_path / "nowhere"), "--yes")


def test_the_line_that_tries_a_project_can_be_pasted(connect: Connect, tmp_path: Path) -> None:
    project = tmp_path / "my shop"
    (project / ".git").mkdir(parents=True)
    assert f"connect codex --project '{project}' --check" in connect("codex", "--project", str(project), "--yes")


# What is there already is broken, hostile or strange


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', "line 3, column 3: a comma or } is wanted"),
        ("null", "It holds no object"),
        ("[1, 2]", "It holds no object"),
        ('{"mcpServers": []}', "mcpServers is a list"),
        ('{"mcpServers": "none"}', "mcpServers is a text"),
        ('{"mcpServers": {}, "mcpServers": {}}', "mcpServers is there twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": "\x00"}', "in double quotes"),
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_left_alone_and_the_entry_given(
    connect: Connect, machine: Machine, content: str, words: str
) -> None:
    path = install("cursor", machine)
    path.write_text(content)
    with pytest.raises(CommandError) as refused:
        connect("cursor", "--yes")
    assert words in str(refused.value)
    assert str(path) in str(refused.value)
    assert '"mcp_serve"' in str(refused.value)
    assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


def test_broken_toml_is_refused_with_its_place(connect: Connect, machine: Machine) -> None:
    path = install("codex", machine)
    path.write_text('model = "x"\nthis is no toml\n')
    with pytest.raises(CommandError, match="line 2, column"):
        connect("codex", "--yes")
    assert path.read_text().endswith("no toml\n")


def test_a_folder_in_the_place_of_the_file_is_refused(connect: Connect, machine: Machine) -> None:
    file_of("cursor", machine).mkdir(parents=True)
    with pytest.raises(CommandError, match="is no file"):
        connect("cursor", "--yes")


@pytest.mark.parametrize("content", ["", " \n", "{}", "{}\n", "\ufeff{}", "\ufeff", "// nothing yet\n{}\n"])
def test_an_empty_file_is_filled(connect: Connect, machine: Machine, content: str) -> None:
    path = install("cursor", machine)
    path.write_text(content)
    connect("cursor", "--yes")
    lines = path.read_text().removeprefix("\ufeff").removeprefix("// nothing yet\n")
    assert "task-orchestrator" in json.loads(lines)["mcpServers"]
    assert path.read_text().startswith("\ufeff") is content.startswith("\ufeff")


def test_an_entry_that_is_no_object_is_replaced(connect: Connect, machine: Machine) -> None:
    path = install("cursor", machine)
    path.write_text('{"mcpServers": {"task-orchestrator": null}}')
    connect("cursor", "--yes")
    assert entry_of(path)["command"] == sys.executable


def test_a_file_that_changes_while_the_question_stands_is_not_written(
    connect: Connect, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = install("cursor", machine)
    path.write_text("{}")

    def confirm_late(*args: object) -> bool:
        path.write_text('{"theme": "light"}')
        return True

    monkeypatch.setattr(command.Command, "_confirm", confirm_late)
    with pytest.raises(CommandError, match="changed by another program"):
        connect("cursor", "--http", "--yes")
    assert path.read_text() == '{"theme": "light"}'
    assert not AccessToken.objects.exists()


def test_a_link_is_said_and_written_through(connect: Connect, machine: Machine, tmp_path: Path) -> None:
    path = install("claude-desktop", machine)
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    path.symlink_to(real)
    assert f"{path} is a link to {real}" in connect("claude-desktop", "--yes")
    assert path.is_symlink()
    assert entry_of(real)["command"] == sys.executable


def test_a_file_in_one_long_line_shows_the_entry_alone(connect: Connect, machine: Machine) -> None:
    path = install("cursor", machine)
    path.write_text(json.dumps({"history": ["private " * 100]}))
    said = connect("cursor", "--yes")
    assert "private" not in said
    assert '"mcp_serve"' in said
    assert "\n" not in path.read_text()


def test_a_database_that_cannot_be_reached_is_said(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        from django.db import OperationalError

        raise OperationalError("no route")

    monkeypatch.setattr(command, "ensure_schema", fail)
    with pytest.raises(CommandError, match=r"no route.*doctor"):
        connect("cursor", "--yes")


# By address, with a token


def test_an_address_comes_with_a_token_that_opens_it(connect: Connect, machine: Machine) -> None:
    path = install("cursor", machine)
    path.write_text("{}")
    path.chmod(0o644)
    said = connect("cursor", "--http", "--yes")
    secret = secret_of(path)
    principal = principal_of(secret)
    assert principal is not None
    assert sorted(principal.scopes) == ["read", "write"]
    assert principal.name.split("/")[1].startswith("cursor-")
    assert entry_of(path)["url"].endswith("/mcp")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in said


def test_a_second_time_keeps_the_token(connect: Connect, machine: Machine) -> None:
    connect("codex", "--http", "--yes")
    secret = secret_of(file_of("codex", machine))
    assert "connected already" in connect("codex", "--http", "--yes")
    assert secret_of(file_of("codex", machine)) == secret


@pytest.mark.parametrize("words", [("--scopes", "read"), ("--url", "http://127.0.0.1:9/mcp")])
def test_other_wishes_are_written(connect: Connect, machine: Machine, words: tuple[str, ...]) -> None:
    connect("codex", "--http", "--yes")
    first = secret_of(file_of("codex", machine))
    connect("codex", "--http", "--yes", *words)
    second = secret_of(file_of("codex", machine))
    assert (principal_of(first) is not None) is (first == second)
    assert principal_of(second) is not None
    assert AccessToken.objects.filter(revoked_at__isnull=True).count() == 1


@pytest.mark.parametrize("words", [("--remove",), ()])
def test_a_token_ends_with_the_entry_that_held_it(connect: Connect, machine: Machine, words: tuple[str, ...]) -> None:
    connect("gemini", "--http", "--yes")
    secret = secret_of(file_of("gemini", machine))
    connect("gemini", "--yes", *words)
    assert principal_of(secret) is None
    assert "mto_" not in file_of("gemini", machine).read_text()


def test_a_token_that_was_revoked_elsewhere_is_renewed(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--http", "--yes")
    former = secret_of(file_of("cursor", machine))
    AccessToken.objects.update(revoked_at="2026-01-01T00:00:00Z")
    connect("cursor", "--http", "--yes")
    assert secret_of(file_of("cursor", machine)) != former
    assert principal_of(secret_of(file_of("cursor", machine))) is not None


def test_somebody_elses_token_in_our_entry_is_left_alone(
    connect: Connect, machine: Machine, django_user_model: Any
) -> None:
    path = install("cursor", machine)
    path.write_text('{"mcpServers": {"task-orchestrator": {"url": "x", "headers": {"Authorization": "Bearer other"}}}}')
    connect("cursor", "--http", "--yes")
    assert principal_of(secret_of(path)) is not None


def test_all_files_of_a_client_hold_the_same_living_token(connect: Connect, machine: Machine) -> None:
    connect("vscode", "--http", "--yes")
    insiders = machine.home / ".config" / "Code - Insiders" / "User" / "mcp.json"
    insiders.parent.mkdir(parents=True)
    connect("vscode", "--http", "--yes")
    assert secret_of(insiders) == secret_of(file_of("vscode", machine))
    assert principal_of(secret_of(insiders)) is not None


def test_the_token_of_a_project_is_for_that_project(connect: Connect, folder: Path) -> None:
    said = connect("cursor", "--http", "--project", str(folder), "--yes")
    principal = principal_of(secret_of(folder / ".cursor" / "mcp.json"))
    assert principal is not None
    assert principal.project_id is not None
    assert "keep it out of version control" in said


def test_a_file_that_cannot_be_written_leaves_the_former_token_alive(
    connect: Connect, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("cursor", "--http", "--yes")
    secret = secret_of(file_of("cursor", machine))

    def fail(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "_draft", fail)
    with pytest.raises(CommandError, match="Permission denied"):
        connect("cursor", "--http", "--scopes", "read", "--yes")
    assert principal_of(secret) is not None
    assert AccessToken.objects.count() == 1


def test_a_name_that_another_token_of_the_owner_has_is_taken_over(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--http", "--yes")
    file_of("cursor", machine).write_text("{}")
    connect("cursor", "--http", "--yes")
    assert AccessToken.objects.filter(revoked_at__isnull=True).count() == 1


@pytest.mark.parametrize("url", ["board.example", "ftp://board.example/mcp", "http://", "http://a b/mcp"])
def test_what_is_no_address_is_refused_before_a_token_is_made(connect: Connect, machine: Machine, url: str) -> None:
    with pytest.raises(CommandError, match=r"is no address\. Write all of it: --url https://board"):
        connect("cursor", "--url", url, "--yes")
    assert not AccessToken.objects.exists()
    assert not file_of("cursor", machine).exists()


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://board.example", "https://board.example/mcp"),
        ("https://board.example/", "https://board.example/mcp"),
        ("https://board.example/orchestrator/mcp", "https://board.example/orchestrator/mcp"),
    ],
)
def test_the_address_of_a_site_leads_to_its_bridge(connect: Connect, machine: Machine, url: str, written: str) -> None:
    connect("cursor", "--url", url, "--yes")
    assert entry_of(file_of("cursor", machine))["url"] == written


def test_a_client_that_takes_no_addresses_says_so(connect: Connect) -> None:
    with pytest.raises(CommandError, match="takes commands only"):
        connect("claude-desktop", "--http", "--yes")
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("scopes", ["", "everything", "read,paint"])
def test_a_scope_that_is_none_is_refused(connect: Connect, machine: Machine, scopes: str) -> None:
    with pytest.raises(CommandError, match="scopes"):
        connect("cursor", "--http", "--scopes", scopes, "--yes")
    assert not file_of("cursor", machine).exists()


def test_an_expired_token_is_renewed(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--http", "--yes")
    AccessToken.objects.update(created_at="2025-01-01T00:00:00Z", expires_at="2025-01-02T00:00:00Z")
    connect("cursor", "--http", "--yes")
    assert principal_of(secret_of(file_of("cursor", machine))) is not None


# Specialists


def test_a_file_of_specialists_is_put_into_the_project(connect: Connect, folder: Path) -> None:
    from tasks.roles import catalogue
    from tasks.services.projects import project_at

    before = catalogue(project_at(folder))
    connect("cursor", "--project", str(folder), "--roles", "--yes")
    path = folder / ".task_orchestrator" / "roles" / "project_roles.yaml"
    assert "role_definition" in path.read_text()
    assert catalogue(project_at(folder)) == before


def test_what_the_file_of_specialists_shows_is_right_once_uncommented(connect: Connect, folder: Path) -> None:
    from tasks.roles import parse

    connect("cursor", "--project", str(folder), "--roles", "--yes")
    text = (folder / ".task_orchestrator" / "roles" / "project_roles.yaml").read_text()
    example = text[text.index("# implementer:") :].replace("# ", "", 1).replace("\n# ", "\n").replace("\n#\n", "\n\n")
    found, problems = parse(example, file="example")
    assert [role.name for role in found] == ["implementer", "tester", "pricer"]
    assert problems == []


def test_a_file_of_specialists_is_never_overwritten(connect: Connect, folder: Path) -> None:
    path = folder / ".task_orchestrator" / "roles" / "project_roles.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    assert "it stays" in connect("cursor", "--project", str(folder), "--roles", "--yes")
    assert path.read_text() == "mine"


# As a process


def answer(home: Path, fresh_home: Path, reply: str, *words: str) -> tuple[int, str]:
    """Run the command on a terminal and type an answer."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "HOME": str(home), "PATH": "", "ORCHESTRATOR_HOME": str(fresh_home)}
    process = subprocess.Popen(
        [sys.executable, "manage.py", "connect", *words],
        cwd=ROOT,
        env=environ,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.write(ours, reply.encode())
    said = process.communicate(timeout=DEADLINE_SECONDS)[0]
    os.close(ours)
    os.close(theirs)
    return process.returncode, said


@pytest.mark.parametrize(("reply", "is_written"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked_before_anything_is_written(
    tmp_path: Path, fresh_home: Path, reply: str, is_written: bool
) -> None:
    returncode, said = answer(tmp_path, fresh_home, reply, "claude-code")
    assert returncode == 0
    assert "Connect Claude Code? [y/N]" in said
    assert (tmp_path / ".claude.json").exists() is is_written
    assert ("Nothing was written" in said) is not is_written


def test_a_person_is_offered_a_file_of_specialists(tmp_path: Path, fresh_home: Path, folder: Path) -> None:
    said = answer(tmp_path, fresh_home, "y\ny\n", "cursor", "--project", str(folder))[1]
    assert "Put a commented" in said
    assert (folder / ".task_orchestrator" / "roles" / "project_roles.yaml").exists()


def test_what_was_connected_is_tried_and_described(tmp_path: Path, fresh_home: Path) -> None:
    words = [sys.executable, "manage.py", "connect", "claude-code"]
    environ = {**os.environ, "HOME": str(tmp_path)}
    options: dict[str, Any] = {"cwd": ROOT, "env": environ, "capture_output": True, "text": True, "timeout": 60}
    subprocess.run([*words, "--yes"], check=True, **options)
    checked = subprocess.run([*words, "--check"], **options)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert re.search(r"mcp-task-orchestrator \S+ answers \(protocol \S+\): \d+ tools in [\d,]+ bytes", checked.stdout)


def test_a_command_that_is_gone_fails_the_try_with_its_reason(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--yes")
    path = file_of("cursor", machine)
    path.write_text(path.read_text().replace(json.dumps(sys.executable), '"/gone/python"'))
    with pytest.raises(CommandError, match="/gone/python cannot be started"):
        connect("cursor", "--check")


def test_a_client_that_is_not_connected_fails_the_try(connect: Connect) -> None:
    with pytest.raises(CommandError, match="is not connected"):
        connect("windsurf", "--check")


def test_a_token_made_by_hand_stays_where_another_client_is_connected(connect: Connect) -> None:
    from orchestrator_site.accounts.owner import local_owner

    _, secret = create_token(owner=local_owner(), name="laptop")
    connect("cursor", "--http", "--yes")
    assert principal_of(secret) is not None
