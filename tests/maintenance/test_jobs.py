"""Jobs: the registry, the record of every run, and what each job does."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_q.models import Task as QueueRecord

from maintenance import jobs, registry
from maintenance.choices import Outcome
from maintenance.models import JobRun
from maintenance.registry import MINUTE, job
from maintenance.services.run import SUSPENSION, AlreadyRunning, run
from orchestrator_site.accounts.links import make_link
from orchestrator_site.kernel.errors import Conflict, NotFound
from orchestrator_site.models import SignInLink
from tasks.choices import Status
from tasks.models import IdempotencyKey, Task
from tests.factories import make_project, make_task, make_user
from tests.site.processes import ROOT, manage

pytestmark = pytest.mark.django_db
NOW = timezone.now


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], str]], object]:
    """Return a decorator that registers a function as the job `trial` during the test."""
    monkeypatch.setattr(registry, "_jobs", dict(registry.jobs()))
    return job("trial", every=MINUTE)


def died(times: int, *, ago: timedelta = timedelta(minutes=5)) -> None:
    """Make runs whose processes died."""
    for _ in range(times):
        began = NOW() - ago
        JobRun.objects.create(job="trial", started_at=began, deadline_at=began + MINUTE)
        JobRun.objects.filter(job="trial", outcome=Outcome.RUNNING).update(outcome=Outcome.DIED, finished_at=NOW())


def test_a_run_is_recorded_before_the_job_starts_and_after_it_ends(given: Callable[..., None]) -> None:
    seen: list[str] = []
    given(lambda: (seen.extend(JobRun.objects.of("trial").values_list("outcome", flat=True)), "All done.")[1])
    assert run(name="trial") == "All done."
    record = JobRun.objects.get(job="trial")
    assert seen == [Outcome.RUNNING]
    assert (record.outcome, record.message, record.attempt) == (Outcome.SUCCEEDED, "All done.", 1)
    assert record.finished_at is not None


def test_a_job_that_raises_is_recorded_as_failed(given: Callable[..., None]) -> None:
    def body() -> str:
        raise OSError("the disk is full")

    given(body)
    with pytest.raises(OSError, match="the disk is full"):
        run(name="trial")
    record = JobRun.objects.get(job="trial")
    assert (record.outcome, record.message) == (Outcome.FAILED, "OSError: the disk is full")


def test_a_running_job_is_not_started_again(given: Callable[..., None]) -> None:
    given(lambda: "Never said.")
    JobRun.objects.create(job="trial", deadline_at=NOW() + MINUTE)
    with pytest.raises(AlreadyRunning) as caught:
        run(name="trial")
    assert jobs.run_from_queue("trial") == caught.value.message
    assert JobRun.objects.count() == 1


def test_a_job_whose_process_died_runs_again_and_counts_attempts(given: Callable[..., None]) -> None:
    given(lambda: "At last.")
    JobRun.objects.create(job="trial", started_at=NOW() - 2 * MINUTE, deadline_at=NOW() - MINUTE)
    run(name="trial")
    assert list(JobRun.objects.of("trial").values_list("outcome", "attempt")) == [("succeeded", 2), ("died", 1)]


def test_whichever_job_runs_next_records_that_the_process_of_another_has_died(given: Callable[..., None]) -> None:
    given(lambda: "Done.")
    JobRun.objects.create(job="sweep_content", started_at=NOW() - 2 * MINUTE, deadline_at=NOW() - MINUTE)
    run(name="trial")
    assert JobRun.objects.get(job="sweep_content").outcome == Outcome.DIED


def test_a_job_whose_process_died_three_times_is_suspended_for_an_hour(given: Callable[..., None]) -> None:
    given(lambda: "Alive.")
    died(3)
    with pytest.raises(Conflict) as caught:
        run(name="trial")
    assert "manage.py maintain trial" in caught.value.next
    assert jobs.run_from_queue("trial") == caught.value.message
    assert JobRun.objects.count() == 3
    assert run(name="trial", force=True) == "Alive."
    assert run(name="trial") == "Alive."


def test_a_suspended_job_runs_again_after_an_hour(given: Callable[..., None]) -> None:
    given(lambda: "Alive.")
    died(3, ago=SUSPENSION + MINUTE)
    assert run(name="trial") == "Alive."


def test_a_job_that_ends_after_its_deadline_stays_recorded_as_died(given: Callable[..., None]) -> None:
    def late() -> str:
        JobRun.objects.update(outcome=Outcome.DIED, finished_at=NOW())
        return "Here I am."

    given(late)
    run(name="trial")
    assert JobRun.objects.get().outcome == Outcome.DIED


def test_an_unknown_job_is_not_found_and_the_error_lists_the_jobs() -> None:
    with pytest.raises(NotFound) as caught:
        run(name="nonsense")
    assert "heartbeat" in caught.value.next


@pytest.mark.parametrize(
    "facts",
    [
        {"every": timedelta(seconds=30)},
        {"every": timedelta(seconds=90)},
        {"every": MINUTE, "timeout": timedelta()},
        {"every": MINUTE, "timeout": timedelta(hours=1)},
    ],
)
def test_a_job_that_the_queue_cannot_run_is_not_registered(
    facts: dict[str, timedelta], given: Callable[..., None]
) -> None:
    with pytest.raises(ValueError, match="trial: "):
        job("trial", **facts)


def test_two_jobs_of_one_name_are_not_registered(given: Callable[..., None]) -> None:
    given(lambda: "One.")
    with pytest.raises(ValueError, match="trial: "):
        given(lambda: "Another.")


def test_every_job_has_a_purpose_and_can_run_twice() -> None:
    for name, found in registry.jobs().items():
        assert found.purpose.endswith("."), name
        assert run(name=name).endswith(".")
        assert run(name=name).endswith(".")


def test_the_documented_jobs_are_those_of_the_registry() -> None:
    text = (ROOT / "docs" / "running.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (minute|5 minutes|hour|day) \|", text, re.MULTILINE)
    words = {MINUTE: "minute", 5 * MINUTE: "5 minutes", 60 * MINUTE: "hour", timedelta(days=1): "day"}
    assert rows == [(name, words[found.every]) for name, found in registry.jobs().items()]


def test_expired_leases_are_freed_in_every_project() -> None:
    past = {"lease_expires_at": NOW() - MINUTE}
    tasks = [make_task(make_project(), status=Status.ACTIVE, **past) for _ in range(2)]
    held = make_task(make_project(), status=Status.ACTIVE)
    assert "2 tasks" in run(name="free_expired_leases")
    assert {Task.objects.get(pk=task.pk).status for task in tasks} == {Status.PENDING}
    assert Task.objects.get(pk=held.pk).status == Status.ACTIVE
    assert "0 tasks" in run(name="free_expired_leases")


def test_old_rows_are_deleted_and_recent_ones_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    project, day = make_project(), timedelta(days=1)
    for number, age in enumerate([8 * day, 8 * day, 8 * day, 6 * day]):
        IdempotencyKey.objects.create(project=project, operation="plan", key=str(number), created_at=NOW() - age)
    for outcome, age in [("succeeded", 2 * day), ("succeeded", day / 2), ("failed", 2 * day), ("died", 31 * day)]:
        at = NOW() - age
        JobRun.objects.create(job="trial", outcome=outcome, started_at=at, deadline_at=at + day, finished_at=at)
    for number, (success, age) in enumerate([(True, 2 * day), (False, 2 * day), (False, 31 * day)]):
        at = NOW() - age
        QueueRecord.objects.create(id=str(number), name="n", func="f", success=success, started=at, stopped=at)
    monkeypatch.setattr("tasks.services.idempotency.FORGET_BATCH", 2)
    run(name="delete_old_rows")
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["3"]
    assert sorted(JobRun.objects.filter(job="trial").values_list("outcome", flat=True)) == ["failed", "succeeded"]
    assert list(QueueRecord.objects.values_list("id", flat=True)) == ["1"]


def test_sign_in_links_are_deleted_a_day_after_they_expire() -> None:
    user = make_user()
    make_link(user)
    old = NOW() - timedelta(days=2)
    SignInLink.objects.create(digest="0" * 64, user=user, created_at=old, expires_at=old + MINUTE)
    run(name="delete_old_sign_ins")
    assert SignInLink.objects.count() == 1


def test_maintain_runs_a_job_and_prints_what_it_did(fresh_home: Path) -> None:
    ran = manage("maintain", "heartbeat")
    assert (ran.returncode, ran.stdout.count("\n"), ran.stderr) == (0, 1, "")


def test_maintain_without_a_name_lists_the_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("maintain")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(registry.jobs())
    assert all(line.endswith(found.purpose) for line, found in zip(lines, registry.jobs().values(), strict=True))


def test_maintain_fails_for_an_unknown_job_and_lists_the_jobs(fresh_home: Path) -> None:
    failed = manage("maintain", "nonsense")
    assert failed.returncode == 1
    assert "heartbeat" in failed.stderr


def test_a_job_that_kills_its_process_leaves_a_running_row(fresh_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.site.trial.settings")
    assert manage("maintain", "die").returncode == 9
    with closing(sqlite3.connect(fresh_home / "orchestrator.sqlite3")) as database:
        rows = database.execute("SELECT job, outcome, attempt FROM maintenance_jobrun").fetchall()
    assert rows == [("die", "running", 1)]
