"""What supervisors report of the attempts of agents: the model that was at work, and what it used."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest

from tasks.agents.adapters import events as heard
from tasks.agents.adapters.base import Conversation
from tasks.agents.choices import RunState
from tasks.agents.models import Attempt, Run
from tasks.agents.places import log_of
from tasks.agents.processes import Process
from tasks.agents.processes.model import Log
from tasks.agents.services.supervise import session_actor
from tasks.agents.settings import IsolationSettings
from tasks.agents.supervisor import finishing
from tasks.agents.supervisor.following import Follower, Left, Orders
from tasks.agents.supervisor.launching import Started
from tasks.choices import Verb
from tasks.services.claim import claim
from tasks.services.complete import complete
from tests.agents.rows import make_attempt, make_run, make_supervisor
from tests.factories import make_plan, make_project, make_task

pytestmark = pytest.mark.django_db


class Talk:
    """An agent that says what it runs on, and what it has used by now."""

    def feed(self, line: bytes) -> Iterator[heard.Event]:
        yield heard.Started("its own session", "opus-4-1")
        yield heard.Usage(read_tokens=900, written_tokens=80, cost_usd=0.125)


@pytest.fixture
def run() -> Run:
    """Return a run that holds its task."""
    task = make_task(project := make_project(), parent=make_plan(project, 0), is_ready=True)
    run = make_run(task, RunState.RUNNING, model="opus", supervisor=make_supervisor())
    made = claim(task=task, actor=session_actor(run))
    run.task, run.session, run.lease_number = made.task, made.task.lease_session, made.task.lease_number
    run.save()
    return run


def follow(run: Run, folder: Path) -> None:
    log_of(run).parent.mkdir(parents=True)
    (folder / Log.EVENTS).write_text("a line\n")
    process = Process(run.public_id, str(folder), 2**22 + 1, "gone")
    orders = Orders()
    orders.leave.set()
    started = Started(make_attempt(run), process, cast(Conversation, Talk()), ())
    with pytest.raises(Left):
        Follower(run, started, IsolationSettings(), orders).follow()


def used(run: Run) -> Any:
    found = run.task.attempts.order_by("-lease_number").values_list(
        "read_tokens", "written_tokens", "cost_usd", "model"
    )
    return found[0]


def test_an_attempt_has_the_model_that_the_agent_named_and_what_it_used(run: Run, tmp_path: Path) -> None:
    follow(run, tmp_path)
    complete(task=run.task, actor=session_actor(run), summary="Done")
    finishing.give_back(run, "It is done.")
    assert used(run) == (900, 80, Decimal("0.125"), "opus-4-1")


def test_a_released_attempt_has_what_its_processes_used_and_not_what_earlier_ones_did(run: Run) -> None:
    earlier = make_attempt(run, usage={"read_tokens": 5_000, "cost_usd": 1.5})
    Attempt.objects.filter(pk=earlier.pk).update(started_at=run.task.active_at.replace(year=2001))
    make_attempt(run, usage={"read_tokens": 10, "written_tokens": 1, "cost_usd": None})
    make_attempt(run, usage={"read_tokens": 20, "written_tokens": 2, "cost_usd": 0.5})
    finishing.give_back(run, "It stopped.")
    assert run.task.attempts.get().outcome == Verb.RELEASE
    assert used(run) == (30, 3, Decimal("0.5"), "opus")


@pytest.mark.parametrize(
    "usage", [{"read_tokens": 2**64}, {"written_tokens": -1}, {"cost_usd": 1e30}, {"cost_usd": -0.5}], ids=str
)
def test_what_no_attempt_can_have_used_is_unknown(run: Run, usage: dict[str, float]) -> None:
    make_attempt(run, usage=usage)
    finishing.give_back(run, "It stopped.")
    assert used(run) == (None, None, None, "opus")


def test_of_an_agent_that_says_nothing_nothing_is_known(run: Run) -> None:
    make_attempt(run)
    make_attempt(run, usage={"read_tokens": 0, "written_tokens": 0, "cost_usd": None})
    finishing.give_back(run, "It stopped.")
    assert used(run) == (None, None, None, "opus")
