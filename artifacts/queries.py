"""Reads of delivered work that more than one door needs."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F

from artifacts import store
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion
from tasks.errors import Invalid, NotFound
from tasks.models import Project, Task
from tasks.queries.brief import Work

READ_LIMIT = 100_000
READ_DEFAULT = 20_000
_WORK_COLUMNS = ("artifact__public_id", "artifact__kind", "content__size_chars")


@dataclass(frozen=True, slots=True)
class Range:
    """A stretch of a stored text, in characters."""

    version: ArtifactVersion
    offset: int
    text: str

    @property
    def end(self) -> int:
        """The offset after the last character."""
        return self.offset + len(self.text)

    @property
    def has_more(self) -> bool:
        """Whether the text goes on."""
        return self.end < self.version.content.size_chars


def artifact_by_id(project: Project, public_id: str) -> Artifact:
    """Return an artifact of this project.

    Raises NotFound.
    """
    found = Artifact.objects.select_related("task").filter(project=project, public_id=public_id).first()
    if found is None:
        raise NotFound(
            f"There is no artifact {public_id[:64]!r} in project {project.slug}.",
            next="Call orchestrator_synthesize_results on its plan to see the artifacts.",
        )
    return found


def project_of_artifact(public_id: str) -> Project | None:
    """Return the project that an artifact is in."""
    return Project.objects.filter(artifacts__public_id=public_id.replace("\x00", "")).first()


def ids_beginning(project: Project, start: str, *, limit: int = 101) -> list[str]:
    """Return ids of a project's artifacts that begin so, the newest first."""
    rows = Artifact.objects.filter(project=project, public_id__startswith=start.replace("\x00", ""))
    return list(rows.order_by("-id").values_list("public_id", flat=True)[:limit])


def version_of(artifact: Artifact, number: int | None = None) -> ArtifactVersion:
    """Return a version of an artifact, the latest by default.

    Raises NotFound.
    """
    number = number or artifact.version
    found = artifact.versions.select_related("content").filter(number=number).first()
    if found is None:
        raise NotFound(
            f"{artifact.public_id} has no version {number}.", next=f"Versions 1 to {artifact.version} are there."
        )
    return found


def read_range(version: ArtifactVersion, *, offset: int = 0, limit: int = READ_DEFAULT) -> Range:
    """Return exactly `limit` characters of the stored text from `offset` on, fewer only at its end.

    Raises Invalid for a range that cannot be, Damaged where the stored bytes are not the delivered ones.
    """
    total = version.content.size_chars
    if not 0 <= offset <= total:
        raise Invalid(
            f"offset: {offset:,} is outside the text, which has {total:,} characters.",
            next=f"Send an offset from 0 to {total}.",
        )
    if not 1 <= limit <= READ_LIMIT:
        raise Invalid(f"limit: 1 to {READ_LIMIT:,} characters.", next="Read on with the next_offset of the answer.")
    return Range(version, offset, store.text_of(version.content)[offset : offset + limit])


def works_of(tasks: list[Task]) -> dict[int, list[Work]]:
    """Return what some tasks delivered, by the task's primary key, each artifact in its latest version."""
    found: dict[int, list[Work]] = {}
    keys = [task.pk for task in tasks]
    for start in range(0, len(keys), 500):
        rows = ArtifactVersion.objects.filter(artifact__task_id__in=keys[start : start + 500])
        rows = rows.filter(number=F("artifact__version")).order_by("artifact_id")
        facts = list(rows.values_list("artifact_id", "artifact__task_id", *_WORK_COLUMNS))
        paths = _paths([fact[0] for fact in facts])
        for key, task_key, public_id, kind, size in facts:
            found.setdefault(task_key, []).append(Work(public_id, kind, size, tuple(paths.get(key, ()))))
    return found


def _paths(artifact_keys: list[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    rows = ArtifactPath.objects.filter(artifact_id__in=artifact_keys).order_by("id")
    for key, path in rows.values_list("artifact_id", "path"):
        found.setdefault(key, []).append(path)
    return found
