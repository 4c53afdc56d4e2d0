"""Several servers on one project at once: nothing may fail, get lost or be given to two holders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic

from artifacts.models import ArtifactVersion
from tasks.choices import Status, Verb
from tasks.models import Event, Project, Task
from tests.bench import entry_points
from tests.bench.context import Bench
from tests.bench.entry_points import Facts
from tests.bench.figures import Figure
from tests.bench.loop import delivery, plan_of
from tests.mcp.stdio_client import StdioClient

CREATED = 200


def storm(bench: Bench) -> Iterator[Figure]:
    """Four servers and eight, each planning, claiming the next task and completing it, as fast as it can."""
    for processes in (4, 8):
        folder = bench.folder(f"storm-{processes}")
        assistants, seconds = _run(bench, processes, folder, 1.0 if bench.quick else 5.0)
        yield from _findings(assistants, seconds, Project.objects.get(root_path=str(folder.resolve())))
        yield Figure(f"{CREATED} plans of one by {processes} servers at once", _created(bench, processes), "s", goal=1)


def _created(bench: Bench, processes: int) -> float:
    folder = bench.folder(f"created-{processes}")

    def create(client: StdioClient) -> None:
        for number in range(CREATED // processes):
            entry_points.over(client)("plan_task", **plan_of(1, number))

    with _servers(bench, processes, folder) as clients:
        return _at_once([partial(create, client) for client in clients])


@contextmanager
def _servers(bench: Bench, processes: int, folder: Path) -> Iterator[list[StdioClient]]:
    with ExitStack() as stack:
        clients = [stack.enter_context(entry_points.server(bench.home, folder)) for _ in range(processes)]
        for client in clients:
            client.call("orchestrator_initialize_session")
        yield clients


def _at_once(jobs: list[Callable[[], None]]) -> float:
    began = monotonic()
    threads = [Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return monotonic() - began


@dataclass(slots=True)
class _Assistant:
    """One client and what its server has acknowledged."""

    client: StdioClient
    number: int
    planned: list[str] = field(default_factory=list)
    claimed: list[tuple[str, int]] = field(default_factory=list)
    completed: dict[str, str] = field(default_factory=dict)
    errors: list[Facts] = field(default_factory=list)

    def run(self, end: float) -> None:
        """Take the next task, or plan where there is none, until the time is over."""
        while monotonic() < end:
            taken = self._call("execute_subtask")
            if taken.get("code") == "not_ready":
                self._plan()
            elif "code" in taken:
                self.errors.append(taken)
            else:
                self._complete(taken["task_id"], taken["lease_number"])

    def _plan(self) -> None:
        answer = self._call("plan_task", **plan_of(8, self.number))
        if "code" in answer:
            self.errors.append(answer)
        else:
            self.planned += [task["task_id"] for task in answer["subtasks"]]

    def _complete(self, task_id: str, lease_number: int) -> None:
        self.claimed.append((task_id, lease_number))
        sent = delivery(task_id, lease_number)
        answer = self._call("complete_subtask", **sent)
        if "code" in answer:
            self.errors.append(answer)
        else:
            self.completed[task_id] = hashlib.sha256(sent["detailed_work"].encode()).hexdigest()

    def _call(self, tool: str, **arguments: object) -> Facts:
        return self.client.call(f"orchestrator_{tool}", **arguments)

    @property
    def writes(self) -> int:
        """How many of its calls changed something."""
        return len(self.planned) // 8 + len(self.claimed) + len(self.completed)


def _run(bench: Bench, processes: int, folder: Path, seconds: float) -> tuple[list[_Assistant], float]:
    with _servers(bench, processes, folder) as clients:
        assistants = [_Assistant(client, number) for number, client in enumerate(clients)]
        end = monotonic() + seconds
        return assistants, _at_once([partial(each.run, end) for each in assistants])


def _findings(assistants: list[_Assistant], seconds: float, project: Project) -> Iterator[Figure]:
    who = f"{len(assistants)} servers on one project"
    claims = [claim for each in assistants for claim in each.claimed]
    yield Figure(f"{who}, errors", sum(len(each.errors) for each in assistants), "", goal=0)
    yield Figure(f"{who}, acknowledged changes lost", _lost(assistants, project), "", goal=0)
    yield Figure(f"{who}, tasks given to two holders", len(claims) - len({task for task, _ in claims}), "", goal=0)
    yield Figure(f"{who}, acknowledged changes per second", sum(each.writes for each in assistants) / seconds, "tx/s")


def _lost(assistants: list[_Assistant], project: Project) -> int:
    """Count what was acknowledged and is not there: tasks, claims' events, completions with their very bytes."""
    planned = {task for each in assistants for task in each.planned}
    claimed = {task for each in assistants for task, _ in each.claimed}
    delivered = {(task, digest) for each in assistants for task, digest in each.completed.items()}
    tasks = dict(Task.objects.filter(project=project).values_list("public_id", "status"))
    events = Event.objects.filter(project=project)
    claim_events = set(events.filter(verb=Verb.CLAIM).values_list("task__public_id", flat=True))
    done_events = set(events.filter(verb=Verb.COMPLETE).values_list("task__public_id", flat=True))
    versions = ArtifactVersion.objects.filter(artifact__project=project)
    stored = set(versions.values_list("artifact__task__public_id", "content__sha256"))
    completed = {task for task, _ in delivered}
    unfinished = {task for task in completed if tasks.get(task) != Status.COMPLETED}
    return len((planned - tasks.keys()) | (claimed - claim_events) | (completed - done_events) | unfinished) + len(
        delivered - stored
    )
