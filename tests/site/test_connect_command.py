"""`manage.py connect` in fake home folders."""

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
from orchestrator_site.connect.probe import NotConnected
from orchestrator_site.kernel.errors import Conflict, Invalid
from orchestrator_site.management.commands import connect as command
from orchestrator_site.models import AccessToken
from orchestrator_site.tokens.service import create_token, principal_of
from tasks.services.projects import project_at
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
    fake = machine_at(tmp_path / "ada")
    monkeypatch.setattr(command, "this_machine", lambda: fake)
    return fake


@pytest.fixture
def connect(db: None, machine: Machine) -> Connect:
    """Return a function that runs the command and returns its output, standard error last."""

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
def test_every_client_is_connected_and_removed_on_every_platform(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: str, platform: str
) -> None:
    fake = machine_at(tmp_path / "ada", platform)
    monkeypatch.setattr(command, "this_machine", lambda: fake)
    path = install(client, fake)
    call_command("connect", client, "--yes", stdout=io.StringIO())
    written = path.read_text()
    assert json.dumps(sys.executable) in written
    assert json.dumps(str(ROOT / "manage.py")) in written
    call_command("connect", client, "--remove", "--yes", stdout=io.StringIO())
    assert "task-orchestrator" not in path.read_text()


def test_nothing_else_in_the_file_changes(connect: Connect, machine: Machine) -> None:
    path = install("gemini", machine)
    path.write_text(SETTINGS)
    printed = connect("gemini", "--yes")
    new = path.read_text()
    assert [line for line in new.splitlines() if line in SETTINGS.splitlines()] == SETTINGS.splitlines()
    assert '+        "task-orchestrator": {' in printed
    assert "ghp_secret" not in printed
    (backup,) = path.parent.glob("settings.json.backup-*")
    assert backup.read_text() == SETTINGS
    assert str(backup) in printed
    connect("gemini", "--remove", "--yes")
    assert path.read_text() == SETTINGS


def test_connecting_twice_writes_nothing(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--yes")
    path = file_of("cursor", machine)
    before = (path.read_text(), path.stat().st_mtime_ns)
    connect("cursor")
    assert (path.read_text(), path.stat().st_mtime_ns) == before
    assert not list(path.parent.glob("*backup*"))


def test_without_a_terminal_nothing_is_written_unless_confirmed(connect: Connect, machine: Machine) -> None:
    with pytest.raises(CommandError) as raised:
        connect("claude-code")
    assert raised.value.returncode == command.NOT_CONFIRMED
    assert not file_of("claude-code", machine).exists()


def test_toolsets_are_kept_until_others_are_requested(connect: Connect, machine: Machine) -> None:
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


def test_an_unknown_toolset_lists_the_known_ones(connect: Connect) -> None:
    with pytest.raises(CommandError, match="core, artifacts, maintenance, server, isolation, templates, routing, all"):
        connect("claude-code", "--yes", "--toolsets", "nothing")


def test_removing_a_client_that_is_not_connected_is_no_error(connect: Connect, machine: Machine) -> None:
    connect("codex", "--remove")
    assert not file_of("codex", machine).exists()


def test_print_shows_the_entry_and_writes_nothing(connect: Connect, machine: Machine) -> None:
    printed = connect("vscode", "--print")
    entry = json.loads(printed[: printed.rindex("}") + 1])["servers"]["task-orchestrator"]
    assert entry["type"] == "stdio"
    assert str(file_of("vscode", machine)) in printed
    assert not file_of("vscode", machine).parent.exists()


def test_print_shows_a_placeholder_instead_of_a_token(connect: Connect) -> None:
    assert "Bearer YOUR-TOKEN" in connect("codex", "--http", "--print")
    assert not AccessToken.objects.exists()


def test_the_list_shows_how_each_client_is_connected(connect: Connect, machine: Machine) -> None:
    install("cursor", machine)
    install("vscode", machine).write_text("{ broken")
    connect("codex", "--yes")
    states = {line.split()[0]: line for line in connect().splitlines() if line}
    assert "installed, not connected" in states["cursor"]
    assert "stdio" in states["codex"]
    assert "line 1, column 3" in states["vscode"]
    assert "not found" in states["gemini"]


def test_a_project_gets_its_own_file(connect: Connect, machine: Machine, folder: Path) -> None:
    connect("claude-code", "--project", str(folder), "--yes")
    assert entry_of(folder / ".mcp.json")["env"]["ORCHESTRATOR_PROJECT_DIR"] == str(folder)
    assert not file_of("claude-code", machine).exists()


@pytest.mark.parametrize("client", [client.name for client in CLIENTS if client.project_file])
@pytest.mark.parametrize("words", [("--http", "--yes"), ("--yes",), ("--remove", "--yes"), ("--check",)])
def test_no_file_of_a_project_leads_elsewhere(
    connect: Connect, folder: Path, tmp_path: Path, client: str, words: tuple[str, ...]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (named,) = [each.project_file[0] for each in CLIENTS if each.name == client and each.project_file]
    first, *below = Path(named).parts
    precious = elsewhere.joinpath(*below) if below else elsewhere / "precious.json"
    precious.parent.mkdir(parents=True, exist_ok=True)
    precious.write_text("")
    (folder / first).symlink_to(elsewhere if below else precious)
    with pytest.raises(CommandError):
        connect(client, "--project", str(folder), *words)
    assert precious.read_text() == "" and not AccessToken.objects.exists()
    assert list(precious.parent.iterdir()) == [precious]


def test_a_projects_file_cannot_steer_the_terminal(connect: Connect, folder: Path) -> None:
    (folder / ".vscode").mkdir()
    (folder / ".vscode" / "mcp.json").write_text('{\n  // \x1b]0;x\x07\x9b31m\u202e\n  "servers": {}\n}\n')
    printed = connect("vscode", "--project", str(folder), "--yes")
    assert "\\x1b]0;x" in printed
    assert all(char.isprintable() or char in "\n\t" for char in printed)


def test_a_subfolder_gets_the_file_and_its_repository_the_roles(connect: Connect, folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "api").mkdir()
    connect("claude-code", "--project", str(folder / "api"), "--roles", "--http", "--yes")
    assert (folder / "api" / ".mcp.json").is_file() and (folder / files.ROLES_FILE).is_file()
    assert AccessToken.objects.get().project == project_at(folder)


def test_a_missing_project_folder_is_rejected(connect: Connect, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"--project: \S+/nowhere "):
        connect("cursor", "--project", str(tmp_path / "nowhere"), "--yes")


def test_the_check_command_for_a_project_is_quoted(connect: Connect, tmp_path: Path) -> None:
    project = tmp_path / "my shop"
    (project / ".git").mkdir(parents=True)
    assert f"connect codex --project '{project}' --check" in connect("codex", "--project", str(project), "--yes")


# Files that are broken, hostile or unusual


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', "line 3, column 3"),
        ("null", "object"),
        ("[1, 2]", "object"),
        ('{"mcpServers": []}', "mcpServers"),
        ('{"mcpServers": "none"}', "mcpServers"),
        ('{"mcpServers": {}, "mcpServers": {}}', "mcpServers"),
        ("[" * 100_000, "line 1, column 101"),
        ('{"a": "\x00"}', "line 1, column 7"),
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_kept_and_the_entry_shown(
    connect: Connect, machine: Machine, content: str, reason: str
) -> None:
    path = install("cursor", machine)
    path.write_text(content)
    with pytest.raises(CommandError) as raised:
        connect("cursor", "--yes")
    assert reason in str(raised.value)
    assert str(path) in str(raised.value)
    assert '"mcp_serve"' in str(raised.value)
    assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


def test_malformed_toml_is_rejected_with_its_position(connect: Connect, machine: Machine) -> None:
    path = install("codex", machine)
    path.write_text('model = "x"\nthis is no toml\n')
    with pytest.raises(CommandError, match="line 2, column"):
        connect("codex", "--yes")
    assert path.read_text().endswith("no toml\n")


def test_a_folder_at_the_path_of_the_file_is_rejected(connect: Connect, machine: Machine) -> None:
    file_of("cursor", machine).mkdir(parents=True)
    with pytest.raises(CommandError) as raised:
        connect("cursor", "--yes")
    assert isinstance(raised.value.__cause__, Invalid)


@pytest.mark.parametrize("content", ["", " \n", "{}", "{}\n", "\ufeff{}", "\ufeff", "// nothing yet\n{}\n"])
def test_an_empty_file_gets_the_entry(connect: Connect, machine: Machine, content: str) -> None:
    path = install("cursor", machine)
    path.write_text(content)
    connect("cursor", "--yes")
    lines = path.read_text().removeprefix("\ufeff").removeprefix("// nothing yet\n")
    assert "task-orchestrator" in json.loads(lines)["mcpServers"]
    assert path.read_text().startswith("\ufeff") is content.startswith("\ufeff")


def test_an_entry_that_is_not_an_object_is_replaced(connect: Connect, machine: Machine) -> None:
    path = install("cursor", machine)
    path.write_text('{"mcpServers": {"task-orchestrator": null}}')
    connect("cursor", "--yes")
    assert entry_of(path)["command"] == sys.executable


def test_a_file_changed_during_confirmation_is_not_overwritten(
    connect: Connect, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = install("cursor", machine)
    path.write_text("{}")

    def confirm_late(*args: object) -> bool:
        path.write_text('{"theme": "light"}')
        return True

    monkeypatch.setattr(command.Command, "_confirm", confirm_late)
    with pytest.raises(CommandError) as raised:
        connect("cursor", "--http", "--yes")
    assert isinstance(raised.value.__cause__, Conflict)
    assert path.read_text() == '{"theme": "light"}'
    assert not AccessToken.objects.exists()


def test_a_link_is_reported_and_its_target_written(connect: Connect, machine: Machine, tmp_path: Path) -> None:
    path = install("claude-desktop", machine)
    real = tmp_path / "dotfiles.json"
    real.write_text("{}")
    path.symlink_to(real)
    printed = connect("claude-desktop", "--yes")
    assert str(path) in printed and str(real) in printed
    assert path.is_symlink()
    assert entry_of(real)["command"] == sys.executable


def test_for_a_file_on_one_long_line_only_the_entry_is_shown(connect: Connect, machine: Machine) -> None:
    path = install("cursor", machine)
    path.write_text(json.dumps({"history": ["private " * 100]}))
    printed = connect("cursor", "--yes")
    assert "private" not in printed
    assert '"mcp_serve"' in printed
    assert "\n" not in path.read_text()


def test_an_unreachable_database_is_reported(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        from django.db import OperationalError

        raise OperationalError("no route")

    monkeypatch.setattr(command, "ensure_schema", fail)
    with pytest.raises(CommandError, match=r"no route.*doctor"):
        connect("cursor", "--yes")


# HTTP


def test_http_creates_a_token_that_works(connect: Connect, machine: Machine) -> None:
    path = install("cursor", machine)
    path.write_text("{}")
    path.chmod(0o644)
    printed = connect("cursor", "--http", "--yes")
    secret = secret_of(path)
    principal = principal_of(secret)
    assert principal is not None
    assert sorted(principal.scopes) == ["read", "write"]
    assert principal.name.split("/")[1].startswith("cursor-")
    assert entry_of(path)["url"].endswith("/mcp")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret not in printed


def test_connecting_twice_keeps_the_token(connect: Connect, machine: Machine) -> None:
    connect("codex", "--http", "--yes")
    secret = secret_of(file_of("codex", machine))
    connect("codex", "--http", "--yes")
    assert secret_of(file_of("codex", machine)) == secret


@pytest.mark.parametrize("words", [("--scopes", "read"), ("--url", "http://127.0.0.1:9/mcp")])
def test_other_options_are_written(connect: Connect, machine: Machine, words: tuple[str, ...]) -> None:
    connect("codex", "--http", "--yes")
    first = secret_of(file_of("codex", machine))
    connect("codex", "--http", "--yes", *words)
    second = secret_of(file_of("codex", machine))
    assert (principal_of(first) is not None) is (first == second)
    assert principal_of(second) is not None
    assert AccessToken.objects.filter(revoked_at__isnull=True).count() == 1


@pytest.mark.parametrize("words", [("--remove",), ()])
def test_a_token_is_revoked_with_its_entry(connect: Connect, machine: Machine, words: tuple[str, ...]) -> None:
    connect("gemini", "--http", "--yes")
    secret = secret_of(file_of("gemini", machine))
    connect("gemini", "--yes", *words)
    assert principal_of(secret) is None
    assert "mto_" not in file_of("gemini", machine).read_text()


def test_a_revoked_token_is_renewed(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--http", "--yes")
    former = secret_of(file_of("cursor", machine))
    AccessToken.objects.update(revoked_at="2026-01-01T00:00:00Z")
    connect("cursor", "--http", "--yes")
    assert secret_of(file_of("cursor", machine)) != former
    assert principal_of(secret_of(file_of("cursor", machine))) is not None


def test_a_foreign_token_in_our_entry_is_replaced(connect: Connect, machine: Machine, django_user_model: Any) -> None:
    path = install("cursor", machine)
    path.write_text('{"mcpServers": {"task-orchestrator": {"url": "x", "headers": {"Authorization": "Bearer other"}}}}')
    connect("cursor", "--http", "--yes")
    assert principal_of(secret_of(path)) is not None


def test_all_files_of_a_client_share_one_valid_token(connect: Connect, machine: Machine) -> None:
    connect("vscode", "--http", "--yes")
    insiders = machine.home / ".config" / "Code - Insiders" / "User" / "mcp.json"
    insiders.parent.mkdir(parents=True)
    connect("vscode", "--http", "--yes")
    assert secret_of(insiders) == secret_of(file_of("vscode", machine))
    assert principal_of(secret_of(insiders)) is not None


def test_a_project_token_is_limited_to_that_project(connect: Connect, folder: Path) -> None:
    printed = connect("cursor", "--http", "--project", str(folder), "--yes")
    principal = principal_of(secret_of(folder / ".cursor" / "mcp.json"))
    assert principal is not None
    assert principal.project_id is not None
    assert "version control" in printed


def test_a_failed_write_keeps_the_old_token_valid(
    connect: Connect, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect("cursor", "--http", "--yes")
    secret = secret_of(file_of("cursor", machine))

    def fail(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "_put", fail)
    with pytest.raises(CommandError, match="Permission denied"):
        connect("cursor", "--http", "--scopes", "read", "--yes")
    assert principal_of(secret) is not None
    assert AccessToken.objects.count() == 1


def test_a_token_with_the_same_name_is_replaced(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--http", "--yes")
    file_of("cursor", machine).write_text("{}")
    connect("cursor", "--http", "--yes")
    assert AccessToken.objects.filter(revoked_at__isnull=True).count() == 1


@pytest.mark.parametrize("url", ["board.example", "ftp://board.example/mcp", "http://", "http://a b/mcp"])
def test_an_invalid_url_is_rejected_before_a_token_is_created(connect: Connect, machine: Machine, url: str) -> None:
    with pytest.raises(CommandError, match="--url"):
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
def test_the_url_of_a_site_is_completed_with_the_mcp_path(
    connect: Connect, machine: Machine, url: str, written: str
) -> None:
    connect("cursor", "--url", url, "--yes")
    assert entry_of(file_of("cursor", machine))["url"] == written


def test_a_client_without_urls_rejects_http(connect: Connect) -> None:
    with pytest.raises(CommandError, match="--http"):
        connect("claude-desktop", "--http", "--yes")
    assert not AccessToken.objects.exists()


@pytest.mark.parametrize("scopes", ["", "everything", "read,paint"])
def test_an_invalid_scope_is_rejected(connect: Connect, machine: Machine, scopes: str) -> None:
    with pytest.raises(CommandError, match="scopes"):
        connect("cursor", "--http", "--scopes", scopes, "--yes")
    assert not file_of("cursor", machine).exists()


def test_an_expired_token_is_renewed(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--http", "--yes")
    AccessToken.objects.update(created_at="2025-01-01T00:00:00Z", expires_at="2025-01-02T00:00:00Z")
    connect("cursor", "--http", "--yes")
    assert principal_of(secret_of(file_of("cursor", machine))) is not None


# Specialists


def test_roles_adds_a_file_that_changes_nothing(connect: Connect, folder: Path) -> None:
    from tasks.roles import catalogue
    from tasks.services.projects import project_at

    before = catalogue(project_at(folder))
    connect("cursor", "--project", str(folder), "--roles", "--yes")
    path = folder / ".task_orchestrator" / "roles" / "project_roles.yaml"
    assert "role_definition" in path.read_text()
    assert catalogue(project_at(folder)) == before


def test_the_example_roles_are_valid_once_uncommented(connect: Connect, folder: Path) -> None:
    from tasks.roles import parse

    connect("cursor", "--project", str(folder), "--roles", "--yes")
    text = (folder / ".task_orchestrator" / "roles" / "project_roles.yaml").read_text()
    example = text[text.index("# implementer:") :].replace("# ", "", 1).replace("\n# ", "\n").replace("\n#\n", "\n\n")
    found, problems = parse(example, file="example")
    assert [role.name for role in found] == ["implementer", "tester", "pricer"]
    assert problems == []


def test_an_existing_roles_file_is_never_overwritten(connect: Connect, folder: Path) -> None:
    path = folder / ".task_orchestrator" / "roles" / "project_roles.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    connect("cursor", "--project", str(folder), "--roles", "--yes")
    assert path.read_text() == "mine"


# As a process


def answer(home: Path, fresh_home: Path, reply: str, *words: str) -> tuple[int, str]:
    """Run the command on a terminal and type a reply."""
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
    output = process.communicate(timeout=DEADLINE_SECONDS)[0]
    os.close(ours)
    os.close(theirs)
    return process.returncode, output


@pytest.mark.parametrize(("reply", "is_written"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_change_is_confirmed_on_the_terminal(tmp_path: Path, fresh_home: Path, reply: str, is_written: bool) -> None:
    returncode, output = answer(tmp_path, fresh_home, reply, "claude-code")
    assert returncode == 0
    assert "[y/N]" in output
    assert (tmp_path / ".claude.json").exists() is is_written
    assert (str(tmp_path / ".claude.json") in output.partition("[y/N]")[2]) is is_written


def test_a_roles_file_is_offered_for_a_project(tmp_path: Path, fresh_home: Path, folder: Path) -> None:
    answer(tmp_path, fresh_home, "y\ny\n", "cursor", "--project", str(folder))
    assert (folder / ".task_orchestrator" / "roles" / "project_roles.yaml").exists()


def test_check_describes_the_server(tmp_path: Path, fresh_home: Path) -> None:
    words = [sys.executable, "manage.py", "connect", "claude-code"]
    environ = {**os.environ, "HOME": str(tmp_path)}
    options: dict[str, Any] = {"cwd": ROOT, "env": environ, "capture_output": True, "text": True, "timeout": 60}
    subprocess.run([*words, "--yes"], check=True, **options)
    checked = subprocess.run([*words, "--check"], **options)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert re.search(r"mcp-task-orchestrator \S+ \(protocol \S+\): \d+ tools", checked.stdout)


def test_check_fails_if_the_command_does_not_exist(connect: Connect, machine: Machine) -> None:
    connect("cursor", "--yes")
    path = file_of("cursor", machine)
    path.write_text(path.read_text().replace(json.dumps(sys.executable), '"/gone/python"'))
    with pytest.raises(CommandError, match="/gone/python") as raised:
        connect("cursor", "--check")
    assert isinstance(raised.value.__cause__, NotConnected)


def test_check_fails_if_the_client_is_not_connected(connect: Connect) -> None:
    with pytest.raises(CommandError, match="is not connected"):
        connect("windsurf", "--check")


def test_connecting_keeps_tokens_created_by_hand(connect: Connect) -> None:
    from orchestrator_site.accounts.owner import local_owner

    _, secret = create_token(owner=local_owner(), name="laptop")
    connect("cursor", "--http", "--yes")
    assert principal_of(secret) is not None
