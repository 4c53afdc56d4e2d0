"""Runs of the fake agent, each checked to leave nothing behind."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.agents.processes import Jail, Process, end, is_alive, probe_jail, read, start, strays
from tests.site.processes import wait_until

AGENT = Path(__file__).with_name("fake_agent.py")
JAILED = pytest.param(True, marks=pytest.mark.skipif(bool(probe_jail()), reason=str(probe_jail())), id="jailed")
EACH_WAY = pytest.mark.parametrize("jailed", [pytest.param(False, id="free"), JAILED])

Run = Callable[..., Process]
_numbers = itertools.count()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Return a function that starts the fake agent with what it shall do; end what is left of it."""
    started: list[Process] = []

    def start_one(*acts: str, jailed: bool = False, **options: Any) -> Process:
        number = next(_numbers)
        folder = tmp_path / f"run_{number}"
        make_alive(folder)
        started.append(start(**job(f"run_test_{os.getpid()}_{number}", folder, *acts, jailed=jailed) | options))
        return started[-1]

    yield start_one
    for process in started:
        end(process, grace=0)
        assert_nothing_left(process)


def job(run_id: str, folder: Path, *acts: str, jailed: bool = False) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "folder": folder,
        "argv": [sys.executable, "-I", "-S", str(AGENT), str(folder), *acts],
        "environment": {"PATH": os.environ["PATH"]},
        "cwd": folder / "outbox",
        "jail": Jail(read_only=(str(AGENT.parent),)) if jailed else None,
    }


def make_alive(folder: Path) -> None:
    (folder / "outbox").mkdir(parents=True)
    os.mkfifo(folder / "outbox" / "alive")


def is_anyone_left(process: Process) -> bool:
    """Tell whether any process of the agent still holds its FIFO open."""
    reader = os.open(Path(process.folder, "outbox", "alive"), os.O_RDONLY | os.O_NONBLOCK)
    try:
        return bool(os.read(reader, 1))
    except BlockingIOError:
        return True
    finally:
        os.close(reader)


def assert_nothing_left(process: Process) -> None:
    assert strays([process.run_id]) == []
    assert not is_alive(process)
    assert not is_anyone_left(process)


def said(process: Process) -> list[str]:
    return [line.decode() for line in read(process, 0).lines]


def wait_for(process: Process, line: str) -> None:
    wait_until(lambda: line in said(process), f"{line!r} of the agent")
