"""Whole runs under real supervisors: what is delivered and collected, and what is left where something dies."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts.models import Artifact
from orchestrator_site.kernel.errors import Conflict
from tasks.agents.choices import RunState, Workspace
from tasks.agents.models import Run, Supervisor
from tasks.agents.services.control import kill, resume
from tasks.agents.services.merge import merge_run, trust
from tasks.agents.supervisor.following import Orders
from tasks.agents.supervisor.loop import Loop
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.services.claim import claim
from tasks.services.steer import cancel
from tests.agents.rows import make_run, switch_on
from tests.agents.supervised import Supervised, supervised, without
from tests.factories import make_dependency, make_plan, make_project, make_session, make_task
from tests.site.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
ADA = Actor(kind="person", name="ada")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Supervised]:
    with supervised(tmp_path) as made:
        yield made


def log_of(stage: Supervised, run: Run) -> list[dict[str, str]]:
    file = stage.home / "runs" / run.public_id / "log.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_run_delivers_and_its_changes_are_on_a_branch(stage: Supervised) -> None:
    run = stage.queue("write", "deliver")
    stage.start()
    stage.wait_for(run)
    assert run.state == RunState.SUCCEEDED, run.reason
    run.task.refresh_from_db()
    assert (run.task.status, run.task.summary) == (Status.COMPLETED, "It is done.")
    assert Artifact.objects.get(task=run.task).version == 1
    assert stage.git("show", f"{run.branch}:made.txt") == "made by the agent\n"
    assert [file["path"] for file in run.facts["files"]] == ["README", "made.txt"]


def test_a_run_that_is_queued_while_the_site_is_asked_waits_for_the_next_look(tmp_path: Path) -> None:
    orders = Orders()
    waiting = make_run(make_task(make_project(), is_ready=True))  # of a project where no agents run
    shop = make_project()
    switch_on(shop, tmp_path)
    late: list[Run] = []

    def board() -> str:
        late.append(make_run(make_task(shop, is_ready=True)))
        orders.leave.set()
        return "http://127.0.0.1:1"

    Loop(board, orders).run()
    assert [Run.objects.get(pk=run.pk).state for run in (waiting, *late)] == [RunState.QUEUED] * 2


def test_the_users_checkout_is_never_touched(stage: Supervised) -> None:
    run = stage.queue("write", "deliver")
    stage.start()
    stage.wait_for(run)
    assert stage.git("status", "--porcelain") == ""
    assert stage.git("rev-parse", "--abbrev-ref", "HEAD") == "main\n"
    assert (stage.repository / "README").read_text() == "A shop\n"


def test_the_worktree_of_a_success_is_removed(stage: Supervised) -> None:
    run = stage.queue("write", "deliver")
    stage.start()
    stage.wait_for(run)
    wait_until(lambda: not stage.worktree(run).exists(), "the removal")
    wait_until(lambda: Run.objects.get(pk=run.pk).removed_at is not None, "its note")


def test_a_failure_gives_the_task_back_and_keeps_what_was_done(stage: Supervised) -> None:
    run = stage.queue("write", "fail")
    stage.start()
    stage.wait_for(run)
    assert (run.state, run.attempt and run.attempt.exit_code) == (RunState.FAILED, 3)
    run.task.refresh_from_db()
    assert (run.task.status, run.task.lease_session) == (Status.PENDING, None)
    assert stage.git("show", f"{run.branch}:made.txt") == "made by the agent\n"


def test_a_question_blocks_the_task(stage: Supervised) -> None:
    run = stage.queue("ask")
    stage.start()
    stage.wait_for(run)
    run.task.refresh_from_db()
    assert (run.task.status, run.task.reason) == (Status.BLOCKED, "Which currency?")


def test_an_agent_that_delivers_nothing_has_failed(stage: Supervised) -> None:
    run = stage.queue("write")
    stage.start()
    stage.wait_for(run)
    assert run.state == RunState.FAILED
    run.task.refresh_from_db()
    assert run.task.status == Status.PENDING


def test_a_setup_command_that_fails_ends_the_run_and_says_why(stage: Supervised) -> None:
    setup = ["sh", "-c", "echo no such package; exit 7"]
    run = stage.queue("deliver", allowed={"setup": setup})
    stage.start()
    stage.wait_for(run)
    assert run.state == RunState.FAILED
    assert "no such package" in run.reason


def test_what_git_ignores_is_there_where_the_project_copies_it(stage: Supervised) -> None:
    (stage.repository / ".gitignore").write_text(".env\n")
    (stage.repository / ".env").write_text("KEY=1\n")
    run = stage.queue("write", "wait", allowed={"copied_files": [".env"]})
    stage.start()
    stage.wait_for(run, RunState.RUNNING)
    assert (stage.worktree(run) / ".env").read_text() == "KEY=1\n"
    kill(run=run, actor=ADA)
    stage.wait_for(run)
    assert ".env" not in [file["path"] for file in run.facts["files"]]


@pytest.mark.parametrize("acts", [("wait",), ("deaf", "linger", "wait"), ("linger", "deliver")])
def test_nothing_of_a_run_is_left_after_its_end(stage: Supervised, acts: tuple[str, ...]) -> None:
    run = stage.queue(*acts)
    stage.start()
    if "wait" in acts:
        stage.wait_for(run, RunState.RUNNING)
        wait_until(lambda: bool(stage.left_of(run)), "the agent")
        kill(run=run, actor=ADA)
    stage.wait_for(run)
    assert run.state == (RunState.KILLED if "wait" in acts else RunState.SUCCEEDED)
    assert stage.left_of(run) == []


def test_silence_ends_a_run(stage: Supervised) -> None:
    run = stage.queue("wait", idle_minutes=0.02)
    stage.start()
    assert stage.wait_for(run).state == RunState.TIMED_OUT
    assert stage.left_of(run) == []


def test_a_run_has_an_end_in_time(stage: Supervised) -> None:
    run = stage.queue("wait", minutes=0.02)
    stage.start()
    assert stage.wait_for(run).state == RunState.TIMED_OUT


def test_a_run_outlives_its_supervisor_and_loses_no_line(stage: Supervised) -> None:
    run = stage.queue("count", "deliver")
    first = stage.start()
    stage.wait_for(run, RunState.RUNNING)
    wait_until(lambda: (stage.home / "runs" / run.public_id / "log.jsonl").exists(), "a line")
    first.kill()
    first.wait()
    Supervisor.objects.update(seen_at="2026-01-01T00:00:00Z")
    stage.start()
    stage.wait_for(run)
    assert run.state == RunState.SUCCEEDED, run.reason
    said = [entry["text"] for entry in log_of(stage, run) if entry.get("text", "").startswith("line ")]
    assert sorted(set(said), key=said.index) == [f"line {number}" for number in range(200)]
    assert len(run.attempts.all()) == 1


def test_a_supervisor_that_hangs_up_leaves_its_runs_to_the_next(stage: Supervised) -> None:
    run = stage.queue("wait", "deliver")
    first = stage.start()
    stage.wait_for(run, RunState.RUNNING)
    first.send_signal(signal.SIGHUP)
    assert first.wait(30) == 0
    assert Run.objects.get(pk=run.pk).state == RunState.RUNNING
    (stage.worktree(run) / "go").touch()
    stage.start()
    assert stage.wait_for(run).state == RunState.SUCCEEDED


def test_a_server_that_stops_interrupts_its_runs_which_can_go_on(stage: Supervised) -> None:
    run = stage.queue("write", "wait", "deliver")
    first = stage.start()
    stage.wait_for(run, RunState.RUNNING)
    first.send_signal(signal.SIGTERM)
    first.wait(30)
    assert stage.left_of(run) == []
    stage.start()
    stage.wait_for(run)
    assert (run.state, run.stop) == (RunState.INTERRUPTED, RunState.INTERRUPTED)
    (stage.worktree(run) / "go").touch()
    resume(run=run, actor=ADA)
    assert stage.wait_for(run).state == RunState.SUCCEEDED


def test_two_supervisors_share_the_runs(stage: Supervised) -> None:
    project = stage.project("write", "deliver")
    runs = [stage.queue(task=make_task(project, is_ready=True)) for _ in range(6)]
    stage.start()
    stage.start()
    for run in runs:
        assert stage.wait_for(run).state == RunState.SUCCEEDED, run.reason
        assert (run.attempts.count(), run.keeping) == (1, 1)


def test_what_builds_on_a_task_begins_from_its_changes(stage: Supervised) -> None:
    project = stage.project("write", "deliver")
    first, second = make_task(project, is_ready=True), make_task(project)
    make_dependency(second, first)
    earlier, later = stage.queue(task=first), stage.queue(task=second)
    stage.start()
    stage.wait_for(later)
    earlier.refresh_from_db()
    assert (later.state, later.base_commit) == (RunState.SUCCEEDED, earlier.head_commit)


@pytest.fixture
def unjailed(stage: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the supervisor find no jail."""
    monkeypatch.setenv("PATH", str(without(stage.folder / "bin", "bwrap")))


@pytest.mark.usefixtures("unjailed")
def test_a_run_that_changed_the_repositorys_configuration_is_tampered(stage: Supervised) -> None:
    run = stage.queue("tamper", "write", "deliver")
    stage.start()
    assert stage.wait_for(run).state == RunState.TAMPERED
    assert (run.head_commit, stage.git("log", "--oneline", "--all").count("\n")) == ("", 1)
    assert stage.worktree(run).exists()
    with pytest.raises(Conflict):
        merge_run(run=run, actor=ADA)


@pytest.mark.usefixtures("unjailed")
def test_a_person_may_trust_a_tampered_run(stage: Supervised) -> None:
    run = stage.queue("tamper", "write", "deliver")
    stage.start()
    stage.wait_for(run)
    stage.git("config", "--unset", "core.fsmonitor")
    trust(run=run, actor=ADA)
    assert stage.wait_for(run).state == RunState.SUCCEEDED
    assert stage.git("show", f"{run.branch}:made.txt") == "made by the agent\n"


@pytest.mark.usefixtures("unjailed")
def test_where_a_project_demands_a_jail_nothing_runs_without_one(stage: Supervised) -> None:
    run = stage.queue("write", "deliver", allowed={"unjailed": False})
    stage.start()
    assert stage.wait_for(run).state == RunState.FAILED
    assert not (stage.home / "runs" / run.public_id / "1" / "events.jsonl").exists()


def test_a_task_that_is_not_ready_waits(stage: Supervised) -> None:
    project = stage.project("deliver")
    waiting, other = stage.queue(task=make_task(project)), stage.queue(task=make_task(project, is_ready=True))
    stage.start()
    stage.wait_for(other)
    assert Run.objects.get(pk=waiting.pk).state == RunState.QUEUED


def test_a_run_whose_task_is_cancelled_ends(stage: Supervised) -> None:
    run = stage.queue("wait")
    stage.start()
    stage.wait_for(run, RunState.RUNNING)
    cancel(task=run.task, actor=ADA)
    assert stage.wait_for(run).state == RunState.KILLED
    assert stage.left_of(run) == []


def test_a_task_that_is_taken_over_is_no_longer_the_runs(stage: Supervised) -> None:
    run = stage.queue("wait")
    stage.start()
    stage.wait_for(run, RunState.RUNNING)
    claim(task=run.task, actor=Actor.assistant(make_session(run.project)), take_over=True)
    stage.wait_for(run)
    run.task.refresh_from_db()
    assert (run.state, run.task.status, run.task.lease_number) == (RunState.KILLED, Status.ACTIVE, 2)


def test_where_it_is_allowed_an_agent_works_in_the_projects_own_folder(stage: Supervised) -> None:
    run = stage.queue("write", "deliver", allowed={"own_folder": True})
    Run.objects.filter(pk=run.pk).update(workspace=Workspace.CURRENT)
    stage.start()
    assert stage.wait_for(run).state == RunState.SUCCEEDED, run.reason
    assert (stage.repository / "made.txt").exists()
    assert (run.head_commit, stage.git("log", "--oneline", "--all").count("\n")) == ("", 1)


def test_runs_below_one_parent_may_share_a_worktree(stage: Supervised) -> None:
    project = stage.project("write", "deliver")
    plan = make_plan(project, 2)
    runs = [stage.queue(task=task) for task in plan.children.all()]
    Run.objects.update(workspace=Workspace.PERSISTENT)
    plan.children.update(is_ready=True)
    stage.start()
    first, second = (stage.wait_for(run) for run in runs)
    assert (first.state, second.state) == (RunState.SUCCEEDED, RunState.SUCCEEDED), second.reason
    assert (second.worktree["folder"], second.base_commit) == (first.worktree["folder"], first.head_commit)
    assert stage.git("show", f"{second.branch}:README") == "A shop\n" + "and by an agent\n" * 2
