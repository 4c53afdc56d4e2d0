"""The supported assistants: where each keeps its configuration, and the format of an entry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator_site.connect.machine import Machine
from orchestrator_site.kernel.errors import NotFound

SERVER = "task-orchestrator"
"""The name of our entry in every configuration file."""


@dataclass(frozen=True, slots=True)
class Style:
    """The format of an entry. An empty `url` means that the client only supports commands.

    `reference` is the client's syntax for an environment variable; empty if it has none.
    """

    section: str = "mcpServers"
    is_toml: bool = False
    stdio: dict[str, str] = field(default_factory=dict)
    http: dict[str, str] = field(default_factory=dict)
    url: str = "url"
    headers: str = "headers"
    reference: str = ""

    @property
    def path(self) -> tuple[str, ...]:
        return (self.section, SERVER)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A configuration file of a client; it may not exist yet."""

    path: Path
    style: Style
    project: Path | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """An assistant. `user_files` returns its possible user-level files, the usual one first."""

    name: str
    title: str
    user_files: Callable[[Machine], list[ConfigFile]]
    afterwards: str
    project_file: tuple[str, Style] | None = None
    commands: tuple[str, ...] = ()

    def is_installed(self, machine: Machine) -> bool:
        path = machine.environ.get("PATH", "")
        return any(shutil.which(name, path=path) for name in self.commands) or any(
            _exists(config_file) for config_file in self.user_files(machine)
        )

    def config_files(self, machine: Machine, project: Path | None = None) -> list[ConfigFile]:
        """Return the files to change: the project's, or every user-level file whose folder exists."""
        if project is not None and self.project_file:
            name, style = self.project_file
            return [ConfigFile(project / name, style, project)]
        known = self.user_files(machine)
        return [config_file for config_file in known if _exists(config_file)] or known[:1]


def _exists(config_file: ConfigFile) -> bool:
    """Check the file, or the folder the client creates on its first run. The home folder always exists."""
    return config_file.path.exists() or (config_file.path.parent.is_dir() and config_file.path.name != ".claude.json")


# Each as documented by the vendor.
_CLAUDE_CODE = Style(stdio={"type": "stdio"}, http={"type": "http"}, reference="${%s}")
_CLAUDE_DESKTOP = Style(url="")
_CURSOR = Style(reference="${env:%s}")
_WINDSURF = Style(url="serverUrl", reference="${env:%s}")
_DEVIN = Style(http={"transport": "http"})
_VSCODE = Style(section="servers", stdio={"type": "stdio"}, http={"type": "http"}, reference="${env:%s}")
_CODEX = Style(section="mcp_servers", is_toml=True, headers="http_headers", reference="env_vars")
_GEMINI = Style(url="httpUrl", reference="$%s")


def _claude_code(machine: Machine) -> list[ConfigFile]:
    """CLAUDE_CONFIG_DIR moves the file; early versions' `.config.json` still takes precedence if it exists."""
    folder = machine.folder("CLAUDE_CONFIG_DIR", machine.home / ".claude")
    legacy = folder / ".config.json"
    usual = machine.folder("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json"
    return [ConfigFile(legacy if legacy.is_file() else usual, _CLAUDE_CODE)]


def _claude_desktop(machine: Machine) -> list[ConfigFile]:
    """The packaged Windows app reads settings only from its own folder."""
    local = machine.folder("LOCALAPPDATA", machine.home / "AppData" / "Local")
    packaged = local.glob("Packages/Claude_*/LocalCache/Roaming") if machine.is_windows else ()
    folders = [*sorted(packaged), machine.application_data]
    return [ConfigFile(folder / "Claude" / "claude_desktop_config.json", _CLAUDE_DESKTOP) for folder in folders]


def _windsurf(machine: Machine) -> list[ConfigFile]:
    """Renamed Devin Desktop in June 2026, with another file; both may exist."""
    devin = machine.application_data if machine.is_windows else machine.home / ".config"
    return [
        ConfigFile(machine.home / ".codeium" / "windsurf" / "mcp_config.json", _WINDSURF),
        ConfigFile(devin / "devin" / "mcp_config.json", _DEVIN),
    ]


CLIENTS = (
    Client(
        "claude-code",
        "Claude Code",
        _claude_code,
        project_file=(".mcp.json", _CLAUDE_CODE),
        commands=("claude",),
        afterwards="Start a new Claude Code session; /mcp shows the server.",
    ),
    Client(
        "claude-desktop",
        "Claude Desktop",
        _claude_desktop,
        commands=("claude-desktop",),
        afterwards="Quit Claude Desktop completely and restart it.",
    ),
    Client(
        "cursor",
        "Cursor",
        lambda machine: [ConfigFile(machine.home / ".cursor" / "mcp.json", _CURSOR)],
        project_file=(".cursor/mcp.json", _CURSOR),
        commands=("cursor", "cursor-agent"),
        afterwards="Cursor picks it up immediately; Settings > MCP shows the server.",
    ),
    Client(
        "windsurf",
        "Windsurf (Devin Desktop)",
        _windsurf,
        project_file=(".devin/mcp_config.json", _DEVIN),
        commands=("windsurf", "devin"),
        afterwards="Refresh the list of MCP servers.",
    ),
    Client(
        "vscode",
        "VS Code",
        lambda machine: [
            ConfigFile(machine.application_data / edition / "User" / "mcp.json", _VSCODE)
            for edition in ("Code", "Code - Insiders")
        ],
        project_file=(".vscode/mcp.json", _VSCODE),
        commands=("code", "code-insiders"),
        afterwards="Run “MCP: List Servers” from the command palette and start the server.",
    ),
    Client(
        "codex",
        "Codex",
        lambda machine: [ConfigFile(machine.folder("CODEX_HOME", machine.home / ".codex") / "config.toml", _CODEX)],
        project_file=(".codex/config.toml", _CODEX),
        commands=("codex",),
        afterwards="Start a new Codex session; a project's own file applies once you trust the project.",
    ),
    Client(
        "gemini",
        "Gemini CLI",
        lambda machine: [
            ConfigFile(machine.folder("GEMINI_CLI_HOME", machine.home) / ".gemini" / "settings.json", _GEMINI)
        ],
        project_file=(".gemini/settings.json", _GEMINI),
        commands=("gemini",),
        afterwards="Restart Gemini CLI in a trusted folder; /mcp shows the server.",
    ),
)


def names() -> list[str]:
    return [client.name for client in CLIENTS]


def get_client(name: str) -> Client:
    if found := next((client for client in CLIENTS if client.name == name), None):
        return found
    raise NotFound(f"Unknown assistant: {name!r}", next=f"Choose one of {', '.join(names())}.")
