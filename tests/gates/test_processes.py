"""Real processes: one completes a task while another shows or waives what its gates ask for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, environment

GATES, TRIES = 12, 10_000
MADE = f"""
import django; django.setup()
from tests.gates.given import claimed, gated, person
gates = [{{"kind": "report", "name": f"gate-{{number}}"}} for number in range({GATES})]
task = gated(*gates, public_id="task_0000000a")
claimed(task, person("complete"))
"""
FACTS = """
import json, django; django.setup()
from collections import Counter
from tasks.models import Event, Evidence, Task, Waiver
from tasks.selectors.gates import gates_on
task = Task.objects.get(public_id="task_0000000a")
verbs = Counter(Event.objects.filter(task=task).values_list("verb", flat=True))
print(json.dumps({
    "status": task.status, "met": all(state.met for state in gates_on(task)), "missed": verbs["miss_gate"],
    "completed": verbs["complete"], "evidence": Evidence.objects.count(), "waivers": Waiver.objects.count(),
}))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a data folder with a task that is held, with many gates."""
    home = make_home(tmp_path / "home")
    _python(home, MADE)
    return home


def _python(home: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(home, trial=False), check=True, capture_output=True
    )
    return done.stdout.decode()


def _start(home: Path, what: str, count: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.gates.worker", "task_0000000a", what, str(count)],
        cwd=ROOT,
        env=environment(home, trial=False),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def _begin(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def _lines(process: subprocess.Popen[str]) -> list[str]:
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    came: list[str] = json.loads(out)
    return came


@pytest.mark.parametrize("what", ["waive", "evidence"])
def test_a_task_is_completed_once_and_only_with_every_gate_met(home: Path, what: str) -> None:
    completing, showing = _start(home, "complete", TRIES), _start(home, what, GATES)
    _begin(completing)
    _begin(showing)
    shown, tried = _lines(showing), _lines(completing)
    assert shown == ["done"] * GATES
    assert tried[-1] == "completed" and set(tried[:-1]) <= {"not_ready"}
    facts = json.loads(_python(home, FACTS))
    assert facts["status"] == "completed" and facts["met"]
    assert (facts["completed"], facts["missed"]) == (1, len(tried) - 1)
    assert facts[{"waive": "waivers", "evidence": "evidence"}[what]] == GATES
