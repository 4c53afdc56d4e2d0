"""Real processes that need the same resource at once, and one that is killed while it holds it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.homes import make_home
from tests.mcp.stdio_client import ROOT, environment

TASKS = 20
PROCESSES = 8
CAPACITY = 2


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a data folder with a plan whose tasks all need one resource."""
    home = make_home(tmp_path / "home")
    run(
        home,
        "from tests.factories import make_project, make_resource\n"
        "from tests.tasks.test_resources import planned\n"
        "project = make_project('shop')\n"
        f"make_resource(project, capacity={CAPACITY})\n"
        f"planned(project, *[('staging',)] * {TASKS})\n",
    )
    return home


def run(home: Path, code: str) -> None:
    whole = f"import django; django.setup()\n{code}"
    subprocess.run([sys.executable, "-c", whole], cwd=ROOT, env=environment(home, trial=False), check=True)


def started(home: Path, name: str, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tasks.holder", name, *more],
        cwd=ROOT, env=environment(home, trial=False), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin
    process.stdin.write("go\n")
    process.stdin.flush()


def says(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout and process.stdout.readline() == f"{word}\n"


def ask(home: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(next(home.glob("*.sqlite3")))) as database, database:
        return database.execute(sql).fetchall()


def held_at_most(home: Path) -> int:
    """Return how many tasks were in hand at once: the events of a database have the order of its transactions."""
    held = most = 0
    for verb, _ in changes(home):
        held += 1 if verb == "claim" else -1
        most = max(most, held)
    assert held == 0
    return most


def changes(home: Path) -> Iterator[tuple[str, dict[str, int]]]:
    verbs = "('claim', 'complete', 'release')"
    rows = ask(home, f"SELECT verb, after FROM tasks_event WHERE verb IN {verbs} ORDER BY id")
    for verb, after in rows:
        yield str(verb), json.loads(str(after)).get("resources", {})


def test_never_more_hold_a_resource_than_may_and_everything_gets_done(home: Path) -> None:
    processes = [started(home, f"worker-{number}") for number in range(PROCESSES)]
    for process in processes:
        says(process, "ready")
    for process in processes:
        go(process)
    done = 0
    for process in processes:
        printed, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        done += int(printed)
    assert done == TASKS
    assert held_at_most(home) <= CAPACITY
    numbers = [each["staging"] for verb, each in changes(home) if verb == "claim"]
    assert numbers == list(range(1, TASKS + 1))
    assert ask(home, "SELECT held FROM tasks_resource") == [(0,)]
    assert ask(home, "SELECT count(*) FROM tasks_resourcehold") == [(0,)]
    assert ask(home, "SELECT count(*), min(outcome), max(outcome) FROM tasks_attempt") == [
        (TASKS, "complete", "complete")
    ]


def test_what_a_killed_holder_held_is_free_when_its_lease_is_over(home: Path) -> None:
    lost = started(home, "lost", "keep")
    says(lost, "ready")
    go(lost)
    says(lost, "holding")
    lost.kill()
    lost.communicate(timeout=60)
    assert ask(home, "SELECT held FROM tasks_resource") == [(1,)]
    ask(home, "UPDATE tasks_task SET lease_expires_at = '2020-01-01 00:00:00' WHERE lease_expires_at IS NOT NULL")
    other = started(home, "other")
    says(other, "ready")
    go(other)
    printed, errors = other.communicate(timeout=120)
    assert (int(printed), errors) == (TASKS, "")
    assert held_at_most(home) <= CAPACITY
    assert ask(home, "SELECT held FROM tasks_resource") == [(0,)]
    assert ask(home, "SELECT outcome, count(*) FROM tasks_attempt GROUP BY outcome ORDER BY outcome") == [
        ("complete", TASKS),
        ("release", 1),
    ]
