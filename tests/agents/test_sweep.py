"""What is removed of runs that ended long ago: worktrees once their changes are collected, then folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from tasks.agents import places, worktrees
from tasks.agents.choices import RunState
from tasks.agents.jobs import sweep_worktrees
from tasks.agents.models import Isolation, Run
from tasks.agents.services.sweep import sweep, sweepable
from tasks.models import Project
from tests.agents.rows import make_run, switch_on
from tests.agents.supervised import Supervised, supervised
from tests.factories import make_project, make_task

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=30)


@pytest.fixture
def stage(tmp_path: Path, settings: object) -> Iterator[Supervised]:
    with supervised(tmp_path) as made:
        settings.ORCHESTRATOR_HOME = str(made.home)  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def project(stage: Supervised) -> Project:
    project = make_project()
    switch_on(project, stage.repository, keep_days=0)
    return project


def an_old_run(stage: Supervised, project: Project, state: str = RunState.FAILED) -> Run:
    """Return a run with a worktree in which nothing has changed for long."""
    places.worktrees_folder().mkdir(exist_ok=True)
    run = make_run(make_task(project), state)
    made = worktrees.make(
        worktrees.locate(stage.repository),
        folder=places.worktrees_folder() / run.public_id,
        branch=f"orchestrator/{run.task.public_id}/1",
        base="HEAD",
    )
    ended = None if state == RunState.RUNNING else timezone.now() - LONG_AGO
    Run.objects.filter(pk=run.pk).update(worktree=asdict(made), branch=made.branch, ended_at=ended)
    run.refresh_from_db()
    return run


def test_an_old_worktree_is_removed_and_its_changes_are_on_its_branch(stage: Supervised, project: Project) -> None:
    run = an_old_run(stage, project)
    Path(run.worktree["folder"], "late.txt").write_text("by a person, after the run\n")
    assert [found.public_id for found, _ in sweepable(project)] == [run.public_id]
    assert sweep(project) == (1, 0)
    assert not Path(run.worktree["folder"]).exists()
    assert stage.git("show", f"{run.branch}:late.txt") == "by a person, after the run\n"
    assert Run.objects.get(pk=run.pk).removed_at is not None


def test_a_run_at_work_keeps_its_worktree(stage: Supervised, project: Project) -> None:
    run = an_old_run(stage, project, RunState.RUNNING)
    assert sweep(project) == (0, 0)
    assert Path(run.worktree["folder"]).exists()


def test_a_new_worktree_stays(stage: Supervised, project: Project) -> None:
    an_old_run(stage, project)
    Isolation.objects.update(settings={"keep_days": 1})
    assert sweepable(project) == []


def test_the_job_removes_folders_of_runs_that_are_over_and_of_none(stage: Supervised, project: Project) -> None:
    old = an_old_run(stage, project)
    new = make_run(make_task(project))
    for name in (old.public_id, new.public_id, "run_of_no_row"):
        (places.runs_folder() / name).mkdir(parents=True)
    sweep_worktrees()
    assert [each.name for each in places.runs_folder().iterdir()] == [new.public_id]
