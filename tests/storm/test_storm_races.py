"""Eight servers that do the same thing at the same moment, round after round."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tests.storm.audit import audit
from tests.storm.client import Answer, Server

pytestmark = [pytest.mark.storm, pytest.mark.timeout(240)]

SERVERS = 8
ROUNDS = 10
WORK = {"summary": "As asked", "next_action": "complete"}


class Crowd:
    """Eight servers on one project, each in front of its own assistant."""

    def __init__(self, home: Path, project: Path) -> None:
        self.home = home
        self.servers = [Server(home, project) for _ in range(SERVERS)]
        self.threads = ThreadPoolExecutor(SERVERS)
        list(self.threads.map(self.open, self.servers))

    def open(self, server: Server) -> None:
        server.greet()
        assert "session_id" in server.call("initialize_session")

    def at_once(self, tool: str, *arguments: dict[str, Any]) -> list[Answer]:
        """Send a call from every server at the same moment, each with its own arguments or all with the same."""
        barrier = Barrier(SERVERS)

        def send(number: int) -> Answer:
            given = arguments[number % len(arguments)]
            barrier.wait()
            return self.servers[number].call(tool, **given)

        return list(self.threads.map(send, range(SERVERS)))

    def plan(self, size: int) -> list[str]:
        """Plan subtasks that wait for nothing; returns the plan's id and theirs."""
        subtasks = [{"title": f"Part {n}", "description": "Do it", "specialist_type": "tester"} for n in range(size)]
        made = self.servers[0].call("plan_task", description=f"Job {uuid.uuid4()}", subtasks=subtasks)
        return [made["parent_task_id"], *(row["task_id"] for row in made["subtasks"])]

    def end(self) -> None:
        list(self.threads.map(Server.end, self.servers))
        self.threads.shutdown()


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    folder = tmp_path_factory.mktemp("crowd")
    (folder / "project").mkdir()
    crowd = Crowd(folder / "home", folder / "project")
    yield crowd
    crowd.end()
    with audit(crowd.home) as found:
        found.check_everything()


def codes(answers: list[Answer]) -> Counter[str]:
    return Counter(answer.get("code", "done") for answer in answers)


def test_of_eight_claims_of_one_task_one_wins(crowd: Crowd, tell: Callable[[str], None]) -> None:
    total: Counter[str] = Counter()
    for _ in range(ROUNDS):
        _, task = crowd.plan(1)
        seen = codes(crowd.at_once("execute_subtask", {"task_id": task}))
        assert seen == {"done": 1, "conflict": SERVERS - 1}
        total += seen
    tell(f"{ROUNDS} rounds: {dict(total)}")


def test_eight_claims_of_whatever_is_next_get_eight_tasks(crowd: Crowd, tell: Callable[[str], None]) -> None:
    for _ in range(ROUNDS):
        crowd.plan(SERVERS)
        answers = crowd.at_once("execute_subtask", {})
        assert len({answer["task_id"] for answer in answers}) == SERVERS
    tell(f"{ROUNDS} rounds: {ROUNDS * SERVERS} claims, every task given out once")


def test_a_parent_whose_last_subtasks_complete_at_once_is_completed_once(
    crowd: Crowd, tell: Callable[[str], None]
) -> None:
    for _ in range(ROUNDS):
        plan, *tasks = crowd.plan(SERVERS)
        claims = crowd.at_once("execute_subtask", *({"task_id": task} for task in tasks))
        assert codes(claims) == {"done": SERVERS}
        works = [{"task_id": task, "detailed_work": f"Work on {task}", **WORK} for task in tasks]
        answers = crowd.at_once("complete_subtask", *works)
        assert codes(answers) == {"done": SERVERS}
        assert any(plan in answer["next"] for answer in answers)
        assert events_of(crowd, plan) == {"plan": 1, "start": 1, "finish": 1}
    tell(f"{ROUNDS} rounds: {ROUNDS * SERVERS} completions, {ROUNDS} plans finished once each")


def events_of(crowd: Crowd, task: str) -> Counter[str]:
    with audit(crowd.home) as found:
        rows = found.rows(
            "SELECT verb, count(*) FROM tasks_event WHERE task_id = "
            "(SELECT id FROM tasks_task WHERE public_id = ?) GROUP BY verb",
            task,
        )
    return Counter(dict(rows))


def stored(crowd: Crowd, task: str) -> int:
    """Count what is stored of a task."""
    with audit(crowd.home) as found:
        return sum(1 for owner, _ in found.works() if owner == task)


@pytest.mark.parametrize("numbered", [True, False])
def test_the_late_write_of_a_replaced_holder_stores_nothing(crowd: Crowd, numbered: bool) -> None:
    first, second = crowd.servers[:2]
    for size in (1_000, 100_000):
        _, task = crowd.plan(1)
        lease = first.call("execute_subtask", task_id=task)["lease_number"]
        taken = second.call("execute_subtask", task_id=task, take_over=True)
        assert taken["took_over"] is True
        assert taken["lease_number"] > lease
        number = {"lease_number": lease} if numbered else {}
        late = first.call("complete_subtask", task_id=task, detailed_work="x" * size, **number, **WORK)
        assert late["code"] == "conflict"
        assert stored(crowd, task) == 0
        assert second.call("get_status", task_id=task)["status"] == "active"
        good = second.call("complete_subtask", task_id=task, detailed_work="y" * size, **WORK)
        assert good["status"] == "completed"
        assert stored(crowd, task) == 1


def test_a_delivery_and_seven_take_overs_at_once_leave_one_truth(crowd: Crowd, tell: Callable[[str], None]) -> None:
    outcomes: Counter[str] = Counter()
    for _ in range(ROUNDS):
        _, task = crowd.plan(1)
        lease = crowd.servers[0].call("execute_subtask", task_id=task)["lease_number"]
        barrier = Barrier(SERVERS)

        def act(number: int, task: str = task, lease: int = lease, barrier: Barrier = barrier) -> Answer:
            barrier.wait()
            if number:
                return crowd.servers[number].call("execute_subtask", task_id=task, take_over=True)
            return crowd.servers[0].call(
                "complete_subtask", task_id=task, lease_number=lease, detailed_work="Just in time", **WORK
            )

        delivery, *claims = crowd.threads.map(act, range(SERVERS))
        numbers = [claim["lease_number"] for claim in claims if "code" not in claim]
        assert len(set(numbers)) == len(numbers)
        assert {claim["code"] for claim in claims if "code" in claim} <= {"conflict"}
        in_time = "code" not in delivery
        assert in_time != bool(numbers)
        assert in_time or delivery["code"] == "conflict"
        assert stored(crowd, task) == in_time
        outcomes["in time" if in_time else "too late"] += 1
    tell(f"{ROUNDS} rounds: {dict(outcomes)}")


def test_one_key_from_eight_servers_plans_once(crowd: Crowd, tell: Callable[[str], None]) -> None:
    subtasks = [{"title": "Part", "description": "Do it", "specialist_type": "tester"}]
    for _ in range(ROUNDS):
        key = str(uuid.uuid4())
        call = {"description": f"Job {key}", "subtasks": subtasks, "idempotency_key": key}
        plan = the_one_answer(crowd.at_once("plan_task", call))["parent_task_id"]
        assert events_of(crowd, plan)["plan"] == 1
        with audit(crowd.home) as found:
            assert found.rows("SELECT count(*) FROM tasks_task WHERE description = ?", f"Job {key}") == [(1,)]
    tell(f"{ROUNDS} rounds of {SERVERS} calls: {ROUNDS} plans")


def test_one_key_of_one_session_from_eight_servers_claims_once(crowd: Crowd, tell: Callable[[str], None]) -> None:
    session = crowd.servers[0].call("initialize_session")["session_id"]
    for _ in range(ROUNDS):
        _, task = crowd.plan(1)
        call = {"task_id": task, "idempotency_key": task, "session_id": session}
        claim = the_one_answer(crowd.at_once("execute_subtask", call))
        assert claim["lease_number"] == 1
        assert events_of(crowd, task) == {"plan": 1, "claim": 1}
    tell(f"{ROUNDS} rounds of {SERVERS} calls: {ROUNDS} claims")


def test_one_key_of_eight_sessions_hands_the_claim_to_one_of_them(crowd: Crowd) -> None:
    for _ in range(ROUNDS):
        _, task = crowd.plan(1)
        answers = crowd.at_once("execute_subtask", {"task_id": task, "idempotency_key": task})
        assert codes(answers) == {"done": 1, "conflict": SERVERS - 1}
        assert events_of(crowd, task) == {"plan": 1, "claim": 1}


def test_one_key_from_eight_servers_delivers_once(crowd: Crowd, tell: Callable[[str], None]) -> None:
    for size in (1_000, 100_000) * (ROUNDS // 2):
        _, task = crowd.plan(1)
        delivery = {"task_id": task, "detailed_work": "work " * (size // 5), "idempotency_key": task, **WORK}
        done = the_one_answer(crowd.at_once("complete_subtask", delivery))
        assert done["status"] == "completed"
        assert done["artifact_info"]["version"] == 1
        assert events_of(crowd, task) == {"plan": 1, "claim": 1, "deliver": 1, "complete": 1}
        assert stored(crowd, task) == 1
    tell(f"{ROUNDS} rounds of {SERVERS} calls: {ROUNDS} works")


def the_one_answer(answers: list[Answer]) -> Answer:
    """Return what every server answered; all but one say that it is an answer known from before."""
    assert codes(answers) == {"done": SERVERS}
    assert sum(answer.pop("replayed", False) for answer in answers) == SERVERS - 1
    assert all(answer == answers[0] for answer in answers)
    return answers[0]
