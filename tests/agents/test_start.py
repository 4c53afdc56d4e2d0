"""Starting runs: who may, on which tasks, with which limits."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotReady
from tasks.agents.choices import Communication, RunState, Workspace
from tasks.agents.models import Isolation, Run
from tasks.agents.services.start import Wish, start_runs
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Project
from tests.agents.rows import make_run, make_supervisor, switch_on
from tests.factories import make_plan, make_project, make_session, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(tmp_path: Path) -> Project:
    make_supervisor()
    project = make_project()
    switch_on(project, tmp_path)
    return project


def actor_on(project: Project) -> Actor:
    return Actor.assistant(make_session(project))


def test_nothing_runs_where_isolation_is_off() -> None:
    project = make_project()
    with pytest.raises(NotReady):
        start_runs(project=project, actor=actor_on(project), tasks=[make_task(project)])
    assert not Run.objects.exists()


def test_nothing_is_queued_where_no_supervisor_would_take_it(tmp_path: Path) -> None:
    project = make_project()
    switch_on(project, tmp_path)
    with pytest.raises(NotReady):
        start_runs(project=project, actor=actor_on(project), tasks=[make_task(project)])


def test_a_run_is_queued_with_an_event(project: Project) -> None:
    task = make_task(project)
    [run] = start_runs(project=project, actor=actor_on(project), tasks=[task])
    assert (run.state, run.task, run.agent) == (RunState.QUEUED, task, "claude")
    event = Event.objects.get(verb=Verb.RUN)
    assert event.after == {"run": run.public_id, "state": "queued", "agent": "claude"}


def test_a_plan_means_its_unfinished_leaves(project: Project) -> None:
    plan = make_plan(project, 3, statuses=[Status.COMPLETED, Status.PENDING, Status.PENDING])
    runs = start_runs(project=project, actor=actor_on(project), tasks=[plan])
    assert [run.task.position for run in runs] == [2, 3]
    assert {run.plan_id for run in runs} == {plan.pk}


def test_all_or_none_are_queued(project: Project) -> None:
    good, bad = make_task(project), make_task(project, status=Status.BLOCKED)
    with pytest.raises(Conflict):
        start_runs(project=project, actor=actor_on(project), tasks=[good, bad])
    assert not Run.objects.exists()


def test_a_task_has_one_live_run(project: Project) -> None:
    task = make_task(project)
    run = make_run(task, RunState.RUNNING)
    with pytest.raises(Conflict) as caught:
        start_runs(project=project, actor=actor_on(project), tasks=[task])
    assert caught.value.details == {"run_id": run.public_id}


def test_an_agent_in_a_run_starts_no_runs(project: Project) -> None:
    task = make_task(project)
    inside = Actor.assistant(make_session(project), only_task=task.pk)
    with pytest.raises(Forbidden):
        start_runs(project=project, actor=inside, tasks=[task])


def test_limits_can_only_be_lower_than_the_projects(project: Project) -> None:
    wish = Wish(minutes=1000, turns=5, cost_usd=Decimal(100))
    [run] = start_runs(project=project, actor=actor_on(project), tasks=[make_task(project)], wish=wish)
    assert run.limits == {"minutes": 30, "idle_minutes": 10, "turns": 5, "cost_usd": "5"}


def test_an_agent_that_the_project_does_not_allow_is_refused(project: Project) -> None:
    with pytest.raises(Invalid) as caught:
        start_runs(project=project, actor=actor_on(project), tasks=[make_task(project)], wish=Wish(agent="codex"))
    assert caught.value.details == {"allowed": ["claude"]}


def test_the_projects_own_folder_is_only_worked_in_where_a_person_allowed_it(project: Project) -> None:
    task, wish = make_task(project), Wish(workspace=Workspace.CURRENT)
    with pytest.raises(Invalid):
        start_runs(project=project, actor=actor_on(project), tasks=[task], wish=wish)
    Isolation.objects.update(settings={"own_folder": True})
    [run] = start_runs(project=project, actor=actor_on(project), tasks=[task], wish=wish)
    assert run.workspace == Workspace.CURRENT


def test_a_command_delivers_by_files(tmp_path: Path) -> None:
    make_supervisor()
    project = make_project()
    switch_on(project, tmp_path, agents=["command"], command=["true"])
    [run] = start_runs(project=project, actor=actor_on(project), tasks=[make_task(project)])
    assert run.communication == Communication.FILE


def test_only_a_person_starts_another_run_after_too_many_failures(project: Project, admin_user: object) -> None:
    task = make_task(project)
    for _ in range(3):
        make_run(task, RunState.FAILED)
    with pytest.raises(Conflict):
        start_runs(project=project, actor=actor_on(project), tasks=[task])
    [run] = start_runs(project=project, actor=Actor(kind="person", name="ada"), tasks=[task])
    assert run.state == RunState.QUEUED
