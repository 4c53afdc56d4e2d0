"""Who works on the sample: three assistants through their tools, and a person through the services of the pages."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from artifacts.models import ArtifactVersion, Kind
from artifacts.services import comment
from orchestrator_site.mcp.metering import Meter
from orchestrator_site.sample.calls import Assistant, as_sent
from tasks.choices import Status
from tasks.identity.actor import Actor
from tasks.models import Event, Project, Task
from tasks.services import review, steer
from tasks.services.plan import Subtask

WORKS = Path(__file__).parent / "works"
_SUFFIX = ".txt"  # so that no tool takes the works for a part of this program


@dataclass(frozen=True, slots=True)
class Moment:
    """When what followed an event happened, in minutes before now."""

    after_event: int
    minutes_ago: float


@dataclass(frozen=True, slots=True)
class Work:
    """A file of `works/`, and the path it is delivered for."""

    path: str
    kind: str = Kind.CODE
    version: int = 1

    @property
    def file(self) -> Path:
        """Where its text lies: later versions in a folder of their own."""
        folder = WORKS if self.version == 1 else WORKS / f"version-{self.version}"
        return folder / f"{self.path}{_SUFFIX}"


@dataclass
class Team:
    """The project, the person, and what has been done so far."""

    project: Project
    person: Actor
    moments: list[Moment] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    meter: Meter = field(default_factory=Meter)
    _assistants: dict[str, Assistant] = field(default_factory=dict)

    def at(self, *, hours: float = 0, minutes: float = 0) -> None:
        """Say how long ago what follows happened."""
        newest = Event.objects.filter(project=self.project).order_by("-id").values_list("id", flat=True)[:1]
        self.moments.append(Moment(newest[0] - 1 if not self.moments else newest[0], 60 * hours + minutes))

    def comes(self, who: str, version: str) -> None:
        """Let an assistant open a session."""
        self._assistants[who] = Assistant(who, self.person.name, self.meter)
        self._assistants[who].comes(self.project, version)

    def goes(self, who: str) -> None:
        """Let an assistant end its session."""
        self._assistants[who].goes()

    def plans(self, who: str, description: str, context: str, groups: Sequence[Subtask], complexity: str) -> None:
        """Let an assistant plan; tasks are known by their keys from then on."""
        subtasks = [as_sent(group) for group in groups]
        made = self._assistants[who].call(
            "plan_task", description=description, context=context, complexity_level=complexity, subtasks=subtasks
        )
        rows = {task.title: task for task in Task.objects.filter(root__public_id=made["parent_task_id"])}
        self.tasks |= {each.key: rows[each.title] for each in _every(groups)}

    def takes(self, who: str, key: str) -> None:
        """Let an assistant claim a task."""
        self._assistants[who].call("execute_subtask", task_id=self.tasks[key].public_id)

    def delivers(self, who: str, key: str, summary: str, work: Work, picture: tuple[str, bytes] | None = None) -> None:
        """Let an assistant deliver work, beside it a picture where there is one, and end the task."""
        if picture is not None:
            self._stores(who, key, *picture)
        self._assistants[who].call(
            "complete_subtask",
            task_id=self.tasks[key].public_id,
            summary=summary,
            detailed_work=work.file.read_text(encoding="utf-8"),
            next_action="complete",
            artifact_type=work.kind,
            file_paths=[work.path],
        )

    def _stores(self, who: str, key: str, path: str, data: bytes) -> None:
        begun = self._assistants[who].call(
            "store_artifact",
            action="begin",
            task_id=self.tasks[key].public_id,
            base64=b64encode(data).decode(),
            summary=path,
            artifact_type=Kind.DESIGN.value,
            file_paths=[path],
        )
        self._assistants[who].call("store_artifact", action="commit", upload_id=begun["upload_id"])

    def says(self, key: str, text: str, line: int | None = None, end_line: int | None = None) -> None:
        """Let the person comment on what was delivered last, on lines of it where they are told."""
        task = self.tasks[key]
        newest = (
            ArtifactVersion.objects.filter(artifact__task=task).select_related("artifact", "content").order_by("-id")
        )
        comment.comment(task=task, actor=self.person, text=text, version=newest[0], line=line, end_line=end_line)

    def sends_back(self, key: str, words: str) -> None:
        """Let the person ask for another version."""
        review.request_revision(task=self.tasks[key], actor=self.person, reason=words)

    def approves(self, key: str, words: str = "") -> None:
        """Let the person approve."""
        review.approve(task=self.tasks[key], actor=self.person, reason=words)

    def cancels(self, key: str, reason: str) -> None:
        """Let the person cancel."""
        steer.cancel(task=self.tasks[key], actor=self.person, reason=reason)

    def stops(self, who: str, key: str, outcome: Status, reason: str) -> None:
        """Let an assistant say that it cannot go on, for now or at all."""
        action = "block" if outcome == Status.BLOCKED else "fail"
        self._assistants[who].call("update_task", task_id=self.tasks[key].public_id, action=action, reason=reason)

    def errs(self, who: str, tool: str, key: str, **arguments: str) -> None:
        """Let an assistant make a call that is refused, as models do, and learn from the answer."""
        self._assistants[who].tries(tool, task_id=self.tasks[key].public_id, **arguments)


def _every(subtasks: Sequence[Subtask]) -> Iterator[Subtask]:
    for each in subtasks:
        yield each
        yield from _every(each.subtasks)
