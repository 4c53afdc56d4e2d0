"""How an assistant's proxy introduces itself to the site on this machine: what both ends have to agree on.

Standard library only, like the proxy itself.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from orchestrator_site import __version__
from orchestrator_site.kernel.processes import ROOT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The only variables of the client's environment that are read: they name its project.
CLIENT_VARIABLES = ("ORCHESTRATOR_PROJECT_DIR", "CLAUDE_PROJECT_DIR", "VSCODE_CWD", "CURSOR_CWD", "WINDSURF_CWD")
# What no worker heeds. Any other variable of ours has to be the same for the site, or a worker would do other things.
_NOT_HEEDED = frozenset(
    f"ORCHESTRATOR_{name}"
    for name in (
        *("HOME", "PROJECT_DIR", "CONNECTION_ID", "CLIENT_DIRECTORY", "TRIAL", "WIRE"),
        *("TLS", "DEBUG", "ALLOWED_HOSTS", "TRUSTED_ORIGINS", "TOOLSETS", "WORKERS", "BACKUPS", "LOG_LEVEL"),
    )
)
_HEEDED = ("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "GIT_CEILING_DIRECTORIES")
FOLDER, SOCKET = "service", "assistants"
"""In the data folder: a folder that only its owner may enter, and the socket in it."""
LISTENER = "orchestrator.listener"
"""Where the state of the web server's lifespan holds that socket, if there is one."""
# What an address may have at least, on any system; Linux reaches a longer one by the descriptor of its folder.
_LONGEST_ADDRESS = 100


def data_folder() -> str:
    """Return the data folder as the settings do, without what they import."""
    if given := os.environ.get("ORCHESTRATOR_HOME"):
        return os.path.expanduser(given)  # noqa: PTH111 - pathlib is slow to import
    usual = "~/Library/Application Support" if sys.platform == "darwin" else "~/.local/share"
    base = os.environ.get("XDG_DATA_HOME", "").strip() or usual
    return os.path.join(os.path.expanduser(base), "mcp-task-orchestrator")  # noqa: PTH111, PTH118


def heeded(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that decide what a worker does."""
    prefixes = ("ORCHESTRATOR_", "AWS_") if environ.get("ORCHESTRATOR_CONTENT_URL") else ("ORCHESTRATOR_",)
    return {
        name: value
        for name, value in environ.items()
        if value and (name in _HEEDED or (name.startswith(prefixes) and name not in _NOT_HEEDED))
    }


def installation() -> str:
    return f"{__version__} in {os.path.realpath(ROOT)}"


def introduction(home: str, connection_id: str, toolsets: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "installation": installation(),
        "home": os.path.realpath(home),
        "connection_id": connection_id,
        "toolsets": [name.strip() for name in toolsets.split(",") if name.strip()],
        "environ": {name: os.environ[name] for name in CLIENT_VARIABLES if os.environ.get(name)},
        "settings": heeded(os.environ),
    }
    try:
        facts["directory"] = os.getcwd()  # noqa: PTH109
        facts["directory_identity"] = identity(".")
    except FileNotFoundError:  # it is gone
        facts["directory"], facts["directory_identity"] = "", None
    return facts


def identity(directory: str) -> list[int]:
    """Return what tells a directory from others, also from one under the same path in a container."""
    found = os.stat(directory)  # noqa: PTH116
    return [found.st_dev, found.st_ino]


@contextmanager
def address(folder: str) -> Iterator[str]:
    """Yield the path of the socket in a folder, which is short enough while the context is entered. Raises OSError."""
    path = os.path.join(folder, SOCKET)  # noqa: PTH118
    if sys.platform != "linux" or len(os.fsencode(path)) < _LONGEST_ADDRESS:
        yield path
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}/{SOCKET}"
    finally:
        os.close(descriptor)
