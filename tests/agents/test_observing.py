"""Gates of what isolated agents deliver: the supervisor looks for itself, then approves or sends back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tasks.agents.choices import RunState, Workspace
from tasks.agents.models import Isolation, Run, Supervisor
from tasks.agents.services.control import resume
from tasks.agents.supervisor import finishing
from tasks.agents.supervisor.following import Orders
from tasks.choices import Rung, Status
from tasks.gates.definition import normalised
from tasks.identity.actor import Actor
from tasks.models import Event, Evidence, Task
from tests.agents.supervised import Supervised, supervised, without
from tests.factories import html_of, make_task, signed_in
from tests.gates.attesting import REPORT, WRITE_REPORT, python
from tests.site.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Supervised]:
    with supervised(tmp_path) as made:
        (made.repository / ".gitignore").write_text("build/\n")
        made.git("add", ".")
        made.git("commit", "-q", "-m", "Ignore")
        yield made


def queue(stage: Supervised, *gates: Any, acts: tuple[str, ...] = ("write", "deliver"), **commands: Any) -> Run:
    """Queue a run of a task with gates, in a project that names commands."""
    project = stage.project(*acts)
    project.settings = {"gates": {"commands": commands}}
    project.save()
    stored, problems = normalised(list(gates))
    assert not problems
    return stage.queue(task=make_task(project, is_ready=True, gates=stored))


def command(code: str, **more: Any) -> dict[str, Any]:
    return {"argv": ["sh", "-c", code], **more}


def status(run: Run) -> str:
    return Task.objects.get(pk=run.task_id).status


def test_a_delivery_whose_gates_are_met_is_approved(stage: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "correct-horse-battery")
    code = f"cat made.txt && git status && env && ! cat {stage.home}/secret_key"
    run = queue(stage, {"command": "test"}, test=command(code))
    stage.start()
    stage.wait_for(run)
    assert (run.state, status(run)) == (RunState.SUCCEEDED, Status.COMPLETED), run.reason
    row = Evidence.objects.get()
    assert (row.rung, row.passed, row.lease_number) == (Rung.OBSERVED, True, run.lease_number)
    assert (row.actor_kind, row.output.startswith("made by the agent")) == ("system", True)
    assert "SHOP_TOKEN" not in row.output
    assert "No such file" in row.output
    assert stage.left_of(run) == []


def test_a_delivery_whose_command_fails_is_sent_back_and_can_go_on(stage: Supervised) -> None:
    run = queue(stage, {"command": "test"}, test=command("echo the till is wrong; exit 7"))
    stage.start()
    stage.wait_for(run)
    run.task.refresh_from_db()
    assert (run.state, run.task.status) == (RunState.FAILED, Status.NEEDS_REVISION)
    assert "exit code 7" in run.reason
    assert "the till is wrong" in run.task.review_comment
    assert stage.worktree(run).exists()
    resume(run=run, actor=Actor(kind="person", name="ada"))
    assert stage.wait_for(run).state == RunState.FAILED
    assert Evidence.objects.filter(lease_number=run.lease_number).count() == 1


def test_the_commit_is_verified_by_all_that_the_agent_changed(stage: Supervised) -> None:
    run = queue(stage, {"kind": "commit", "paths": ["made.txt"]})
    stage.start()
    stage.wait_for(run)
    row = Evidence.objects.get()
    assert (row.rung, row.passed, row.commit) == (Rung.VERIFIED, True, run.head_commit), row.summary
    assert status(run) == Status.COMPLETED


@pytest.mark.parametrize(("acts", "paths"), [(("deliver",), []), (("write", "deliver"), ["docs"])])
def test_a_commit_that_is_missing_or_elsewhere_is_sent_back(
    stage: Supervised, acts: tuple[str, ...], paths: list[str]
) -> None:
    run = queue(stage, {"kind": "commit", "paths": paths}, acts=acts)
    stage.start()
    assert stage.wait_for(run).state == RunState.FAILED
    assert (status(run), Evidence.objects.get().passed) == (Status.NEEDS_REVISION, False)


def test_what_stays_in_the_projects_own_folder_is_committed_by_a_person_first(stage: Supervised) -> None:
    run = queue(stage, "commit")
    Run.objects.filter(pk=run.pk).update(workspace=Workspace.CURRENT)
    Isolation.objects.update(settings={**run.project.isolation.settings, "own_folder": True})
    stage.start()
    assert stage.wait_for(run).state == RunState.SUCCEEDED, run.reason
    assert (status(run), Evidence.objects.count()) == (Status.IN_REVIEW, 0)


@pytest.mark.parametrize(("tests", "state"), [(("one",), RunState.SUCCEEDED), ((), RunState.FAILED)])
def test_a_report_counts_by_its_tests(stage: Supervised, tests: tuple[str, ...], state: str) -> None:
    check = {"argv": python(WRITE_REPORT, *tests), "report": REPORT}
    run = queue(stage, {"kind": "report", "rung": "observed"}, {"command": "check"}, check=check)
    stage.start()
    assert stage.wait_for(run).state == state
    assert [row.facts["tests"] for row in Evidence.objects.all()] == [len(tests)] * 2


HOSTILE_REPORT = f"mkdir build && echo '<testsuite><testcase/></testsuite>' > build/real && ln -s real {REPORT}"


@pytest.mark.parametrize("code", ["echo x > made.txt", HOSTILE_REPORT, "sleep 1000"])
def test_what_does_not_count_is_sent_back(stage: Supervised, code: str) -> None:
    run = queue(stage, {"command": "test"}, test=command(code, timeout_seconds=2, report=REPORT))
    stage.start()
    assert stage.wait_for(run).state == RunState.FAILED
    assert (status(run), stage.left_of(run)) == (Status.NEEDS_REVISION, [])


def test_what_a_reviewer_has_to_say_waits_for_one_and_the_page_says_so(stage: Supervised, client: Client) -> None:
    run = queue(stage, {"command": "test"}, "review", test=command("true"))
    stage.start()
    assert stage.wait_for(run).state == RunState.SUCCEEDED
    assert status(run) == Status.IN_REVIEW
    assert [(each["gate"], each["met"]) for each in run.facts["gates"]] == [("test", True), ("review", False)]
    page = html_of(signed_in(client).get(f"/runs/{run.public_id}/"))
    assert page.partition('id="gates"')[2].partition("</ul>")[0].count("<li>") == 2


def test_where_a_command_cannot_be_started_a_person_decides(stage: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(without(stage.folder / "bin", "bwrap")))
    run = queue(stage, {"command": "test"}, test={"argv": ["no-such-program"]})
    stage.start()
    stage.wait_for(run)
    assert (run.state, status(run)) == (RunState.SUCCEEDED, Status.IN_REVIEW)
    assert "no-such-program" in run.reason


def test_a_command_has_a_home_of_its_own_where_the_agent_left_nothing(stage: Supervised) -> None:
    run = queue(
        stage, {"command": "test"}, acts=("remain", "deliver"), test=command("touch $HOME/x && ! ls $HOME/left")
    )
    stage.start()
    assert stage.wait_for(run).state == RunState.SUCCEEDED, run.reason


def test_a_command_has_the_home_that_the_setup_has_filled(stage: Supervised) -> None:
    run = queue(stage, {"command": "test"}, test=command("test -e $HOME/tool"))
    setup = ["sh", "-c", "touch $HOME/tool"]
    Isolation.objects.update(settings={**run.project.isolation.settings, "setup": setup})
    stage.start()
    assert stage.wait_for(run).state == RunState.SUCCEEDED, run.reason


def test_a_supervisor_that_is_killed_leaves_it_to_the_next_and_nothing_twice(stage: Supervised) -> None:
    go, ran = "build/go", "build/ran"
    code = "mkdir -p build; echo x >> build/ran; while [ ! -e build/go ]; do sleep 0.05; done"
    run = queue(stage, {"command": "test"}, test=command(code))
    first = stage.start()
    folder = stage.worktree(run)
    wait_until((folder / ran).exists, "the command")
    first.kill()
    first.wait()
    assert Run.objects.get(pk=run.pk).state == RunState.COLLECTING
    Supervisor.objects.update(seen_at="2026-01-01T00:00:00Z")
    stage.start()
    wait_until(lambda: (folder / ran).read_text() == "x\nx\n", "the next one")
    assert len(stage.left_of(run)) > 0
    (folder / go).touch()
    stage.wait_for(run)
    assert (run.state, status(run)) == (RunState.SUCCEEDED, Status.COMPLETED)
    assert Evidence.objects.count() == 1
    assert Event.objects.filter(verb="approve").count() == 1
    assert stage.left_of(run) == []


def test_a_supervisor_that_is_killed_after_it_sent_a_delivery_back_leaves_that_to_the_next(stage: Supervised) -> None:
    run = queue(stage, {"command": "test"}, test=command("exit 7"))
    first = stage.start()
    stage.wait_for(run)
    first.kill()  # or it would go on with the run
    first.wait()
    run = Run.objects.select_related("task", "project").get(pk=run.pk)
    Run.objects.filter(pk=run.pk).update(state=RunState.COLLECTING, ended_at=None, reason="")
    run.refresh_from_db(fields=["state", "ended_at", "reason"])
    finishing.collect(run, run.attempts.latest("number"), Orders())
    assert (run.state, status(run)) == (RunState.FAILED, Status.NEEDS_REVISION)
    assert "exit code 7" in run.reason
    assert stage.worktree(run).exists()


def test_a_server_that_stops_leaves_no_command_behind(stage: Supervised) -> None:
    code = "mkdir -p build; touch build/ran; test -e build/go || sleep 1000"
    run = queue(stage, {"command": "test"}, test=command(code))
    first = stage.start()
    folder = stage.worktree(run) / "build"
    wait_until((folder / "ran").exists, "the command")
    first.terminate()
    assert first.wait(30) == 0
    assert stage.left_of(run) == []
    (folder / "go").touch()
    stage.start()
    stage.wait_for(run)
    assert (run.state, status(run)) == (RunState.SUCCEEDED, Status.COMPLETED)
