"""kill -9 in the middle, again and again: what was acknowledged is there, and what was in hand gets done by others."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import cycle
from pathlib import Path
from random import Random

import pytest

from tests.storm.assistant import Survivor
from tests.storm.audit import Audit, audit
from tests.storm.client import Answer, Server, wait_for

pytestmark = [pytest.mark.storm, pytest.mark.timeout(300)]

ASSISTANTS = 4
KILLS = 20
LEASE_SECONDS = 6
KINDS = {"both": (True, True), "worker": (False, True), "front": (True, False)}


@pytest.fixture
def survivors(home: Path, project: Path) -> Iterator[list[Survivor]]:
    """Assistants at work on a project whose leases are short."""
    assistants = [Survivor(f"survivor {n}", lambda: Server(home, project)) for n in range(ASSISTANTS)]
    assistants[0].arrive()
    shorten_leases(home)
    for assistant in assistants:
        assistant.start()
    yield assistants
    for assistant in assistants:
        assistant.is_working = False
    for assistant in assistants:
        assistant.join(60)
        assistant.server.end()


def shorten_leases(home: Path) -> None:
    with closing(sqlite3.connect(home / "orchestrator.sqlite3", timeout=30)) as db, db:
        db.execute("UPDATE tasks_project SET settings = json_set(settings, '$.lease_minutes', ?)", [LEASE_SECONDS / 60])


def test_twenty_kills_lose_nothing_that_was_acknowledged(
    survivors: list[Survivor], home: Path, tell: Callable[[str], None]
) -> None:
    started = time.monotonic()
    chance, kinds, killed = Random(20), cycle(KINDS), Counter[str]()
    for _ in range(KILLS):
        victim, kind = chance.choice(survivors), next(kinds)
        goal = victim.calls + chance.randint(2, 10)
        wait_for(lambda: victim.calls >= goal or not victim.is_alive(), "the victim's next calls")  # noqa: B023
        time.sleep(chance.uniform(0, 0.03))  # so that the kills are scattered over all that a call does
        front, worker = KINDS[kind]
        victim.server.kill(front=front, worker=worker)
        killed[kind] += 1
    for assistant in survivors:
        assistant.is_planning = False
    with audit(home) as found:
        in_hand = found.statuses().get("active", 0)
        wait_for(
            lambda: set(found.statuses()) == {"completed"} or not any(each.is_alive() for each in survivors),
            "the end of all work",
        )
        for assistant in survivors:
            assistant.is_working = False
        for assistant in survivors:
            assistant.join(60)
        seconds = time.monotonic() - started
        check_what_was_acknowledged(survivors, found)
        completed = found.completions().total()
        freed = found.rows("SELECT count(*) FROM tasks_event WHERE verb = 'release' AND actor_name = 'orchestrator'")[
            0
        ][0]
    calls = sum(each.calls for each in survivors)
    tell(
        f"{KILLS} kills ({', '.join(f'{number} {kind}' for kind, number in killed.items())}), {calls} calls in "
        f"{seconds:.0f} s; {sum(len(each.completed) for each in survivors)} acknowledged completions of "
        f"{completed}, {sum(each.large_works for each in survivors)} works in files; "
        f"{sum(each.transient for each in survivors)} transient answers, {in_hand} tasks in hand at the end "
        f"of the kills, {freed} leases came free, {sum(each.late for each in survivors)} came late; 0 lost"
    )


def check_what_was_acknowledged(survivors: list[Survivor], found: Audit) -> None:
    assert [assistant.wrong for assistant in survivors] == [[]] * ASSISTANTS
    found.check_everything()
    acknowledged = Counter(task for each in survivors for task in each.completed)
    completions = found.completions()
    assert max(completions.values()) == 1
    assert acknowledged <= completions
    assert {work for each in survivors for work in each.works} <= found.works()
    assert set(found.statuses()) == {"completed"}
    verbs: Counter[str] = sum((each.verbs for each in survivors), Counter())
    assert verbs <= found.verbs()


@pytest.mark.parametrize(("kind", "why"), [("both", "The lease expired."), ("front", "The holder's session ended.")])
def test_the_task_of_a_killed_server_comes_free(kind: str, why: str, home: Path, project: Path) -> None:
    first, second = Survivor("first", lambda: Server(home, project)), Survivor("second", lambda: Server(home, project))
    first.arrive()
    second.arrive()
    shorten_leases(home)
    first.plan()
    task = first.server.call("execute_subtask")["task_id"]
    assert second.server.call("execute_subtask", task_id=task)["code"] == "conflict"
    front, worker = KINDS[kind]
    first.server.kill(front=front, worker=worker)
    brief = wait_for(lambda: claimed(second.server), "the end of the lease")
    assert brief["task_id"] == task
    assert brief["lease_number"] == 2
    with audit(home) as found:
        assert found.rows("SELECT json_extract(after, '$.reason') FROM tasks_event WHERE verb = 'release'") == [(why,)]
    for each in (first, second):
        each.server.end()


def claimed(server: Server) -> Answer | None:
    """Return the brief of the next task, or None while nothing is ready."""
    answer = server.call("execute_subtask")
    return None if answer.get("code") == "not_ready" else answer
