"""Real processes: several prepare handovers of one project at the same time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, environment

PROCESSES, EACH = 3, 8


def test_each_handover_has_a_number_of_its_own(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    made = "import django; django.setup()\nfrom tests.factories import *\nmake_plan(make_project('shop'), 20)\n"
    subprocess.run([sys.executable, "-c", made], cwd=ROOT, env=environment(home, trial=False), check=True)
    command = [sys.executable, "-m", "tests.maintenance.preparer", "shop", str(EACH)]
    started = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment(home, trial=False),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in started:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0] * PROCESSES
    numbers = [int(line) for answer in answers for line in answer.split()]
    assert len(numbers) == PROCESSES * EACH
    assert set(numbers) == set(range(1, max(numbers) + 1))
