"""Real processes: several learn the same events at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, environment

LEARNERS, PLANS, TASKS = 3, 12, 8
PLANNED = f"""
import django; django.setup()
from tests.factories import make_project
from tests.insights.teaching import history, planned
project = make_project("shop")
for number in range({PLANS}):
    planned(project, *history(f"Build thing {{number}}", "implementer", {TASKS}))
"""
COUNTED = """
import json, django; django.setup()
from tasks.insights.models import Lesson, Score, SpecialistCount, WordCount
print(json.dumps({
    "lessons": Lesson.objects.count(),
    "tasks": SpecialistCount.objects.get().tasks,
    "words": WordCount.objects.get(word="thing").count,
    "scored": sum(Score.objects.filter(method="rules").values_list("n", flat=True)),
}))
"""


def test_each_task_is_counted_once_however_many_learn(tmp_path: Path) -> None:
    environ = environment(make_home(tmp_path / "home"), trial=False)
    subprocess.run([sys.executable, "-c", PLANNED], cwd=ROOT, env=environ, check=True)
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.insights.learner", "shop"],
            cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(LEARNERS)
    ]  # fmt: skip
    assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * LEARNERS
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    steps = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(steps) == PLANS * (TASKS + 1)
    found = subprocess.run(
        [sys.executable, "-c", COUNTED], cwd=ROOT, env=environ, check=True, capture_output=True, text=True
    )
    number = PLANS * TASKS
    assert json.loads(found.stdout) == {"lessons": number, "tasks": number, "words": number, "scored": number}
