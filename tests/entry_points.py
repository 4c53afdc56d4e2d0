"""One way to act on a board through each entry point, so that one table of behaviours runs through all of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from artifacts.services.deliver import OUTCOMES, DeliveryRequest, deliver, prepare_delivery
from orchestrator_site.kernel.errors import OrchestratorError
from tasks import roles
from tasks.choices import Verb
from tasks.gates.pieces import piece_of
from tasks.identity.actor import Actor
from tasks.models import Project, Session, Task
from tasks.services import sessions
from tasks.services.actions import perform
from tasks.services.claim import claim_next
from tasks.services.edit import Changes, edit
from tasks.services.plan import Plan, Subtask, plan
from tests.factories import make_project, make_session
from tests.rest import rest

_serial = itertools.count(1)
PLAN: list[dict[str, Any]] = [
    {"key": "first", "title": "First", "description": "Begin", "specialist_type": "architect"},
    {
        "key": "second",
        "title": "Second",
        "description": "Go on",
        "specialist_type": "implementer",
        "dependencies": ["first"],
    },
    {"key": "reviewed", "title": "Reviewed", "description": "Careful", "specialist_type": "documenter", "review": True},
    {
        "key": "group",
        "title": "Group",
        "description": "Parts",
        "dependencies": ["second"],
        "subtasks": [{"key": "part", "title": "Part", "description": "One part", "specialist_type": "tester"}],
    },
]
GATED: list[dict[str, Any]] = [
    {
        "key": "gated", "title": "Gated", "description": "Show it", "specialist_type": "tester",
        "gates": [{"kind": "report", "tests": ["test_price"]}],
    }
]  # fmt: skip
"""Planned by the step `plan_gated`."""


class EntryPoint(Protocol):
    """A board with one plan on it (`PLAN`), and two assistants, A and B, using it."""

    def do(self, who: str, verb: str, key: str | None, **more: Any) -> str:
        """Act, and return the code of the error, or the status that the task has then."""

    def status(self, key: str) -> str:
        """Return the status of a task, or of the plan where the key is `plan`."""


class Services:
    """Straight to the services."""

    def __init__(self) -> None:
        self.project: Project = make_project()
        self.sessions: dict[str, Session] = {who: make_session(self.project) for who in "AB"}
        self.catalogue = roles.catalogue(self.project)
        made = self._plan(PLAN)
        self.ids = dict(zip(made.keys, (task.pk for task in made.tasks), strict=True)) | {"plan": made.root.pk}
        self.numbers: dict[tuple[str, str], int] = {}

    def do(self, who: str, verb: str, key: str | None, **more: Any) -> str:
        if verb == "plan_gated":
            self.ids["gated"] = self._plan(GATED).tasks[0].pk
            return "done"
        try:
            task = self._act(who, verb, self._task(key) if key else None, **more)
        except OrchestratorError as error:
            return error.code
        if verb == "claim":
            self.numbers[who, task.public_id] = task.lease_number
        return self._task_by_pk(task.pk).status if task else "done"

    def status(self, key: str) -> str:
        return self._task(key).status

    def _plan(self, subtasks: list[dict[str, Any]]) -> Plan:
        return plan(
            project=self.project,
            actor=self._actor("A"),
            catalogue=self.catalogue,
            description="A job",
            subtasks=[_spec(each) for each in subtasks],
        )

    def _actor(self, who: str) -> Actor:
        return Actor.assistant(self.sessions[who])

    def _task(self, key: str) -> Task:
        return self._task_by_pk(self.ids[key])

    def _task_by_pk(self, pk: int) -> Task:
        return Task.objects.select_related("project", "lease_session", "parent", "root").get(pk=pk)

    def _act(self, who: str, verb: str, task: Task | None, **more: Any) -> Any:
        actor = self._actor(who)
        if verb in ("complete", "wait_for", "rename", "end"):
            return getattr(self, f"_{verb}")(actor, task, **more)
        if task is None:
            return claim_next(project=self.project, actor=actor).task
        return perform(task=task, verb=Verb(verb), actor=actor, **more).task

    def _complete(
        self,
        actor: Actor,
        task: Task,
        outcome: str = "complete",
        reason: str = "",
        number: bool = False,
        lease_number: int | None = None,
        evidence: Sequence[Any] = (),
    ) -> Task:
        who = next(name for name, session in self.sessions.items() if session == actor.session)
        request = DeliveryRequest(
            summary="Done",
            text="The work",
            outcome=OUTCOMES[outcome],
            reason=reason,
            lease_number=self.numbers[who, task.public_id] if number else lease_number,
            evidence=[piece_of(each) for each in evidence],
        )
        return deliver(prepare_delivery(task=task, actor=actor, request=request)).completion.task

    def _wait_for(self, actor: Actor, task: Task, need: str) -> Task:
        return edit(
            task=task, actor=actor, changes=Changes(add_dependencies=[self._task(need)]), catalogue=self.catalogue
        )

    def _rename(self, actor: Actor, task: Task, title: str) -> Task:
        return edit(task=task, actor=actor, changes=Changes({"title": title}), catalogue=self.catalogue)

    def _end(self, actor: Actor, task: None) -> None:
        assert actor.session is not None
        sessions.end_connection(actor.session.connection_id)
        who = next(name for name, session in self.sessions.items() if session == actor.session)
        self.sessions[who] = make_session(self.project)


class Client(Protocol):
    """One connection to the bridge, by pipes or by HTTP."""

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return what it says."""

    def end(self) -> int:
        """Take leave; 0 where that went well."""


class Bridge:
    """Through the bridge: two real `manage.py mcp_serve` on one database, or two tokens at one site's `/mcp`.

    `clients` are connected once for many boards.
    """

    def __init__(self, clients: dict[str, Client], connect: Callable[[str], Client], folder: Path) -> None:
        self.clients = clients
        self.connect = connect
        self.folder = folder / f"project-{next(_serial)}"
        self.folder.mkdir(parents=True)
        for who in "AB":
            self._initialize(who)
        made = self._call("A", "plan_task", description="A job", subtasks=PLAN)
        rows = self._call("A", "get_status", task_id=made["parent_task_id"])["tasks"]
        keys = {"First": "first", "Second": "second", "Reviewed": "reviewed", "Group": "group", "Part": "part"}
        self.ids = {keys[row["title"]]: row["task_id"] for row in rows} | {"plan": made["parent_task_id"]}
        self.numbers: dict[tuple[str, str], int] = {}

    def do(self, who: str, verb: str, key: str | None, **more: Any) -> str:
        if verb == "end":
            self._reconnect(who)
            return "done"
        if verb == "plan_gated":
            self.ids["gated"] = self._call("A", "plan_task", description="A job", subtasks=GATED)["subtasks"][0][
                "task_id"
            ]
            return "done"
        name, arguments = self._translated(who, verb, key, more)
        answer = self._call(who, name, **arguments)
        if "code" in answer:
            return str(answer["code"])
        if verb == "claim":
            self.numbers[who, answer["task_id"]] = answer["lease_number"]
        return self._status(arguments.get("task_id") or answer["task_id"])

    def status(self, key: str) -> str:
        return self._status(self.ids[key])

    def _translated(self, who: str, verb: str, key: str | None, more: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        target = {"task_id": self.ids[key]} if key else {}
        if verb == "claim":
            return "execute_subtask", {**target, **more}
        if verb == "complete":
            return "complete_subtask", {**target, **self._completion(who, target["task_id"], **more)}
        if verb == "wait_for":
            return "update_task", {**target, "add_dependencies": [self.ids[more["need"]]]}
        if verb == "rename":
            return "update_task", {**target, **more}
        return "update_task", {**target, "action": verb, **more}

    def _completion(self, who: str, task_id: str, outcome: str = "complete", **more: Any) -> dict[str, Any]:
        facts = {"summary": "Done", "detailed_work": "The work", "next_action": outcome}
        if more.pop("number", False):
            facts["lease_number"] = self.numbers[who, task_id]
        return {**facts, **more}

    def _status(self, task_id: str) -> str:
        return str(self._call("B", "get_status", task_id=task_id)["status"])

    def _initialize(self, who: str) -> None:
        self._call(who, "initialize_session", project_dir=str(self.folder))

    def _reconnect(self, who: str) -> None:
        assert self.clients[who].end() == 0
        self.clients[who] = self.connect(who)
        self._initialize(who)

    def _call(self, who: str, name: str, **arguments: Any) -> dict[str, Any]:
        return self.clients[who].call(f"orchestrator_{name}", **arguments)


class RestApi:
    """Through the REST API, as two tokens that each work in a session of their own."""

    def __init__(self) -> None:
        self.project = make_project()
        self.clients = {who: rest() for who in "AB"}
        self.sessions = {who: self._open(who) for who in "AB"}
        made = self._post("A", "/plans", {"project": self.project.slug, "description": "A job", "subtasks": PLAN})
        self.ids = {row["key"]: row["task_id"] for row in made["subtasks"]} | {"plan": made["plan"]}
        self.numbers: dict[tuple[str, str], int] = {}

    def do(self, who: str, verb: str, key: str | None, **more: Any) -> str:
        if verb == "end":
            self._post(who, f"/sessions/{self.sessions[who]}/end", {})
            self.sessions[who] = self._open(who)
            return "done"
        if verb == "plan_gated":
            body = {"project": self.project.slug, "description": "A job", "subtasks": GATED}
            self.ids["gated"] = self._post("A", "/plans", body)["subtasks"][0]["task_id"]
            return "done"
        answer = self._send(who, *self._translated(who, verb, key, more))
        if "code" in answer:
            return str(answer["code"])
        task = answer.get("task", answer)
        if verb == "claim":
            self.numbers[who, task["task_id"]] = task["lease_number"]
        return str(task["status"])

    def status(self, key: str) -> str:
        return str(self.clients["B"].get(f"/tasks/{self.ids[key]}")["status"])

    def _translated(self, who: str, verb: str, key: str | None, more: dict[str, Any]) -> tuple[str, str, Any]:
        if key is None:
            return "POST", f"/projects/{self.project.slug}/claim-next", more
        address = f"/tasks/{self.ids[key]}"
        if verb == "rename":
            return "PATCH", address, more
        if verb == "wait_for":
            return "POST", f"{address}/dependencies", {"task_ids": [self.ids[more["need"]]]}
        if verb == "complete":
            return "POST", f"{address}/complete", self._completion(who, self.ids[key], **more)
        return "POST", f"{address}/{verb.replace('_', '-')}", more

    def _completion(self, who: str, task_id: str, outcome: str = "complete", **more: Any) -> dict[str, Any]:
        facts = {"summary": "Done", "detailed_work": "The work", "next_action": outcome}
        if more.pop("number", False):
            facts["lease_number"] = self.numbers[who, task_id]
        return {**facts, **more}

    def _open(self, who: str) -> str:
        return str(self.clients[who].post("/sessions", {"project": self.project.slug})["session_id"])

    def _post(self, who: str, address: str, body: Any) -> Any:
        return self.clients[who].post(address, body)

    def _send(self, who: str, method: str, address: str, body: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.clients[who].send(method, address, body, Session_Id=self.sessions[who]).json()
        return answer


def _spec(each: dict[str, Any]) -> Subtask:
    return Subtask(
        title=each["title"],
        description=each["description"],
        specialist=each.get("specialist_type", ""),
        key=each["key"],
        dependencies=tuple(each.get("dependencies", ())),
        review=each.get("review"),
        gates=tuple(each.get("gates", ())),
        subtasks=tuple(_spec(below) for below in each.get("subtasks", ())),
    )
