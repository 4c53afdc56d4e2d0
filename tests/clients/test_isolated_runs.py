"""Real clients as isolated agents of a real site, with a model that plays a script for each task."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from artifacts.models import Artifact
from tasks.agents.adapters.events import Outcome, Reason, State
from tasks.agents.brief import FOLLOW_UP
from tasks.agents.choices import AskState, RunState
from tasks.agents.models import Run, Supervisor
from tasks.agents.services.control import answer, kill, message, resume
from tasks.agents.supervisor.outcome import reason_of
from tasks.choices import Status, Verb
from tasks.models import Event
from tests.clients.isolated import ADA, Isolated, isolated
from tests.clients.model.script import Json
from tests.clients.network import offline
from tests.factories import make_plan
from tests.site.processes import wait_until


@pytest.fixture(scope="module")
def one_site(clients: None, django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Isolated]:
    """One site for all tests here: a start takes longer than a run."""
    with django_db_blocker.unblock(), offline() as network:
        with isolated(network) as made:
            yield made
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture
def site(one_site: Isolated) -> Iterator[Isolated]:
    """The site, where nothing is left of the runs of a test."""
    yield one_site
    assert one_site.left() == []


def call(tool: str, **arguments: Any) -> Json:
    return {"text": f"Next: {tool}.", "tool": tool, "arguments": arguments}


def write(path: str = "made.txt", tool: str = "Write") -> Json:
    return call(tool, file_path=path, content="made by the agent\n")


DELIVER = call(
    "orchestrator_complete_subtask",
    task_id="{{brief.task_id}}", summary="It is done.", detailed_work="All is in made.txt.", next_action="complete",
)  # fmt: skip
DONE: Json = {"text": "Done."}
UNASKED = call("Bash", command="sh -c 'echo made by the agent > made.txt'")
"""What Claude Code may not do by itself."""


def said(reason: Reason) -> str:
    return reason_of(Outcome(State.FAILED, reason))


def made_in(site: Isolated, run: Run) -> str:
    return site.git("show", f"{run.branch}:made.txt")


CLIENTS = pytest.mark.parametrize(
    ("agent", "model", "edit"),
    [
        ("claude", "", write()),
        ("codex", "unknown", call("exec_command", cmd="echo made by the agent > made.txt")),
        ("gemini", "", write("{{brief.folder}}/made.txt", tool="write_file")),
    ],
    ids=["Claude Code", "Codex", "Gemini CLI"],
)


@CLIENTS
def test_a_client_delivers_and_its_changes_are_on_a_branch(site: Isolated, agent: str, model: str, edit: Json) -> None:
    run = site.run(site.task(edit, DELIVER, DONE), agent, model)
    site.wait_for(run)
    assert (run.state, run.attempts.count(), run.facts["jailed"]) == (RunState.SUCCEEDED, 1, True), run.reason
    run.task.refresh_from_db()
    assert (run.task.status, run.task.summary) == (Status.COMPLETED, "It is done.")
    assert Artifact.objects.get(task=run.task).version == 1
    assert made_in(site, run) == "made by the agent\n"
    assert site.git("status", "--porcelain") == ""


def test_a_plan_of_eight_is_done_by_several_at_once(site: Isolated) -> None:
    plan = make_plan(site.shop, 8)
    for task in plan.children.all():
        site.play(task, write(f"{task.public_id}.txt"), DELIVER, DONE)
    plan.children.update(is_ready=True)
    runs = site.runs(plan)
    for run in runs:
        assert site.wait_for(run).state == RunState.SUCCEEDED, run.reason
        assert [file["path"] for file in run.facts["files"]] == [f"{run.task.public_id}.txt"]
    plan.refresh_from_db()
    assert plan.status == Status.COMPLETED
    in_order = sorted(runs, key=lambda run: run.started_at)
    assert any(later.started_at < earlier.ended_at for earlier, later in pairwise(in_order))


def test_a_run_that_was_killed_goes_on_with_what_its_agent_knew(site: Isolated) -> None:
    task = site.task(write(), DELIVER, DONE)
    held = site.hold(task, results=1)
    run = site.run(task)
    wait_until(lambda: (site.worktree(run) / "made.txt").exists(), "the edit")
    kill(run=run, actor=ADA)
    assert site.wait_for(run).state == RunState.KILLED
    assert (site.left(), made_in(site, run)) == ([], "made by the agent\n")
    held.unlink()
    resume(run=run, actor=ADA, text="Go on with cents.")
    assert site.wait_for(run).state == RunState.SUCCEEDED, run.reason
    first, second = run.attempts.all()
    assert (second.session_id, second.resumes) == (first.session_id, True)
    shown = json.dumps(site.seen(run)[-1]["messages"])
    assert "Next: Write." in shown
    assert "Go on with cents." in shown


def test_a_run_ends_when_its_time_is_over_and_when_its_agent_is_silent(site: Isolated) -> None:
    tasks = [site.task(write(), DELIVER, DONE) for _ in range(2)]
    held = [site.hold(task, results=1) for task in tasks]
    late, silent = site.run(tasks[0], minutes=0.1), site.run(tasks[1], idle_minutes=0.05)
    for run in (late, silent):
        assert site.wait_for(run).state == RunState.TIMED_OUT, run.reason
        assert made_in(site, run) == "made by the agent\n"
    for file in held:
        file.unlink()


@pytest.mark.parametrize(
    ("allow", "answered", "files"),
    [(True, AskState.ALLOWED, ["made.txt"]), (False, AskState.DENIED, [])],
    ids=["allowed", "denied"],
)
def test_what_an_agent_asks_is_answered(site: Isolated, allow: bool, answered: str, files: list[str]) -> None:
    run = site.run(site.task(UNASKED, DELIVER, DONE))
    site.wait_for(run, RunState.ASKING)
    ask = answer(run=run, actor=ADA, ask=None, allow=allow, reason="As agreed.")
    assert (ask.tool, ask.state) == ("Bash", answered)
    assert site.wait_for(run).state == RunState.SUCCEEDED, run.reason
    assert [file["path"] for file in run.facts["files"]] == files


def test_a_message_reaches_an_agent_in_the_middle_of_its_turn(site: Isolated) -> None:
    task = site.task(write(), write("more.txt"), DELIVER, DONE)
    held = site.hold(task, results=1)
    run = site.run(task)
    wait_until(lambda: (site.worktree(run) / "made.txt").exists(), "the edit")
    sent = message(run=run, actor=ADA, text="Use cents.")
    wait_until(lambda: run.messages.filter(pk=sent.pk, sent_at=None).count() == 0, "the message")
    held.unlink()
    assert site.wait_for(run).state == RunState.SUCCEEDED, run.reason
    knew = ["Use cents." in json.dumps(body) for body in site.seen(run)]
    assert knew[-1]
    assert (run.attempts.count(), knew.index(True) < len(knew) - 1) == (1, True)


def test_a_run_that_costs_too_much_is_ended(site: Isolated) -> None:
    dear = write() | {"usage": {"output_tokens": 200_000}}
    run = site.run(site.task(dear, DELIVER, DONE), model="claude-sonnet-4-5", cost_usd="1")
    site.wait_for(run)
    assert (run.state, run.cost_usd > 1) == (RunState.FAILED, True)
    assert run.reason.startswith(said(Reason.MAX_COST))
    assert made_in(site, run) == "made by the agent\n"


def test_a_busy_provider_is_waited_for(site: Isolated) -> None:
    run = site.run(site.task(write() | {"errors": [529, 529]}, DELIVER, DONE))
    assert site.wait_for(run).state == RunState.SUCCEEDED, run.reason
    events = Event.objects.filter(task=run.task, verb=Verb.RUN).order_by("id")
    states = [event.after.get("state") for event in events]
    assert states[2:5] == [RunState.RUNNING, RunState.RATE_LIMITED, RunState.RUNNING]


def test_a_run_whose_share_is_used_up_waits_in_the_queue_and_goes_on(site: Isolated) -> None:
    run = site.run(site.task(write(), DELIVER | {"errors": [429]}, DONE))
    wait_until(lambda: Run.objects.filter(pk=run.pk, not_before__gt=timezone.now()).exists(), "the pause")
    assert (Run.objects.get(pk=run.pk).state, site.left()) == (RunState.QUEUED, [])
    Run.objects.filter(pk=run.pk).update(not_before=None)
    assert site.wait_for(run).state == RunState.SUCCEEDED, run.reason
    assert len(set(run.attempts.values_list("session_id", flat=True))) == 1
    assert made_in(site, run) == "made by the agent\n"


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGKILL], ids=["restarted", "killed"])
def test_a_run_notices_nothing_of_a_site_that_is(site: Isolated, how: signal.Signals) -> None:
    task = site.task(write(), DELIVER, DONE)
    held = site.hold(task, results=1)
    run = site.run(task)
    wait_until(lambda: (site.worktree(run) / "made.txt").exists(), "the edit")
    before = site.children()
    for pid in [site.up] if how == signal.SIGHUP else before:
        os.kill(pid, how)
    Supervisor.objects.filter(pid__in=before).update(seen_at=timezone.now() - timedelta(hours=1))
    wait_until(lambda: len(set(site.children()) - set(before)) == len(before), "new children")
    held.unlink()
    assert site.wait_for(run).state == RunState.SUCCEEDED, run.reason
    assert run.attempts.count() == 1


def test_a_run_whose_board_does_not_answer_fails(site: Isolated) -> None:
    with site.board_at(site.stage.model):
        run = site.run(site.task(DONE))
        site.wait_for(run)
    assert run.state == RunState.FAILED
    assert run.reason.startswith(said(Reason.NO_BOARD))


def test_a_run_waits_for_a_site_that_does_not_answer(site: Isolated) -> None:
    with site.board_at("http://127.0.0.1:1"):
        run = site.run(site.task(write(), DELIVER, DONE))
        wait_until(lambda: bool(Run.objects.get(pk=run.pk).reason), "the reason")
    assert site.wait_for(run).state == RunState.SUCCEEDED, run.reason


@CLIENTS
def test_an_agent_that_delivers_nothing_is_asked_once(site: Isolated, agent: str, model: str, edit: Json) -> None:
    run = site.run(site.task(edit, DONE), agent, model)
    site.wait_for(run)
    assert run.state == RunState.FAILED
    assert run.reason.startswith(said(Reason.NO_DELIVERY))
    assert sum(attempt.follow_ups for attempt in run.attempts.all()) == 1
    assert json.dumps(site.seen(run)[-1]).count(FOLLOW_UP[:40]) == 1
    assert made_in(site, run) == "made by the agent\n"
