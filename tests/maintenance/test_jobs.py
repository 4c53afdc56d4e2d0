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

from maintenance import jobs as door
from maintenance import registry
from maintenance.models import JobRun, Outcome
from maintenance.registry import MINUTE, job
from maintenance.services.run import REST, RunsAlready, run
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
    """Return what registers a function as the job `trial`, for the time of the test."""
    monkeypatch.setattr(registry, "_jobs", dict(registry.jobs()))
    return job("trial", every=MINUTE)


def ended_badly(times: int, *, ago: timedelta = timedelta(minutes=5)) -> None:
    """Make runs that nobody ended: their processes died."""
    for _ in range(times):
        began = NOW() - ago
        JobRun.objects.create(job="trial", started_at=began, deadline_at=began + MINUTE)
        JobRun.objects.filter(job="trial", outcome=Outcome.RUNNING).update(outcome=Outcome.DIED, finished_at=NOW())


def test_the_row_stands_before_the_job_begins_and_says_how_it_ended(given: Callable[..., None]) -> None:
    seen: list[str] = []
    given(lambda: (seen.extend(JobRun.objects.of("trial").values_list("outcome", flat=True)), "All done.")[1])
    assert run(name="trial") == "All done."
    record = JobRun.objects.get(job="trial")
    assert seen == [Outcome.RUNNING]
    assert (record.outcome, record.message, record.attempt) == (Outcome.SUCCEEDED, "All done.", 1)
    assert record.finished_at is not None


def test_a_job_that_raises_is_written_down_as_failed(given: Callable[..., None]) -> None:
    def body() -> str:
        raise OSError("the disk is full")

    given(body)
    with pytest.raises(OSError, match="the disk is full"):
        run(name="trial")
    record = JobRun.objects.get(job="trial")
    assert (record.outcome, record.message) == (Outcome.FAILED, "OSError: the disk is full")


def test_a_job_that_runs_is_not_begun_again(given: Callable[..., None]) -> None:
    given(lambda: "Never said.")
    JobRun.objects.create(job="trial", deadline_at=NOW() + MINUTE)
    with pytest.raises(RunsAlready, match="trial is running already"):
        run(name="trial")
    assert door.run_from_queue("trial") == "The job trial is running already."


def test_a_job_whose_process_died_is_begun_again_and_counts_its_attempts(given: Callable[..., None]) -> None:
    given(lambda: "At last.")
    JobRun.objects.create(job="trial", started_at=NOW() - 2 * MINUTE, deadline_at=NOW() - MINUTE)
    run(name="trial")
    assert list(JobRun.objects.of("trial").values_list("outcome", "attempt")) == [("succeeded", 2), ("died", 1)]


def test_a_job_whose_process_died_three_times_is_left_alone_for_an_hour(given: Callable[..., None]) -> None:
    given(lambda: "Alive.")
    ended_badly(3)
    with pytest.raises(Conflict, match="its process died 3 times in a row") as refusal:
        run(name="trial")
    assert "manage.py maintain trial" in refusal.value.next
    assert "left alone" in door.run_from_queue("trial")
    assert JobRun.objects.count() == 3
    assert run(name="trial", in_any_case=True) == "Alive."
    assert run(name="trial") == "Alive."


def test_after_the_hour_it_is_tried_once_more(given: Callable[..., None]) -> None:
    given(lambda: "Alive.")
    ended_badly(3, ago=REST + MINUTE)
    assert run(name="trial") == "Alive."


def test_a_job_that_ends_after_its_time_does_not_undo_the_verdict(given: Callable[..., None]) -> None:
    def late() -> str:
        JobRun.objects.update(outcome=Outcome.DIED, finished_at=NOW())
        return "Here I am."

    given(late)
    run(name="trial")
    assert JobRun.objects.get().outcome == Outcome.DIED


def test_an_unknown_job_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(NotFound) as refusal:
        run(name="nonsense")
    assert "heartbeat" in refusal.value.next


@pytest.mark.parametrize(
    "facts",
    [
        {"every": timedelta(seconds=30)},
        {"every": timedelta(seconds=90)},
        {"every": MINUTE, "timeout": timedelta()},
        {"every": MINUTE, "timeout": timedelta(hours=1)},
    ],
)
def test_a_job_that_the_queue_could_not_run_is_refused(facts: dict[str, timedelta], given: Callable[..., None]) -> None:
    with pytest.raises(ValueError, match="trial: "):
        job("trial", **facts)


def test_two_jobs_of_one_name_are_refused(given: Callable[..., None]) -> None:
    given(lambda: "One.")
    with pytest.raises(ValueError, match="of this name already"):
        given(lambda: "Another.")


def test_every_job_says_what_it_is_for_and_can_run_twice() -> None:
    for name, found in registry.jobs().items():
        assert found.purpose.endswith("."), name
        assert run(name=name).endswith(".")
        assert run(name=name).endswith(".")


def test_the_table_of_jobs_is_that_of_the_registry() -> None:
    text = (ROOT / "docs" / "running.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (minute|5 minutes|hour|day) \|", text, re.MULTILINE)
    words = {MINUTE: "minute", 5 * MINUTE: "5 minutes", 60 * MINUTE: "hour", timedelta(days=1): "day"}
    assert rows == [(name, words[found.every]) for name, found in registry.jobs().items()]


def test_leases_that_ran_out_are_freed_in_every_project() -> None:
    past = {"lease_expires_at": NOW() - MINUTE}
    tasks = [make_task(make_project(), status=Status.ACTIVE, **past) for _ in range(2)]
    held = make_task(make_project(), status=Status.ACTIVE)
    assert run(name="free_run_out_leases") == "Gave 2 tasks back whose lease was over."
    assert {Task.objects.get(pk=task.pk).status for task in tasks} == {Status.PENDING}
    assert Task.objects.get(pk=held.pk).status == Status.ACTIVE
    assert run(name="free_run_out_leases") == "No lease is over."


def test_old_rows_are_forgotten_and_young_ones_kept(monkeypatch: pytest.MonkeyPatch) -> None:
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
    assert run(name="forget_old_rows") == "Forgot 3 idempotency keys and 4 runs of jobs."
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["3"]
    assert sorted(JobRun.objects.filter(job="trial").values_list("outcome", flat=True)) == ["failed", "succeeded"]
    assert list(QueueRecord.objects.values_list("id", flat=True)) == ["1"]


def test_sign_in_links_are_forgotten_a_day_after_their_end() -> None:
    user = make_user()
    make_link(user)
    old = NOW() - timedelta(days=2)
    SignInLink.objects.create(digest="0" * 64, user=user, created_at=old, expires_at=old + MINUTE)
    assert run(name="forget_sign_ins") == "Forgot 1 sign-in links and 0 browser sessions."
    assert SignInLink.objects.count() == 1


def test_maintain_runs_a_job_and_says_one_sentence(fresh_home: Path) -> None:
    ran = manage("maintain", "heartbeat")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "The worker is alive.\n", "")


def test_maintain_without_a_name_lists_the_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("maintain")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(registry.jobs())
    assert lines[3].endswith(
        "every 1 min   Give back tasks whose holder has gone, in projects where nobody asks for work."
    )


def test_maintain_refuses_a_name_that_is_no_job_and_lists_those_that_are(fresh_home: Path) -> None:
    refused = manage("maintain", "nonsense")
    assert refused.returncode == 1
    assert "CommandError: There is no job named nonsense. The jobs are: abandon_uploads, forget" in refused.stderr


def test_a_job_that_kills_its_process_leaves_its_row(fresh_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.site.trial.settings")
    assert manage("maintain", "die").returncode == 9
    with closing(sqlite3.connect(fresh_home / "orchestrator.sqlite3")) as database:
        rows = database.execute("SELECT job, outcome, attempt FROM maintenance_jobrun").fetchall()
    assert rows == [("die", "running", 1)]
