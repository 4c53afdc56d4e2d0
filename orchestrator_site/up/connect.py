"""The commands that connect an assistant: our own, and for Claude Code its own over stdio."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from django.conf import settings

from orchestrator_site.connect.clients import names
from orchestrator_site.connect.entries import is_secret, store_variables


def claude_code_line() -> str:
    """Return the command to paste. It names this very installation, so it works from any folder."""
    quoted = quote([sys.executable, str(settings.BASE_DIR / "manage.py"), "mcp_serve"])
    return " ".join(["claude mcp add", *_environment(), "--scope user task-orchestrator --", quoted])


def connect_line(client: str = "CLIENT") -> str:
    """Return our command that connects an assistant."""
    # It is pasted into another terminal, which does not know the data folder of this site.
    words = [sys.executable, str(settings.BASE_DIR / "manage.py"), "connect"]
    if os.environ.get("ORCHESTRATOR_HOME") and os.name != "nt":
        words = ["env", f"ORCHESTRATOR_HOME={settings.ORCHESTRATOR_HOME.resolve()}", *words]
    return f"{quote(words)} {client}"


def connect_help() -> str:
    """Return both commands for the greeting of `up`, with the names of the assistants."""
    return f"{connect_line()}   ({', '.join(names())})\n  or, for Claude Code over stdio: {claude_code_line()}"


def _environment() -> list[str]:
    """Return options with the variables by which the assistant finds the same data; a secret goes by name.

    `--env` takes every word up to the next option, so these come before `--scope`.
    """
    words = []
    if os.environ.get("ORCHESTRATOR_HOME"):
        words += ["--env", quote([f"ORCHESTRATOR_HOME={settings.ORCHESTRATOR_HOME.resolve()}"])]
    if os.environ.get("DATABASE_URL"):
        words += ["--env", _by_name("DATABASE_URL")]
    for name, value in store_variables().items():
        words += ["--env", _by_name(name) if is_secret(name, value) else quote([f"{name}={value}"])]
    return words


def _by_name(variable: str) -> str:
    return f'"{variable}=%{variable}%"' if os.name == "nt" else f'"{variable}=${variable}"'


def quote(words: list[str]) -> str:
    """Quote words for the shell of this system."""
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
