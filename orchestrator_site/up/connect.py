"""The commands to paste that connect an assistant."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from django.conf import settings

from orchestrator_site.connect.clients import names
from orchestrator_site.connect.entries import is_secret, store_variables


def claude_code_line() -> str:
    """Return Claude Code's own command for this installation; it works from any folder.

    It passes on the variables that lead to this site's data; secrets by reference.
    """
    command = quote([sys.executable, str(settings.BASE_DIR / "manage.py"), "mcp_serve"])
    words = ["claude mcp add"]
    if os.environ.get("ORCHESTRATOR_HOME"):
        words += ["--env", quote([f"ORCHESTRATOR_HOME={settings.ORCHESTRATOR_HOME.resolve()}"])]
    if os.environ.get("DATABASE_URL"):
        words += ["--env", _reference("DATABASE_URL")]
    for name, value in store_variables().items():
        words += ["--env", _reference(name) if is_secret(name, value) else quote([f"{name}={value}"])]
    # `--env` takes every word up to the next option, so `--scope` has to follow it.
    return " ".join([*words, "--scope user task-orchestrator --", command])


def connect_line(client: str = "CLIENT") -> str:
    """Return our command for an assistant, or for the user to complete.

    It is pasted into another terminal, so it sets ORCHESTRATOR_HOME if that is set here.
    """
    words = [sys.executable, str(settings.BASE_DIR / "manage.py"), "connect"]
    if os.environ.get("ORCHESTRATOR_HOME") and os.name != "nt":
        words = ["env", f"ORCHESTRATOR_HOME={settings.ORCHESTRATOR_HOME.resolve()}", *words]
    return f"{quote(words)} {client}"


def connect_help() -> str:
    return f"{connect_line()}   ({', '.join(names())})\n  or, for Claude Code over stdio: {claude_code_line()}"


def _reference(variable: str) -> str:
    return f'"{variable}=%{variable}%"' if os.name == "nt" else f'"{variable}=${variable}"'


def quote(words: list[str]) -> str:
    return subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
