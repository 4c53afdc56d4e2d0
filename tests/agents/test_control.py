"""What people and assistants do with runs: end them, say something, answer, let them go on."""

from __future__ import annotations

import pytest

from orchestrator_site.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from orchestrator_site.kernel.identity import Scope
from tasks.agents.choices import ENDED, LIVE, WORKING, AskState, RunState
from tasks.agents.models import Run
from tasks.agents.services.control import answer, kill, message, resume
from tasks.agents.services.transitions import NotKept, move, write
from tasks.agents.state_machine import TABLE
from tasks.choices import Status
from tasks.identity.actor import Actor
from tests.agents.rows import make_ask, make_run, make_supervisor
from tests.factories import make_project, make_session, make_task

pytestmark = pytest.mark.django_db
ADA = Actor(kind="person", name="ada")


def a_run(state: str = RunState.RUNNING, **fields: object) -> Run:
    return make_run(make_task(make_project()), state, **fields)


def test_killing_a_queued_run_ends_it_at_once() -> None:
    run = kill(run=a_run(RunState.QUEUED), actor=ADA)
    assert (run.state, run.ended_at is not None) == (RunState.KILLED, True)


def test_killing_a_run_at_work_asks_its_supervisor() -> None:
    run = kill(run=a_run(), actor=ADA)
    assert (run.state, run.stop, run.stopped_by) == (RunState.RUNNING, RunState.KILLED, "ada")
    assert kill(run=run, actor=ADA).stop == RunState.KILLED


@pytest.mark.parametrize("state", ENDED)
def test_what_has_ended_cannot_be_killed(state: str) -> None:
    with pytest.raises(Conflict):
        kill(run=a_run(state), actor=ADA)


@pytest.mark.parametrize("act", ["kill", "message", "resume", "answer"])
def test_an_agent_in_a_run_does_nothing_with_runs(act: str) -> None:
    run = a_run()
    inside = Actor.assistant(make_session(run.project), only_task=run.task_id)
    calls = {
        "kill": lambda: kill(run=run, actor=inside),
        "message": lambda: message(run=run, actor=inside, text="Hello"),
        "resume": lambda: resume(run=run, actor=inside),
        "answer": lambda: answer(run=run, actor=inside, ask=None, allow=True),
    }
    with pytest.raises(Forbidden):
        calls[act]()


def test_a_message_waits_for_the_agent() -> None:
    run = a_run()
    made = message(run=run, actor=ADA, text="  Use cents.  ")
    assert (made.text, made.sent_at) == ("Use cents.", None)


@pytest.mark.parametrize("text", ["", "   ", "x" * 20_001, "a\x00b"])
def test_a_message_that_cannot_be_sent_is_invalid(text: str) -> None:
    with pytest.raises(Invalid):
        message(run=a_run(), actor=ADA, text=text)


def test_an_ended_run_takes_no_message() -> None:
    with pytest.raises(Conflict):
        message(run=a_run(RunState.FAILED), actor=ADA, text="Hello")


def test_an_ask_is_answered_once() -> None:
    run = a_run(RunState.ASKING)
    make_ask(run)
    answered = answer(run=run, actor=ADA, ask=None, allow=False, reason="Not that.")
    assert (answered.state, answered.answered_by) == (AskState.DENIED, "ada")
    with pytest.raises(NotFound):
        answer(run=run, actor=ADA, ask=None, allow=True)
    with pytest.raises(Conflict):
        answer(run=run, actor=ADA, ask=answered.pk, allow=True)


def test_an_answer_needs_review() -> None:
    run = a_run(RunState.ASKING)
    make_ask(run)
    writer = Actor.assistant(make_session(run.project), frozenset({Scope.READ, Scope.WRITE}))
    with pytest.raises(Forbidden):
        answer(run=run, actor=writer, ask=None, allow=True)


def test_a_failed_run_goes_on_with_a_message() -> None:
    run = resume(run=a_run(RunState.FAILED, stop=RunState.KILLED), actor=ADA, text="Try again.")
    assert (run.state, run.resumes, run.stop, run.ended_at) == (RunState.QUEUED, True, "", None)
    assert run.messages.get().text == "Try again."


@pytest.mark.parametrize("state", [*LIVE, RunState.SUCCEEDED, RunState.TAMPERED])
def test_only_what_ended_early_can_go_on(state: str) -> None:
    with pytest.raises(Conflict):
        resume(run=a_run(state), actor=ADA)


def test_a_run_whose_task_is_done_cannot_go_on() -> None:
    run = make_run(make_task(make_project(), status=Status.COMPLETED), RunState.FAILED)
    with pytest.raises(Conflict):
        resume(run=run, actor=ADA)


def test_every_state_leads_somewhere_or_is_an_end() -> None:
    assert set(TABLE) == set(RunState)
    reached = {state for following in TABLE.values() for state in following}
    assert set(RunState) <= reached | {RunState.QUEUED}
    assert all(TABLE[state] for state in LIVE)


@pytest.mark.parametrize("before", list(RunState))
@pytest.mark.parametrize("after", list(RunState))
def test_a_state_only_follows_where_the_table_says_so(before: RunState, after: RunState) -> None:
    run = a_run(before)
    if after in TABLE[before]:
        kept = {"supervisor": make_supervisor()} if after in WORKING else {}
        assert move(run, after, actor=ADA, **kept).state == after
        assert Run.objects.get(pk=run.pk).state == after
    else:
        with pytest.raises(Conflict):
            move(run, after, actor=ADA)


def test_a_supervisor_that_lost_a_run_writes_nothing() -> None:
    run = a_run()
    Run.objects.filter(pk=run.pk).update(keeping=run.keeping + 1)
    with pytest.raises(NotKept):
        write(run, turns=5)
    with pytest.raises(NotKept):
        move(run, RunState.STOPPING, actor=ADA)
    assert Run.objects.get(pk=run.pk).turns == 0
