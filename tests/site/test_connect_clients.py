"""The locations of configuration files on every platform, and the entries written there."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from orchestrator_site.connect import documents
from orchestrator_site.connect.clients import CLIENTS, Style, get_client
from orchestrator_site.connect.entries import Stdio, changes, has_secret, http_entry, stdio_entry, this_installation
from orchestrator_site.kernel.errors import Invalid, NotFound
from tests.site.machines import PLATFORMS, file_of, install, machine_at

MAC = "Library/Application Support"
PLACES = {
    "claude-code": (".claude.json", ".claude.json", ".claude.json"),
    "claude-desktop": tuple(
        f"{folder}/Claude/claude_desktop_config.json" for folder in (".config", MAC, "AppData/Roaming")
    ),
    "cursor": (".cursor/mcp.json", ".cursor/mcp.json", ".cursor/mcp.json"),
    "windsurf": (".codeium/windsurf/mcp_config.json",) * 3,
    "vscode": tuple(f"{folder}/Code/User/mcp.json" for folder in (".config", MAC, "AppData/Roaming")),
    "codex": (".codex/config.toml",) * 3,
    "gemini": (".gemini/settings.json",) * 3,
}
PROJECT_FILES = {
    "claude-code": ".mcp.json",
    "cursor": ".cursor/mcp.json",
    "windsurf": ".devin/mcp_config.json",
    "vscode": ".vscode/mcp.json",
    "codex": ".codex/config.toml",
    "gemini": ".gemini/settings.json",
}
COMMAND = Stdio("/venv/bin/python", ("/app/manage.py", "mcp_serve"), home="/data")
URL = "http://127.0.0.1:8000/mcp"


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_user_file_is_where_the_client_reads_it(tmp_path: Path, platform: str, name: str) -> None:
    expected = PLACES[name][PLATFORMS.index(platform)]
    assert file_of(name, machine_at(tmp_path, platform)) == tmp_path / expected


def test_every_client_is_in_the_table() -> None:
    assert {client.name for client in CLIENTS} == PLACES.keys()


@pytest.mark.parametrize(
    ("name", "platform", "variable", "expected"),
    [
        ("claude-code", "linux", "CLAUDE_CONFIG_DIR", ".claude.json"),
        ("codex", "win32", "CODEX_HOME", "config.toml"),
        ("gemini", "darwin", "GEMINI_CLI_HOME", ".gemini/settings.json"),
        ("claude-desktop", "linux", "XDG_CONFIG_HOME", "Claude/claude_desktop_config.json"),
        ("vscode", "win32", "APPDATA", "Code/User/mcp.json"),
    ],
)
def test_environment_variables_move_the_file(
    tmp_path: Path, name: str, platform: str, variable: str, expected: str
) -> None:
    machine = machine_at(tmp_path / "home", platform, **{variable: str(tmp_path / "moved")})
    assert file_of(name, machine) == tmp_path / "moved" / expected


def test_the_legacy_file_of_claude_code_takes_precedence(tmp_path: Path) -> None:
    early = tmp_path / ".claude" / ".config.json"
    early.parent.mkdir()
    early.write_text("{}")
    assert file_of("claude-code", machine_at(tmp_path)) == early


def test_packaged_claude_desktop_on_windows_has_its_own_folder(tmp_path: Path) -> None:
    packaged = tmp_path / "AppData/Local/Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude"
    packaged.mkdir(parents=True)
    assert file_of("claude-desktop", machine_at(tmp_path, "win32")) == packaged / "claude_desktop_config.json"


def test_every_installed_edition_is_connected(tmp_path: Path) -> None:
    machine = machine_at(tmp_path)
    for edition in ("Code", "Code - Insiders"):
        (tmp_path / ".config" / edition / "User").mkdir(parents=True)
    assert len(get_client("vscode").config_files(machine)) == 2


def test_devin_desktop_is_connected_in_its_new_file(tmp_path: Path) -> None:
    (tmp_path / ".config" / "devin").mkdir(parents=True)
    config_file = get_client("windsurf").config_files(machine_at(tmp_path))[0]
    assert config_file.path == tmp_path / ".config/devin/mcp_config.json"
    assert http_entry(URL, "x", config_file.style)["url"] == URL


@pytest.mark.parametrize("name", PROJECT_FILES)
def test_a_project_has_a_file_of_its_own(tmp_path: Path, name: str) -> None:
    assert file_of(name, machine_at(tmp_path / "home"), tmp_path) == tmp_path / PROJECT_FILES[name]


def test_a_client_without_project_files_uses_the_user_file(tmp_path: Path) -> None:
    machine = machine_at(tmp_path)
    assert file_of("claude-desktop", machine, tmp_path / "shop") == file_of("claude-desktop", machine)


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_client_counts_as_installed_after_its_first_run(tmp_path: Path, platform: str, name: str) -> None:
    machine = machine_at(tmp_path, platform)
    assert not get_client(name).is_installed(machine)
    install(name, machine).write_text("")
    assert get_client(name).is_installed(machine)


def test_an_unknown_client_lists_the_known_ones() -> None:
    with pytest.raises(NotFound) as raised:
        get_client("emacs")
    assert "claude-code" in raised.value.next


# Entries


def style_of(name: str, tmp_path: Path) -> Style:
    return get_client(name).config_files(machine_at(tmp_path))[0].style


@pytest.mark.parametrize(
    ("name", "kind"),
    [("claude-code", "stdio"), ("vscode", "stdio"), ("cursor", None), ("windsurf", None), ("codex", None)],
)
def test_a_stdio_entry_has_the_format_of_the_client(tmp_path: Path, name: str, kind: str | None) -> None:
    entry = stdio_entry(COMMAND, style_of(name, tmp_path))
    assert entry.get("type") == kind
    assert (entry["command"], entry["args"]) == ("/venv/bin/python", ["/app/manage.py", "mcp_serve"])
    assert entry["env"] == {"ORCHESTRATOR_HOME": "/data"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("claude-code", {"type": "http", "url": URL, "headers": {"Authorization": "Bearer mto_x"}}),
        ("cursor", {"url": URL, "headers": {"Authorization": "Bearer mto_x"}}),
        ("windsurf", {"serverUrl": URL, "headers": {"Authorization": "Bearer mto_x"}}),
        ("vscode", {"type": "http", "url": URL, "headers": {"Authorization": "Bearer mto_x"}}),
        ("codex", {"url": URL, "http_headers": {"Authorization": "Bearer mto_x"}}),
        ("gemini", {"httpUrl": URL, "headers": {"Authorization": "Bearer mto_x"}}),
    ],
)
def test_an_http_entry_has_the_format_of_the_client(tmp_path: Path, name: str, expected: dict[str, Any]) -> None:
    assert http_entry(URL, "mto_x", style_of(name, tmp_path)) == expected


def test_a_client_without_urls_rejects_http(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        http_entry(URL, "mto_x", style_of("claude-desktop", tmp_path))
    assert "--http" in raised.value.next


SECRET = "postgres://ada:hunter2@db.example/tasks"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("claude-code", "${DATABASE_URL}"),
        ("cursor", "${env:DATABASE_URL}"),
        ("windsurf", "${env:DATABASE_URL}"),
        ("vscode", "${env:DATABASE_URL}"),
        ("gemini", "$DATABASE_URL"),
    ],
)
def test_a_database_password_is_written_as_a_reference(tmp_path: Path, name: str, written: str) -> None:
    wanted = Stdio("python", (), home="/data", database_url=SECRET)
    assert stdio_entry(wanted, style_of(name, tmp_path))["env"]["DATABASE_URL"] == written


def test_codex_forwards_the_variable_with_a_password(tmp_path: Path) -> None:
    entry = stdio_entry(Stdio("python", (), home="/data", database_url=SECRET), style_of("codex", tmp_path))
    assert entry["env_vars"] == ["DATABASE_URL"]
    assert "hunter2" not in str(entry)


def test_a_password_in_plain_text_requires_write_secrets(tmp_path: Path) -> None:
    style = style_of("claude-desktop", tmp_path)
    with pytest.raises(Invalid) as raised:
        stdio_entry(Stdio("python", (), home="/data", database_url=SECRET), style)
    assert "--write-secrets" in raised.value.next
    allowed = Stdio("python", (), home="/data", database_url=SECRET, writes_secrets=True)
    assert stdio_entry(allowed, style)["env"]["DATABASE_URL"] == SECRET


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("sqlite:////data/a.sqlite3", False),
        ("postgres://ada@db/tasks", False),
        (SECRET, True),
        ("postgres://db/tasks?user=ada&password=x", True),
    ],
)
def test_a_database_url_is_secret_only_with_a_password(url: str, secret: bool) -> None:
    assert has_secret(url) is secret
    written = stdio_entry(Stdio("python", (), home="/d", database_url=url), Style(reference="$%s"))["env"]
    assert (written["DATABASE_URL"] == url) is not secret


def test_an_entry_names_the_queue_and_its_password_by_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("redis://cache.example/0", "redis://:hunter2@cache.example/0"):
        monkeypatch.setenv("ORCHESTRATOR_QUEUE_URL", url)
        written = stdio_entry(this_installation(), Style(reference="$%s"))["env"]["ORCHESTRATOR_QUEUE_URL"]
        assert written == ("$ORCHESTRATOR_QUEUE_URL" if "hunter2" in url else url)


def test_an_entry_names_its_project() -> None:
    entry = stdio_entry(Stdio("python", (), home="/data", project=Path("/projects/shop")), Style())
    assert entry["env"]["ORCHESTRATOR_PROJECT_DIR"] == "/projects/shop"


# Changes to an existing entry

ADDED = {
    "command": "/old/python",
    "args": ["/old/manage.py", "mcp_serve", "--toolsets", "all"],
    "env": {"ORCHESTRATOR_HOME": "/old", "ORCHESTRATOR_PROJECT_DIR": "/gone", "ORCHESTRATOR_LOG_LEVEL": "INFO"},
    "disabled": False,
    "alwaysAllow": ["orchestrator_get_status"],
}


def test_user_additions_to_the_entry_are_kept() -> None:
    style = Style()
    text = json.dumps({"mcpServers": {"task-orchestrator": ADDED}})
    edits = changes(ADDED, stdio_entry(COMMAND, style), style.path)
    entry = documents.entry_in(documents.changed(text, style, edits), style)
    assert entry == {
        **stdio_entry(COMMAND, style),
        "args": ["/app/manage.py", "mcp_serve", "--toolsets", "all"],
        "env": {"ORCHESTRATOR_HOME": "/data", "ORCHESTRATOR_LOG_LEVEL": "INFO"},
        "disabled": False,
        "alwaysAllow": ["orchestrator_get_status"],
    }


def test_a_url_replaces_a_command_completely() -> None:
    style = Style(stdio={"type": "stdio"}, http={"type": "http"})
    text = json.dumps({"mcpServers": {"task-orchestrator": {"type": "stdio", **ADDED}}})
    wanted = http_entry(URL, "mto_x", style)
    changed = documents.changed(text, style, changes({"type": "stdio", **ADDED}, wanted, style.path))
    kept = {"disabled": False, "alwaysAllow": ["orchestrator_get_status"]}
    assert documents.entry_in(changed, style) == {**wanted, **kept}


TOML = """\
# my Codex
model = "gpt"  # the good one

[mcp_servers.other]
command = "other" # keep

[tui]
theme = "dark"
"""


@pytest.mark.parametrize(
    "text",
    [
        "",
        TOML,
        TOML.replace("\n", "\r\n"),
        'mcp_servers = {other = {command = "x"}}\n',
        'mcp_servers.other.command = "x"\n',
        'mcp_servers.other = {command = "x"}\nmodel = "m"  # behind it\n[x.y.z]\n# deep\nq = 1',
        "[mcp_servers]\n# none yet\n",
        'a = 1\n[b]\nc = 2\n[mcp_servers]\n[mcp_servers.x]\nurl = "u"\n[b.d]\ne = 1\n[mcp_servers.y]\nurl = "v"\n',
        '[[profiles]]\nname = "a"\n\n# the end',
        '[mcp_servers.other]\ncommand = "x"\n[mcp_servers."with.dots"]\nurl = "y"\n',
    ],
)
def test_toml_gets_a_table_and_keeps_the_rest(text: str) -> None:
    style = Style(section="mcp_servers", is_toml=True)
    entry = stdio_entry(COMMAND, style)
    changed = documents.changed(text, style, changes(None, entry, style.path))
    before = tomllib.loads(text)
    servers = {**before.get("mcp_servers", {}), "task-orchestrator": entry}
    assert tomllib.loads(changed) == {**before, "mcp_servers": servers}
    assert changed.startswith(text) or "{other" in text
    assert ("\r\n" in changed) is ("\r\n" in text)
    gone = documents.changed(changed, style, [(style.path, ...)])
    assert tomllib.loads(gone).get("mcp_servers", {}) == before.get("mcp_servers", {})
    assert documents.changed(changed, style, changes(entry, entry, style.path)) == changed


def test_an_existing_toml_table_is_changed_in_place() -> None:
    text = """\
[mcp_servers.task-orchestrator] # mine
command = "old" # the one
args = ["a"]
startup_timeout_sec = 30

[mcp_servers.task-orchestrator.env]
MINE = "1" # keep
ORCHESTRATOR_HOME = "/old"

[mcp_servers.task-orchestrator.tools.x]
approval_mode = "approve"
"""
    style = Style(section="mcp_servers", is_toml=True)
    edits = changes(documents.entry_in(text, style), stdio_entry(COMMAND, style), style.path)
    expected = (
        text.replace('"old"', '"/venv/bin/python"')
        .replace('["a"]', '["/app/manage.py", "mcp_serve"]')
        .replace('"/old"', '"/data"')
    )
    assert documents.changed(text, style, edits) == expected


def test_a_byte_order_mark_is_kept() -> None:
    changed = documents.changed('\ufeff{"a": 1}', Style(), [(("a",), 2)])
    assert changed == '\ufeff{"a": 2}'


def test_an_object_store_is_configured_with_its_secret_as_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (
        ("ORCHESTRATOR_CONTENT_URL", "s3://bucket/content"),
        ("AWS_ENDPOINT_URL_S3", "http://minio.example"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
    ):
        monkeypatch.setenv(name, value)
    written = stdio_entry(this_installation(), Style(reference="${%s}"))["env"]
    assert written["ORCHESTRATOR_CONTENT_URL"] == "s3://bucket/content"
    assert written["AWS_ENDPOINT_URL_S3"] == "http://minio.example"
    assert written["AWS_SECRET_ACCESS_KEY"] == "${AWS_SECRET_ACCESS_KEY}"
    monkeypatch.delenv("ORCHESTRATOR_CONTENT_URL")
    assert not any(name.startswith("AWS") for name in stdio_entry(this_installation(), Style())["env"])
