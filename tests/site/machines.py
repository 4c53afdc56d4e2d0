"""Made-up homes of people on three platforms."""

from __future__ import annotations

from pathlib import Path

from orchestrator_site.connect.clients import client_named
from orchestrator_site.connect.machine import Machine

PLATFORMS = ("linux", "darwin", "win32")


def machine_at(home: Path, platform: str = "linux", **environ: str) -> Machine:
    """Return a machine on which nothing is installed, with no programs to be found."""
    home.mkdir(parents=True, exist_ok=True)
    return Machine(platform, home, {"PATH": "", **environ})


def file_of(client: str, machine: Machine, project: Path | None = None) -> Path:
    """Return the first file that would be changed for a client."""
    return client_named(client).places(machine, project)[0].path


def install(client: str, machine: Machine) -> Path:
    """Make the folder of a client, as it does when it first runs, and return its file."""
    path = file_of(client, machine)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
