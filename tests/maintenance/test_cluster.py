"""A real cluster, as `up` starts it: jobs fire, raise and hang, and whoever runs them is killed.

It runs on the database of the tests, and its jobs wait in Redis where REDIS_URL names one.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models import F
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ, Schedule

from maintenance import registry
from maintenance.choices import Action, Outcome, ScopeWord, State
from maintenance.models import JobRun, Operation
from maintenance.registry import Job
from maintenance.schedules import run_soon, sync_schedules
from maintenance.services import coordinate as coordinator
from maintenance.services.coordinate import Request, coordinate
from maintenance.services.operations import requeue_lost
from maintenance.services.undo import undo
from orchestrator_site.up.child import Child
from tasks.choices import Status, Verb
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tests.factories import make_project, make_task
from tests.maintenance import trial
from tests.maintenance.queues import use_redis
from tests.site.processes import group, shared_database, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
REDIS = os.environ.get("REDIS_URL", "")
GRACE = Actor("person", "grace")
PLANS = 60
PROCESSES = 5
"""Of a cluster with one worker."""


class Trial:
    """Clusters on one data folder, and what their jobs have written down in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.clusters: list[Child] = []
        home.mkdir()

    def start(self, *, guard_cycle: float = 0.25) -> Child:
        environment = {
            **shared_database(),
            "ORCHESTRATOR_HOME": str(self.home),
            "ORCHESTRATOR_SECRET_KEY": settings.SECRET_KEY,
            "ORCHESTRATOR_QUEUE_URL": REDIS,
            "ORCHESTRATOR_WORKERS": "1",
            "DJANGO_SETTINGS_MODULE": "tests.maintenance.trial.settings",
            "TRIAL_GUARD_CYCLE": str(guard_cycle),
        }
        cluster = Child("The worker", "orchestrator_site.up.worker")
        cluster.start(environment)
        self.clusters.append(cluster)
        return cluster

    def kill_within(self, name: str, times: int) -> None:
        """Kill the worker as soon as it has begun something for so many times, and wait for the end of its cluster."""
        cluster = self.start()
        wait_until(lambda: len(trial.began(self.home, name)) == times, f"{name}, the {times}. time")
        os.kill(trial.began(self.home, name)[-1], signal.SIGKILL)
        wait_until(cluster.has_exited, "the end of the cluster")
        leader = cluster.pid
        cluster.reap()  # as the supervisor does, which starts the next one
        wait_until(lambda: not group(leader), "the end of its processes")

    def go_on(self) -> None:
        (self.home / "go").touch()

    def end(self) -> None:
        for cluster in self.clusters:
            cluster.reap()


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """Return what starts clusters; this process knows the trial's jobs only, and the queue is empty."""
    jobs = {name: Job(name, trial.DAY, timeout, str) for name, timeout in trial.TIMEOUTS.items()}
    registry.jobs()
    monkeypatch.setattr(registry, "_jobs", jobs)
    if REDIS:
        use_redis(REDIS, monkeypatch)
    get_broker().delete_queue()
    started = Trial(tmp_path / "home")
    yield started
    started.end()


def runs(name: str) -> list[tuple[str, int]]:
    return [(run.outcome, run.attempt) for run in JobRun.objects.of(name)]


def message(name: str) -> str:
    return JobRun.objects.of(name)[0].message


def has_ended(name: str) -> bool:
    return JobRun.objects.filter(job=name).exclude(outcome=Outcome.RUNNING).exists()


def is_queue_empty() -> bool:
    return not OrmQ.objects.exists() and get_broker().queue_size() == 0


def let_time_pass() -> None:
    """Move what waits for a time into the past: longer than the queue waits for a worker, less than a suspension."""
    ago = timedelta(minutes=10)
    JobRun.objects.filter(outcome=Outcome.RUNNING).update(
        started_at=F("started_at") - ago, deadline_at=F("deadline_at") - ago
    )
    Operation.objects.filter(state=State.RUNNING).update(started_at=F("started_at") - ago)
    OrmQ.objects.update(lock=F("lock") - ago)


def run_again(name: str) -> None:
    """Queue a job again as its schedule does, where the queue has lost it with the worker."""
    let_time_pass()
    if REDIS:
        run_soon(name)


def make_due(names: tuple[str, ...]) -> None:
    sync_schedules()
    Schedule.objects.exclude(name__in=[f"orchestrator:{name}" for name in names]).delete()
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=5))


def test_a_schedule_that_is_due_fires_and_its_run_is_recorded_with_what_it_did(clusters: Trial) -> None:
    make_due(("note",))
    clusters.start(guard_cycle=30)
    wait_until(lambda: has_ended("note"), "the run")
    assert (runs("note"), message("note")) == ([(Outcome.SUCCEEDED, 1)], "Noted note.")
    assert Schedule.objects.get().next_run > timezone.now()


def test_a_job_that_raises_is_recorded_as_failed_with_the_reason_and_the_next_one_runs(clusters: Trial) -> None:
    run_soon("fail")
    run_soon("note")
    clusters.start()
    wait_until(lambda: has_ended("note") and is_queue_empty(), "the next run")
    assert (runs("fail"), message("fail")) == ([(Outcome.FAILED, 1)], "OSError: the disk is full")
    assert len(trial.began(clusters.home, "fail")) == 1


def test_a_job_that_hangs_is_ended_after_its_time_and_the_same_cluster_runs_the_next(clusters: Trial) -> None:
    run_soon("hang")
    run_soon("note")
    cluster = clusters.start()
    wait_until(lambda: has_ended("note") and is_queue_empty(), "the next run")
    assert runs("hang") == [(Outcome.FAILED, 1)]
    assert message("hang").startswith("TimeoutException: ")
    assert len(trial.began(clusters.home, "hang")) == 1
    assert not cluster.has_exited()


def test_a_job_that_swallows_the_end_of_its_time_is_killed_and_the_next_one_runs(clusters: Trial) -> None:
    run_soon("hang_on")
    run_soon("note")
    cluster = clusters.start()
    wait_until(lambda: has_ended("note"), "the next run")
    assert trial.began(clusters.home, "hang_on")[0] not in group(cluster.pid)
    let_time_pass()
    run_soon("note_1")
    wait_until(lambda: has_ended("note_1"), "another run")
    assert runs("hang_on")[-1] == (Outcome.DIED, 1)
    assert not cluster.has_exited()


def test_a_job_whose_worker_is_killed_runs_again_and_no_more_after_the_third_time(clusters: Trial) -> None:
    run_soon("wait")
    for attempt in (1, 2, 3):
        clusters.kill_within("wait", attempt)
        run_again("wait")
    run_soon("note")
    clusters.start()
    wait_until(lambda: has_ended("note") and is_queue_empty(), "the next run")
    assert runs("wait") == [(Outcome.DIED, 3), (Outcome.DIED, 2), (Outcome.DIED, 1)]
    assert len(trial.began(clusters.home, "wait")) == 3


def test_a_cluster_that_is_asked_to_end_lets_its_job_finish_and_leaves_no_process(clusters: Trial) -> None:
    run_soon("wait")
    cluster = clusters.start()
    wait_until(lambda: bool(trial.began(clusters.home, "wait")), "the run")
    leader = cluster.pid
    cluster.terminate()
    clusters.go_on()
    wait_until(cluster.has_exited, "the end of the cluster")
    assert group(leader) == []
    assert cluster.reap() == "exit code 0"
    assert (runs("wait"), message("wait"), is_queue_empty()) == ([(Outcome.SUCCEEDED, 1)], "Waited.", True)


def test_a_job_that_outlasts_the_patience_of_the_end_runs_again_in_the_next_cluster(clusters: Trial) -> None:
    run_soon("wait")
    cluster = clusters.start()
    wait_until(lambda: bool(trial.began(clusters.home, "wait")), "the run")
    leader = cluster.pid
    cluster.terminate()
    cluster.reap()
    wait_until(lambda: not group(leader), "the end of its processes")
    assert runs("wait") == [(Outcome.RUNNING, 1)]
    run_again("wait")
    clusters.go_on()
    clusters.start()
    wait_until(lambda: runs("wait")[0][0] == Outcome.SUCCEEDED and is_queue_empty(), "the second run")
    assert runs("wait") == [(Outcome.SUCCEEDED, 2), (Outcome.DIED, 1)]


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what previews that finished plans are archived, and has it done on the worker as on a large board."""
    monkeypatch.setattr(coordinator, "LARGE", 1)
    monkeypatch.setattr(coordinator, "is_running", lambda: True)

    def apply(project: Project) -> Operation:
        asked: dict[str, Any] = {"action": Action.ARCHIVE, "scope": ScopeWord.FULL_PROJECT}
        preview = coordinate(project=project, actor=GRACE, request=Request(**asked))
        token = preview.plan_token
        answer = coordinate(project=project, actor=GRACE, request=Request(**asked, apply=True, plan_token=token))
        assert answer.operation is not None
        assert answer.operation.state == State.QUEUED
        return answer.operation

    return apply


def finished_plans(number: int) -> Project:
    """Make a project with plans that were completed a year ago."""
    project, then = make_project(), timezone.now() - timedelta(days=365)
    for _ in range(number):
        make_task(project, status=Status.COMPLETED, summary="Done.")
    Task.objects.filter(project=project).update(created_at=then, updated_at=then, active_at=then, completed_at=then)
    return project


def archivings(project: Project) -> list[int]:
    """Return the tasks of the events that say so, in order."""
    events = Event.objects.filter(project=project, verb=Verb.ARCHIVE).order_by("task_id")
    return list(events.values_list("task_id", flat=True))


def tasks_of(project: Project, **fields: Any) -> list[int]:
    return list(Task.objects.filter(project=project, **fields).order_by("pk").values_list("pk", flat=True))


def test_of_two_clusters_one_runs_each_job_and_each_operation(clusters: Trial, queue: Any) -> None:
    jobs = tuple(name for name in trial.TIMEOUTS if name.startswith("note_"))
    projects = [finished_plans(30) for _ in range(4)]
    make_due(jobs[:6])
    both = [clusters.start(guard_cycle=30) for _ in range(2)]
    wait_until(lambda: all(len(group(each.pid)) == PROCESSES for each in both), "both clusters")
    for project in projects:
        queue(project)
    for name in jobs[6:]:
        run_soon(name)
    wait_until(
        lambda: all(map(has_ended, jobs)) and Operation.objects.filter(state=State.SUCCEEDED).count() == 4,
        "the end of all jobs and operations",
    )
    wait_until(is_queue_empty, "the last acknowledgement")
    assert [runs(name) for name in jobs] == [[(Outcome.SUCCEEDED, 1)]] * len(jobs)
    assert [len(trial.began(clusters.home, name)) for name in jobs] == [1] * len(jobs)
    assert list(Operation.objects.values_list("attempt", flat=True)) == [1] * 4
    assert [archivings(project) for project in projects] == [tasks_of(project) for project in projects]


def test_what_a_killed_operation_archived_can_be_undone_and_the_rest_is_archived_once(
    clusters: Trial, queue: Any
) -> None:
    project = finished_plans(PLANS)
    operation = queue(project)
    (clusters.home / "find").write_text("1")
    clusters.kill_within("find", 1)
    (clusters.home / "find").unlink()
    (clusters.home / "archive").write_text("2")  # after two batches were committed, before that is noted
    let_time_pass()
    requeue_lost()
    clusters.kill_within("archive", 1)
    (clusters.home / "archive").unlink()
    done = archivings(project)
    assert 0 < len(done) < PLANS and done == tasks_of(project, archived_at__isnull=False)

    let_time_pass()
    requeue_lost()
    clusters.start()
    wait_until(lambda: Operation.objects.get(pk=operation.pk).finished_at is not None, "the end of the operation")
    ended = Operation.objects.get(pk=operation.pk)
    assert (ended.state, ended.attempt) == (State.FAILED, 2)
    rest = queue(project)
    wait_until(lambda: Operation.objects.get(pk=rest.pk).finished_at is not None, "the rest")
    assert (Operation.objects.get(pk=rest.pk).state, archivings(project)) == (State.SUCCEEDED, tasks_of(project))
    undo(operation=ended, actor=GRACE)
    assert tasks_of(project, archived_at=None) == done
