"""Assistants that plan, claim and deliver for as long as they are let, and remember what was acknowledged."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Callable
from random import Random
from threading import Thread
from typing import Any

from tests.storm.client import Answer, Gone, Server, plan_of

LARGE = 64 * 1024
SIZES = (500, 3000, 12_000, 12_000, 30_000, 90_000)
VERB_OF = {"complete": "complete", "needs_revision": "hand_back", "blocked": "block"}


class Assistant(Thread):
    """Works in a thread of its own. `verbs` counts acknowledged changes by the verb of their events."""

    steers = True
    """Whether it also stops tasks, which it puts back itself."""

    def __init__(self, name: str, start: Callable[[], Server]) -> None:
        super().__init__(name=name)
        self.start_server = start
        self.server = start()
        self.chance = Random(name)
        self.is_planning = True
        self.is_working = True
        self.calls = 0
        self.not_ready = 0
        self.verbs: Counter[str] = Counter()
        self.completed: list[str] = []
        self.works: list[tuple[str, str]] = []
        self.large_works = 0
        self.wrong: list[Any] = []

    def run(self) -> None:
        try:
            self.arrive()
            while self.is_working:
                self.take_one()
        except Exception as error:  # noqa: BLE001 -- the test looks at it after the storm
            self.wrong.append(repr(error))

    def arrive(self) -> Answer:
        """Begin a conversation; returns the welcome."""
        self.server.greet()
        welcome = self.open_session()
        assert "session_id" in welcome, welcome
        return welcome

    def open_session(self) -> Answer:
        return self.server.call("initialize_session")

    def say(self, tool: str, **arguments: Any) -> Answer:
        """Call a tool that writes, with an idempotency key every other time."""
        self.calls += 1
        return self.server.call(tool, **arguments | self.maybe_a_key())

    def maybe_a_key(self) -> Answer:
        return {"idempotency_key": str(uuid.uuid4())} if self.chance.random() < 0.5 else {}

    def is_refused(self, what: str, answer: Answer) -> bool:
        """Whether an answer is an error; here nothing may be refused."""
        if "code" in answer:
            self.wrong.append((what, answer))
        return "code" in answer

    def take_one(self, **which: str) -> None:
        """Claim a task and end it in one way or another; plan where nothing is ready."""
        brief = self.say("execute_subtask", **which)
        if brief.get("code") == "not_ready":
            self.not_ready += 1
            if self.is_planning:
                self.plan()
        elif not self.is_refused("execute_subtask", brief):
            self.verbs["claim"] += not brief.get("renewed")
            self.end_work(brief["task_id"], brief["lease_number"])

    def plan(self) -> None:
        name = f"{self.name} {self.chance.getrandbits(32):x}"
        made = self.say("plan_task", description=f"Plan {name}", subtasks=plan_of(name))
        if not self.is_refused("plan_task", made):
            self.verbs["plan"] += 1 + made["subtasks_total"]

    def end_work(self, task_id: str, lease_number: int) -> None:
        luck = self.chance.random()
        if luck < 0.05:
            self.update(task_id, "release")
        elif luck < 0.1:
            self.deliver(task_id, lease_number, next_action="needs_revision", reason="Look again")
        elif luck < 0.2 and self.steers:
            stop, go_on = self.chance.choice([("fail", "retry"), ("block", "unblock")])
            self.update(task_id, stop)
            self.update(task_id, go_on)
        elif luck < 0.25 and self.steers:
            self.deliver(task_id, lease_number, next_action="blocked", reason="A password is missing")
            self.update(task_id, "unblock")
        else:
            self.deliver(task_id, lease_number, next_action="complete")

    def update(self, task_id: str, action: str) -> None:
        if not self.is_refused(action, self.say("update_task", task_id=task_id, action=action, reason="It happens")):
            self.verbs[action] += 1

    def deliver(self, task_id: str, lease_number: int, **how: str) -> None:
        lines = self.chance.choice(SIZES) // 65
        work = "\n".join([f"{task_id} under lease {lease_number}", *(self.line() for _ in range(lines))])
        answer = self.say(
            "complete_subtask",
            task_id=task_id,
            lease_number=lease_number,
            summary="As asked",
            detailed_work=work,
            file_paths=[f"{task_id}.md"],
            **how,
        )
        if not self.is_refused("complete_subtask", answer):
            self.remember(task_id, work, answer["artifact_info"], VERB_OF[how["next_action"]])

    def line(self) -> str:
        return f"{self.chance.getrandbits(256):064x}"

    def remember(self, task_id: str, work: str, stored: Answer, verb: str = "deliver") -> None:
        if stored["sha256"] != hashlib.sha256(work.encode()).hexdigest():
            self.wrong.append((task_id, "another sha256"))
        self.verbs.update({verb, "deliver"})
        self.works.append((task_id, stored["sha256"]))
        self.large_works += stored["size_bytes"] > LARGE
        if verb == "complete":
            self.completed.append(task_id)


class Unknown(Exception):
    """What became of a call is not known."""


class Survivor(Assistant):
    """An assistant whose server is killed now and then. It starts another one, and goes on or begins again."""

    steers = False  # it might not be there to put back what it stopped
    forgets = 0.5
    """How probably it forgets with its server what it was doing."""

    def __init__(self, name: str, start: Callable[[], Server]) -> None:
        super().__init__(name, start)
        self.lost_servers = 0
        self.cut_off: Counter[str] = Counter()
        self.transient = 0
        self.late = 0
        self.forgotten = 0

    def take_one(self, **which: str) -> None:
        """Work; where the outcome of a call stays unknown, see what is in hand and go on with that."""
        try:
            super().take_one(**which)
        except Unknown:
            for entry in self.arrive().get("in_progress", []):
                if entry["whose"] == "yours":
                    self.take_one(task_id=entry["task_id"])

    def arrive(self) -> Answer:
        while True:
            try:
                return super().arrive()
            except Gone:
                self.find_another_server()

    def open_session(self) -> Answer:
        while (welcome := super().open_session()).get("code") == "transient":
            self.transient += 1
        return welcome

    def find_another_server(self) -> None:
        self.lost_servers += 1
        self.server.kill()
        self.server.end()
        self.server = self.start_server()

    def say(self, tool: str, **arguments: Any) -> Answer:
        """Call a tool; until it is answered where it carries a key, or the number of the lease that it holds for.

        Raises Unknown for the others, and where the assistant forgot with its server what it was doing.
        """
        arguments |= self.maybe_a_key()
        while True:
            self.calls += 1
            try:
                answer = self.server.call(tool, **arguments)
            except Gone:
                self.cut_off[tool] += 1
                self.find_another_server()
                if self.chance.random() < self.forgets:
                    self.forgotten += 1
                    raise Unknown from None
                self.arrive()
            else:
                if answer.get("code") != "transient":
                    return answer
                self.transient += 1
            if "idempotency_key" not in arguments and tool != "complete_subtask":
                raise Unknown

    def is_refused(self, what: str, answer: Answer) -> bool:
        """Whether an answer is an error. Coming late is none of the server's: the lease was over, or it was done."""
        if answer.get("code") in ("conflict", "not_ready"):
            self.late += 1
            return True
        return super().is_refused(what, answer)
