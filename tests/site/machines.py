"""Fake home folders on three platforms."""

from __future__ import annotations

from pathlib import Path

from orchestrator_site.connect.clients import get_client
from orchestrator_site.connect.machine import Machine

PLATFORMS = ("linux", "darwin", "win32")


def machine_at(home: Path, platform: str = "linux", **environ: str) -> Machine:
    """Return a machine with nothing installed and an empty PATH."""
    home.mkdir(parents=True, exist_ok=True)
    return Machine(platform, home, {"PATH": "", **environ})


def file_of(client: str, machine: Machine, project: Path | None = None) -> Path:
    """Return the first file that would be changed for a client."""
    return get_client(client).config_files(machine, project)[0].path


def install(client: str, machine: Machine) -> Path:
    """Create a client's folder, as its first run does, and return its file."""
    path = file_of(client, machine)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
