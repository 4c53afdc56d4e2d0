"""The assistants that can be connected: where each keeps its configuration, and how it writes an entry there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator_site.connect.machine import Machine
from orchestrator_site.kernel.errors import NotFound

SERVER = "task-orchestrator"
"""The name of our entry in every configuration."""


@dataclass(frozen=True, slots=True)
class Style:
    """How an entry is written. An empty `url` means that the file takes no addresses, only commands.

    `reference` is how the client writes "the value of this variable", empty where it has no way to.
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
        """Where our entry stands in the file."""
        return (self.section, SERVER)


@dataclass(frozen=True, slots=True)
class Place:
    """One configuration file of a client, whether it exists or not."""

    path: Path
    style: Style
    project: Path | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """One assistant. `user_places` lists where it may keep the user's configuration, the usual place first."""

    name: str
    title: str
    user_places: Callable[[Machine], list[Place]]
    project_file: str = ""
    project_style: Style | None = None
    commands: tuple[str, ...] = ()
    afterwards: str = ""

    def is_installed(self, machine: Machine) -> bool:
        """Tell whether anything of the client is on this machine."""
        return machine.has_command(*self.commands) or any(_is_there(place) for place in self.user_places(machine))

    def places(self, machine: Machine, project: Path | None = None) -> list[Place]:
        """Return the files to change: the project's where there is one, else every one whose folder exists."""
        if project is not None and self.project_file and self.project_style:
            return [Place(project / self.project_file, self.project_style, project)]
        known = self.user_places(machine)
        return [place for place in known if _is_there(place)] or known[:1]


def _is_there(place: Place) -> bool:
    """A client makes its folder when it first runs; the home folder itself proves nothing."""
    return place.path.exists() or (place.path.parent.is_dir() and place.path.name != ".claude.json")


# The styles, each as its maker's documentation gives it.
_CLAUDE_CODE = Style(stdio={"type": "stdio"}, http={"type": "http"}, reference="${%s}")
_CLAUDE_DESKTOP = Style(url="")
_CURSOR = Style(reference="${env:%s}")
_WINDSURF = Style(url="serverUrl", reference="${env:%s}")
_DEVIN = Style(http={"transport": "http"})
_VSCODE = Style(section="servers", stdio={"type": "stdio"}, http={"type": "http"}, reference="${env:%s}")
_CODEX = Style(section="mcp_servers", is_toml=True, headers="http_headers", reference="env_vars")
_GEMINI = Style(url="httpUrl", reference="$%s")


def _claude_code(machine: Machine) -> list[Place]:
    """CLAUDE_CONFIG_DIR moves the file; a `.config.json` of early versions still counts where it is there."""
    folder = machine.folder("CLAUDE_CONFIG_DIR", machine.home / ".claude")
    early = folder / ".config.json"
    usual = machine.folder("CLAUDE_CONFIG_DIR", machine.home) / ".claude.json"
    return [Place(early if early.is_file() else usual, _CLAUDE_CODE)]


def _claude_desktop(machine: Machine) -> list[Place]:
    """The packaged program of Windows reads its settings in a folder of its own, and the other one not at all."""
    usual = machine.application_data
    packaged = machine.local_data.glob("Packages/Claude_*/LocalCache/Roaming") if machine.is_windows else ()
    folders = [*sorted(packaged), usual]
    return [Place(folder / "Claude" / "claude_desktop_config.json", _CLAUDE_DESKTOP) for folder in folders]


def _cursor(machine: Machine) -> list[Place]:
    return [Place(machine.home / ".cursor" / "mcp.json", _CURSOR)]


def _windsurf(machine: Machine) -> list[Place]:
    """Since June 2026 it is called Devin Desktop and reads another file; both may be there."""
    devin = machine.application_data if machine.is_windows else machine.home / ".config"
    return [
        Place(machine.home / ".codeium" / "windsurf" / "mcp_config.json", _WINDSURF),
        Place(devin / "devin" / "mcp_config.json", _DEVIN),
    ]


def _vscode(machine: Machine) -> list[Place]:
    editions = ("Code", "Code - Insiders")
    return [Place(machine.application_data / edition / "User" / "mcp.json", _VSCODE) for edition in editions]


def _codex(machine: Machine) -> list[Place]:
    return [Place(machine.folder("CODEX_HOME", machine.home / ".codex") / "config.toml", _CODEX)]


def _gemini(machine: Machine) -> list[Place]:
    return [Place(machine.folder("GEMINI_CLI_HOME", machine.home) / ".gemini" / "settings.json", _GEMINI)]


CLIENTS = (
    Client(
        "claude-code",
        "Claude Code",
        _claude_code,
        project_file=".mcp.json",
        project_style=_CLAUDE_CODE,
        commands=("claude",),
        afterwards="Start a new session of Claude Code; /mcp shows the server.",
    ),
    Client(
        "claude-desktop",
        "Claude Desktop",
        _claude_desktop,
        commands=("claude-desktop",),
        afterwards="Quit Claude Desktop wholly and start it again.",
    ),
    Client(
        "cursor",
        "Cursor",
        _cursor,
        project_file=".cursor/mcp.json",
        project_style=_CURSOR,
        commands=("cursor", "cursor-agent"),
        afterwards="Cursor reads it at once; Settings, MCP shows the server.",
    ),
    Client(
        "windsurf",
        "Windsurf (Devin Desktop)",
        _windsurf,
        project_file=".devin/mcp_config.json",
        project_style=_DEVIN,
        commands=("windsurf", "devin"),
        afterwards="Press refresh in the list of MCP servers.",
    ),
    Client(
        "vscode",
        "VS Code",
        _vscode,
        project_file=".vscode/mcp.json",
        project_style=_VSCODE,
        commands=("code", "code-insiders"),
        afterwards="Run “MCP: List Servers” from the command palette and start it.",
    ),
    Client(
        "codex",
        "Codex",
        _codex,
        project_file=".codex/config.toml",
        project_style=_CODEX,
        commands=("codex",),
        afterwards="Start a new session of Codex; a project's own file counts once you trust the project.",
    ),
    Client(
        "gemini",
        "Gemini CLI",
        _gemini,
        project_file=".gemini/settings.json",
        project_style=_GEMINI,
        commands=("gemini",),
        afterwards="Start Gemini CLI again, in a folder that it trusts; /mcp shows the server.",
    ),
)


def names(clients: Iterable[Client] = CLIENTS) -> list[str]:
    """Return the names under which clients are connected."""
    return [client.name for client in clients]


def client_named(name: str) -> Client:
    """Return the client of that name; raises NotFound."""
    for client in CLIENTS:
        if client.name == name:
            return client
    raise NotFound(f"No assistant is called {name!r} here.", next=f"There are {', '.join(names())}.")
