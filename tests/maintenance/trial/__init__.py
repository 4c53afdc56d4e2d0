"""Jobs for a real cluster, which the tests steer by files in its data folder."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

DAY = timedelta(days=1)
TIMEOUTS = {
    **dict.fromkeys(("fail", "note", "wait"), timedelta(minutes=1)),
    **dict.fromkeys(("hang", "hang_on"), timedelta(seconds=1)),
    **{f"note_{number}": timedelta(minutes=1) for number in range(12)},
}
"""The jobs by name."""


def note(home: Path, name: str) -> None:
    """Write down that a process began something."""
    with (home / "began").open("a") as file:
        file.write(f"{name} {os.getpid()}\n")


def began(home: Path, name: str) -> list[int]:
    """Return the processes that began something."""
    lines = (home / "began").read_text().splitlines() if (home / "began").exists() else []
    return [int(line.split()[1]) for line in lines if line.split()[0] == name]


def wait(home: Path) -> None:
    """Wait until the test lets it go on."""
    while not (home / "go").exists():
        time.sleep(0.02)
