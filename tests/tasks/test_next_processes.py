"""Real processes that claim the best ready task at the same time."""

from __future__ import annotations

from pathlib import Path

from tests.homes import make_home
from tests.tasks.test_resources_processes import ask, go, run, says, started

TASKS = 30
RANKED = """
from datetime import UTC, datetime
from random import Random
from tasks.choices import Priority
from tasks.models import Task
from tests.factories import make_plan, make_project
chance, project = Random(1), make_project("shop")
for _ in range(3):
    make_plan(project, {size})
leaves = list(Task.objects.leaves())
chance.shuffle(leaves)
for number, task in enumerate(leaves):
    chosen = chance.choice(Priority.values)
    due = datetime(2027, 1, chance.randrange(1, 4), tzinfo=UTC)
    Task.objects.filter(pk=task.pk).update(priority=chosen, due_at=due, chain=1 + number, is_ready=True)
"""


def test_no_task_is_handed_out_twice_and_the_order_holds(tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    run(home, RANKED.format(size=TASKS // 3))
    ranked = ask(home, "SELECT id FROM tasks_task WHERE is_leaf ORDER BY priority DESC, due_at, chain DESC")
    processes = [started(home, f"worker-{number}") for number in range(2)]
    for process in processes:
        says(process, "ready")
    for process in processes:
        go(process)
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
    claims = ask(home, "SELECT task_id FROM tasks_event WHERE verb = 'claim' ORDER BY id")
    assert len(ranked) == TASKS and claims == ranked
