"""Who works on the sample: three assistants and a person, all through the services that everybody works through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from artifacts.models import ArtifactVersion, Kind
from artifacts.services import comment, upload
from artifacts.services.commit import Arrived, prepare_upload
from artifacts.services.deliver import deliver, prepare_work
from tasks import roles
from tasks.actors import Actor
from tasks.choices import Status
from tasks.models import Event, Project, Session, Task
from tasks.principals import Principal
from tasks.services import review, sessions, steer
from tasks.services.claim import claim
from tasks.services.plan import Subtask, plan

CONNECTION = "sample:"
"""How the connections of the sample's sessions begin; no connection of an assistant is called so."""
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
    _sessions: dict[str, Session] = field(default_factory=dict)

    def at(self, *, hours: float = 0, minutes: float = 0) -> None:
        """Say how long ago what follows happened."""
        newest = Event.objects.filter(project=self.project).order_by("-id").values_list("id", flat=True)[:1]
        self.moments.append(Moment(newest[0] - 1 if not self.moments else newest[0], 60 * hours + minutes))

    def comes(self, who: str, version: str) -> None:
        """Let an assistant open a session."""
        self._sessions[who], _ = sessions.open_session(
            project=self.project,
            principal=Principal(self.person.name),
            connection_id=f"{CONNECTION}{who}",
            client_name=who,
            client_version=version,
        )

    def goes(self, who: str) -> None:
        """Let an assistant end its session."""
        sessions.end_connection(f"{CONNECTION}{who}")

    def plans(self, who: str, description: str, context: str, groups: Sequence[Subtask], complexity: str) -> None:
        """Let an assistant plan; tasks are known by their keys from then on."""
        made = plan(
            project=self.project,
            actor=self._actor(who),
            catalogue=roles.catalogue(self.project),
            description=description,
            context=context,
            subtasks=groups,
            complexity=complexity,
        )
        self.tasks |= dict(zip(made.keys, made.tasks, strict=True))

    def takes(self, who: str, key: str) -> None:
        """Let an assistant claim a task."""
        claim(task=self.tasks[key], actor=self._actor(who))

    def delivers(self, who: str, key: str, summary: str, work: Work, picture: tuple[str, bytes] | None = None) -> None:
        """Let an assistant deliver work, beside it a picture where there is one, and end the task."""
        actor, task = self._actor(who), self.tasks[key]
        deliver(
            task=task,
            actor=actor,
            prepared=prepare_work(work.file.read_text(encoding="utf-8")),
            uploads=[self._uploaded(task, actor, *picture)] if picture else (),
            summary=summary,
            kind=work.kind,
            paths=[work.path],
        )

    def _uploaded(self, task: Task, actor: Actor, path: str, data: bytes) -> Arrived:
        begun = upload.begin(task=task, actor=actor, kind=Kind.DESIGN, summary=path, paths=[path])
        return prepare_upload(upload.append(upload=begun, offset=0, data=data))

    def says(self, key: str, text: str, line: int | None = None, end_line: int | None = None) -> None:
        """Let the person comment on what was delivered last, on lines of it where they are told."""
        task = self.tasks[key]
        newest = (
            ArtifactVersion.objects.filter(artifact__task=task).select_related("artifact", "content").order_by("-id")
        )
        comment.comment(task=task, actor=self.person, text=text, version=newest[0], line=line, end_line=end_line)

    def sends_back(self, key: str, words: str) -> None:
        """Let the person ask for another version."""
        review.request_revision(task=self.tasks[key], actor=self.person, comment=words)

    def approves(self, key: str, words: str = "") -> None:
        """Let the person approve."""
        review.approve(task=self.tasks[key], actor=self.person, comment=words)

    def cancels(self, key: str, reason: str) -> None:
        """Let the person cancel."""
        steer.cancel(task=self.tasks[key], actor=self.person, reason=reason)

    def stops(self, who: str, key: str, outcome: Status, reason: str) -> None:
        """Let an assistant say that it cannot go on, for now or at all."""
        stop = steer.block if outcome == Status.BLOCKED else steer.fail
        stop(task=self.tasks[key], actor=self._actor(who), reason=reason)

    def _actor(self, who: str) -> Actor:
        return Actor.assistant(self._sessions[who])
