"""Real processes: who archives, claims, edits or purges the same plan at the same time, and who is killed between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as site
from django.utils import timezone
from pytest_django import Settings

from maintenance.exports import zipped
from maintenance.models import Tombstone
from maintenance.services.import_plan import import_plan
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tasks.services.archive import restore
from tests.assistants import Assistant
from tests.factories import make_artifact, make_plan, make_project
from tests.site.processes import shared_database

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 8
OVER = 150  # plans that can be archived


def start(what: str, task: Task, *more: str) -> subprocess.Popen[str]:
    home = {**shared_database(), "ORCHESTRATOR_HOME": str(site.ORCHESTRATOR_HOME)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.maintenance.purger", what, task.public_id, *more],
        cwd=site.BASE_DIR, env={**os.environ, **home}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout and process.stdout.readline() == "ready\n"
    return process


def together(processes: list[subprocess.Popen[str]]) -> list[str]:
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.stdout.readline().strip() for process in processes if process.stdout]


def end(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.communicate()
        assert process.returncode == 0


@pytest.fixture
def plan(settings: Settings, tmp_path: Path) -> Task:
    settings.ORCHESTRATOR_HOME = tmp_path
    plan = make_plan(make_project("shop"), 2)
    plan.children.update(is_ready=True)
    return plan


def test_of_a_claim_and_an_archive_one_wins(plan: Task) -> None:
    task = plan.children.get(position=1)
    started = [start("archive", task), start("claim", task)]
    for _ in range(ROUNDS):
        answers = together(started)
        assert sorted(answers) == ["conflict", "done"]
        task.refresh_from_db()
        assert (task.archived_at is not None, task.status) == (
            (True, "pending") if answers[0] == "done" else (False, "active")
        )
        Task.objects.update(archived_at=None, status="pending", lease_expires_at=None, lease_holder="")
        plan.children.update(is_ready=True)
    end(started)


def test_of_two_archives_one_wins_and_an_edit_comes_before_or_is_refused(plan: Task) -> None:
    task = plan.children.get(position=1)
    started = [start("archive", task), start("archive", task), start("edit", task)]
    for number in range(1, ROUNDS + 1):
        first, second, edited = together(started)
        assert sorted([first, second]) == ["conflict", "done"]
        assert edited in ("done", "conflict")
        assert Event.objects.filter(verb="archive").count() == number
        assert Task.objects.filter(archived_at=Task.objects.get(pk=plan.pk).archived_at).count() == 3
        restore(task=plan, actor=Actor.system())
    end(started)


def test_an_assistant_works_without_an_error_while_plans_are_archived(ada: Assistant) -> None:
    project = Project.objects.get()
    over = [make_plan(project, 2, statuses=["completed"] * 2) for _ in range(OVER)]
    long_ago = timezone.now() - timedelta(days=100)
    Task.objects.update(status="completed", completed_at=long_ago, updated_at=long_ago, active_at=long_ago)
    (sweeper,) = started = [start("sweep", over[0])]
    completed = []
    with ThreadPoolExecutor(1) as thread:
        swept = thread.submit(together, started)
        while not swept.done():
            completed.append(ada.plan("A")["A"])
            ada.complete(completed[-1])
    assert swept.result() == ["done"]
    end([sweeper])
    assert Task.objects.filter(archived_at__isnull=False).count() == 3 * OVER
    done = Task.objects.on_board().filter(public_id__in=completed, status="completed")
    assert completed and done.count() == len(completed)


def put_away(plan: Task) -> None:
    make_artifact(plan.children.get(position=1), "Long\n" * 40_000)
    Task.objects.update(archived_at=timezone.now() - timedelta(days=400), is_ready=False)


def test_a_purge_killed_after_its_export_twice_loses_nothing_and_the_third_ends_it(plan: Task) -> None:
    put_away(plan)
    for _ in range(2):
        (process,) = started = [start("purge", plan, "die")]
        assert together(started) == [""]
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert Task.objects.count() == 3 and not Tombstone.objects.exists()
    started = [start("purge", plan)]
    assert together(started) == ["done"]
    end(started)
    tombstone = Tombstone.objects.get()
    assert [path.name for path in (zipped.folder() / "shop").iterdir()] == [Path(tombstone.export_name).name]
    imported = import_plan(project=plan.project, export=zipped.folder() / tombstone.export_name, actor=Actor.system())
    assert Task.objects.filter(root=imported).count() == 2


def test_of_two_purges_and_a_restore_one_wins(plan: Task) -> None:
    put_away(plan)
    started = [start("purge", plan), start("purge", plan), start("restore", plan)]
    answers = together(started)
    assert answers.count("done") == 1
    assert set(answers) <= {"done", "conflict", "not_found"}
    assert Tombstone.objects.count() == (0 if answers[2] == "done" else 1)
    assert Task.objects.on_board().count() == (3 if answers[2] == "done" else 0)
    end(started)
