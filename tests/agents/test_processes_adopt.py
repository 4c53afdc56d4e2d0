"""A run survives the supervisor that started it, and the next one goes on with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tasks.agents.processes import Process, end, is_alive, keeper, read
from tests.agents.runs import assert_nothing_left, make_alive, said, wait_for
from tests.site.processes import ROOT

SUPERVISOR = [sys.executable, "-m", "tests.agents.supervisor"]


def supervise(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen([*SUPERVISOR, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)


@pytest.fixture
def orphaned(tmp_path: Path) -> Iterator[Process]:
    """A run with a daemon that echoes its input, whose supervisor was killed with all of its group."""
    make_alive(tmp_path / "run")
    with supervise("start", str(tmp_path / "run"), "daemon", "echo", "leave") as supervisor:
        assert supervisor.stdout
        process = Process(**json.loads(supervisor.stdout.readline()))
        wait_for(process, "did daemon")
        os.killpg(supervisor.pid, signal.SIGKILL)
    yield process
    end(process, grace=0)
    assert_nothing_left(process)


def adopt(process: Process, offset: int) -> str:
    """Have another supervisor go on with a run from an offset of its log; return what that says."""
    with supervise("adopt", process.folder, json.dumps(asdict(process)), str(offset)) as adopter:
        return adopter.communicate(timeout=100)[0]


def test_a_run_outlives_its_supervisor(orphaned: Process) -> None:
    assert is_alive(orphaned)


def test_another_process_adopts_the_run_and_ends_it(orphaned: Process) -> None:
    offset = read(orphaned, 0).next_offset

    answer = adopt(orphaned, offset)

    heard = "heard from the next supervisor, 25 long"
    assert json.loads(answer) == [0, [heard, "input ended", "did echo"], 1]
    assert_nothing_left(orphaned)


def test_the_exit_code_is_known_to_a_supervisor_that_comes_after_the_exit(orphaned: Process) -> None:
    adopt(orphaned, 0)

    assert end(orphaned).exit_code == 0
    assert said(orphaned)[-1] == "did echo"


def test_a_keeper_whose_supervisor_is_killed_before_it_has_the_job_starts_nothing(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-I", "-S", keeper.__file__], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True
    )

    assert result.returncode == 1
    assert result.stdout == b""
    assert list(tmp_path.iterdir()) == []
