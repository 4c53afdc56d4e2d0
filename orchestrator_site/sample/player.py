"""Play the steps of story.yaml: assistants call tools, and a person calls the services behind the pages."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from artifacts.models import ArtifactVersion
from artifacts.services import comment
from orchestrator_site.kernel.errors import Conflict
from orchestrator_site.kernel.identity import Principal
from orchestrator_site.mcp import dispatch, registry
from orchestrator_site.mcp.metering import Meter
from orchestrator_site.mcp.server import load_tools
from orchestrator_site.sample import CONNECTION
from tasks.identity.actor import Actor
from tasks.models import Project, Task
from tasks.services import review, sessions, steer
from tasks.services.caller import Caller

_FILES = Path(__file__).parent / "files"
_SUFFIX = ".txt"  # keeps linters and test runners away from the sample's source files
_SERVICES: dict[str, Callable[..., object]] = {
    "approve": review.approve,
    "cancel": steer.cancel,
    "comment": comment.comment,
    "request_revision": review.request_revision,
}
Step = dict[str, Any]


@dataclass
class Player:
    """The project, its reviewer, the plans to be made, and the tasks made so far by their keys."""

    project: Project
    person: Actor
    plans: dict[str, Step]
    tasks: dict[str, Task] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)

    def __post_init__(self) -> None:
        load_tools()
        self._tools = {tool.name.removeprefix("orchestrator_"): tool for tool in registry.tools(["all"])}

    def play(self, step: Step) -> None:
        match step:
            case {"person": verb}:
                self._review(verb, step)
            case {"assistant": name, "connect": version}:
                self._connect(name, version, step["model"])
            case {"assistant": name, "disconnect": True}:
                sessions.end_connection(f"{CONNECTION}{name}")
            case {"assistant": name, "plan": plan}:
                self._plan(name, self.plans[plan])
            case {"assistant": name, "store": path}:
                self._store(name, path, step)
            case {"assistant": name, "deliver": path}:
                self._deliver(name, path, step)
            case {"assistant": name, "tool": tool}:
                arguments = {"task_id": self.tasks[step["task"]].public_id, **step.get("arguments", {})}
                self._call(name, tool, arguments, expected_error=step.get("error", ""))
            case _:
                raise ValueError(f"Unknown step: {step}")

    def _review(self, verb: str, step: Step) -> None:
        task = self.tasks[step["task"]]
        arguments: Step = {name: step[name] for name in ("text", "line", "end_line", "reason") if name in step}
        if verb == "comment":
            arguments["version"] = (
                ArtifactVersion.objects.filter(artifact__task=task).select_related("artifact", "content").latest("id")
            )
        _SERVICES[verb](task=task, actor=self.person, **arguments)

    def _connect(self, name: str, version: str, model: str) -> None:
        """Open a session by the service: the project has no folder by which the tool could find it."""
        sessions.open_session(
            project=self.project,
            principal=Principal(self.person.name),
            connection_id=f"{CONNECTION}{name}",
            client_name=name,
            client_version=version,
        )
        self._call(name, "initialize_session", {"model": model})

    def _plan(self, name: str, plan: Step) -> None:
        for subtask in _flat(plan["subtasks"]):
            if hours := subtask.pop("due_in_hours", None):
                subtask["due_at"] = (timezone.now() + timedelta(hours=hours)).isoformat(timespec="seconds")
        made = self._call(name, "plan_task", plan)
        rows = {task.title: task for task in Task.objects.filter(root__public_id=made["parent_task_id"])}
        self.tasks |= {subtask["key"]: rows[subtask["title"]] for subtask in _flat(plan["subtasks"])}

    def _store(self, name: str, path: str, step: Step) -> None:
        arguments = {
            "action": "begin",
            "task_id": self.tasks[step["task"]].public_id,
            "base64": b64encode((_FILES / path).read_bytes()).decode(),
            "summary": path,
            "artifact_type": step["artifact_type"],
            "file_paths": [path],
        }
        upload = self._call(name, "store_artifact", arguments)
        self._call(name, "store_artifact", {"action": "commit", "upload_id": upload["upload_id"]})

    def _deliver(self, name: str, path: str, step: Step) -> None:
        folder = _FILES / f"version-{step['version']}" if "version" in step else _FILES
        arguments = {
            "task_id": self.tasks[step["task"]].public_id,
            "summary": step["summary"],
            "detailed_work": (folder / f"{path}{_SUFFIX}").read_text(encoding="utf-8"),
            "next_action": "complete",
            "artifact_type": step["artifact_type"],
            "file_paths": [path],
        }
        usage = {"usage": step["usage"]} if "usage" in step else {}
        self._call(name, "complete_subtask", arguments | usage)

    def _call(self, name: str, tool: str, arguments: Step, *, expected_error: str = "") -> dict[str, Any]:
        caller = Caller(Principal(self.person.name), connection_id=f"{CONNECTION}{name}", client_name=name)
        outcome = dispatch.run(self._tools[tool], arguments, caller, self.meter)
        error = outcome.payload["code"] if outcome.is_error else ""
        if error != expected_error:
            raise Conflict(f"The sample cannot be loaded: {tool}: {outcome.text}", next="See the log.")
        return outcome.payload


def _flat(subtasks: Iterable[Step]) -> Iterator[Step]:
    for subtask in subtasks:
        yield subtask
        yield from _flat(subtask.get("subtasks", []))
