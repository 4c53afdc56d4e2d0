"""Reads of artifacts and uploads."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Literal

from django.db.models import Count, F, QuerySet

from artifacts import storage
from artifacts.models import Artifact, ArtifactVersion, Content, Upload, UploadState
from artifacts.storage import slices
from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import Hint, Invalid, NotFound
from tasks.models import Project, Task

READ_LIMIT = 1024 * 1024  # characters or bytes of one answer at most, for programs that fetch everything
SHOWN_LIMIT = 100_000  # characters of an answer in lines, and of a resource
DEFAULTS = {"chars": 20_000, "lines": 500, "bytes": 20_000}  # units of an answer by default


Unit = Literal["chars", "lines", "bytes"]


@dataclass(frozen=True, slots=True)
class ArtifactSummary:
    """An artifact in its latest version, as briefs and lists name it."""

    artifact_id: str
    kind: str
    size_chars: int | None  # None for binary content
    size_bytes: int
    paths: tuple[str, ...]

    @property
    def size(self) -> str:
        return f"{self.size_bytes:,} bytes" if self.size_chars is None else f"{self.size_chars:,} characters"


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of stored content; `offset`, `end` and `total` count its unit. Binary content comes as base64."""

    unit: Unit
    offset: int
    end: int
    total: int
    text: str | None
    base64: str | None = None

    @property
    def has_more(self) -> bool:
        return self.end < self.total


_by_public_id = Compiled(
    lambda project, public_id: (
        Artifact.objects.select_related("task").filter(project=project, public_id=public_id).order_by()
    )
)
_latest = Compiled(
    lambda project, public_id: (
        ArtifactVersion.objects.select_related("artifact", "content")
        .filter(artifact__project=project, artifact__public_id=public_id, number=F("artifact__version"))
        .order_by()
    )
)
_version = Compiled(
    lambda artifact, number: (
        ArtifactVersion.objects.select_related("content").filter(artifact=artifact, number=number).order_by()
    )
)
_summaries = Compiled(
    lambda tasks: (
        ArtifactVersion.objects.filter(artifact__task__pk__in=tasks, number=F("artifact__version"))
        .order_by("artifact_id", "artifact__paths__id")
        .values_list(
            "artifact__task_id",
            "artifact__public_id",
            "artifact__kind",
            "content__size_chars",
            "content__size_bytes",
            "artifact__paths__path",
        )
    )
)


def artifact_by_id(project: Project, public_id: str) -> Artifact:
    found = _by_public_id.first(project=project, public_id=public_id)
    if found is None:
        raise NotFound(f"There is no artifact {public_id[:64]!r} in project {project.slug}.", hint=Hint.LIST_ARTIFACTS)
    return found


def project_of_artifact(public_id: str) -> Project | None:
    return Project.objects.filter(artifacts__public_id=public_id.replace("\x00", "")).first()


def ids_beginning(project: Project, start: str, *, limit: int = 101) -> list[str]:
    rows = Artifact.objects.filter(project=project, public_id__startswith=start.replace("\x00", ""))
    return list(rows.order_by("-id").values_list("public_id", flat=True)[:limit])


def versions_beginning(project: Project, public_id: str, start: str, *, limit: int = 101) -> list[str]:
    found = Artifact.objects.filter(project=project, public_id=public_id).first()
    numbers = map(str, range(found.version if found else 0, 0, -1))
    return list(islice((number for number in numbers if number.startswith(start)), limit))


def version_by_id(project: Project, public_id: str, number: int | None = None) -> ArtifactVersion:
    latest = _latest.first(project=project, public_id=public_id) if number is None else None
    return latest or version_of(artifact_by_id(project, public_id), number)


def version_of(artifact: Artifact, number: int | None = None) -> ArtifactVersion:
    number = artifact.version if number is None else number
    found = _version.first(artifact=artifact, number=number)
    if found is None:
        raise NotFound(
            f"{artifact.public_id} has no version {number}.", next=f"Versions 1 to {artifact.version} are there."
        )
    return found


def unit_of(version: ArtifactVersion) -> Unit:
    return "bytes" if version.content.size_chars is None else "chars"


def read(version: ArtifactVersion, unit: Unit = "chars", *, offset: int = 0, limit: int | None = None) -> Slice:
    """Return exactly `limit` units of stored content from `offset` on, fewer only at its end.

    Lines come whole, up to SHOWN_LIMIT characters together. Raises Invalid for an impossible range or unit, Damaged if
    the stored bytes are not the delivered ones.
    """
    total = _total(version.content, unit)
    limit = DEFAULTS[unit] if limit is None else limit
    if not 0 <= offset <= total:
        raise Invalid(
            f"offset: {offset:,} is outside the work, which has {total:,} {unit}.",
            next=f"Send an offset from 0 to {total}.",
        )
    if not 1 <= limit <= READ_LIMIT:
        raise Invalid(f"limit: 1 to {READ_LIMIT:,} {unit}.", next="Read on with the next_offset of the answer.")
    if unit == "lines":
        return _lines(version.content, offset, limit, total)
    if unit == "bytes":
        return _bytes(version.content, offset, limit, total)
    text = slices.characters(version.content, offset, limit)
    return Slice("chars", offset, offset + len(text), total, text)


def _total(content: Content, unit: Unit) -> int:
    if unit == "bytes":
        return content.size_bytes
    if content.size_chars is None:
        raise Invalid(f"unit: the work is no text and has no {unit}.", next="Read it with unit='bytes'.")
    return content.size_chars if unit == "chars" else content.size_lines or 0


def _lines(content: Content, offset: int, limit: int, total: int) -> Slice:
    found = slices.lines(content, offset, limit, most=SHOWN_LIMIT)
    if not found.count and offset < total:
        raise Invalid(
            f"The line at offset {offset:,} has more than {SHOWN_LIMIT:,} characters.",
            next=f"Read it with unit='chars', offset={found.chars_before}; the next line has offset {offset + 1}.",
            details={"chars_offset": found.chars_before},
        )
    return Slice("lines", offset, offset + found.count, total, found.text)


def _bytes(content: Content, offset: int, limit: int, total: int) -> Slice:
    raw = b"".join(storage.stretch(content, offset, min(offset + limit, total)))
    try:
        return Slice("bytes", offset, offset + len(raw), total, raw.decode())
    except UnicodeDecodeError:
        return Slice("bytes", offset, offset + len(raw), total, None, b64encode(raw).decode())


def artifacts_by_task(tasks: list[Task]) -> dict[int, list[ArtifactSummary]]:
    found: dict[int, list[ArtifactSummary]] = {}
    keys = [task.pk for task in tasks]
    for start in range(0, len(keys), 500):
        rows = _summaries(tasks=keys[start : start + 500])
        for (task, public_id, kind, chars, size), alike in groupby(rows, key=lambda row: row[:5]):
            paths = tuple(row[5] for row in alike if row[5] is not None)
            found.setdefault(task, []).append(ArtifactSummary(public_id, kind, chars, size, paths))
    return found


def recent_artifacts(project: Project, *, limit: int) -> list[Artifact]:
    return list(with_size(Artifact.objects.filter(project=project).order_by("-updated_at"))[:limit])


def artifacts_of(task: Task, *, limit: int) -> list[Artifact]:
    return list(with_size(Artifact.objects.filter(task=task).order_by("-id"))[:limit])


def with_size(artifacts: QuerySet[Artifact]) -> QuerySet[Artifact]:
    """Annotate artifacts with `size_bytes` of their latest version, and bring their task and paths along."""
    latest = artifacts.filter(versions__number=F("version"))
    sized: QuerySet[Artifact] = latest.annotate(size_bytes=F("versions__content__size_bytes"))
    return sized.select_related("task").prefetch_related("paths")


def count_by_task(task_keys: Iterable[int]) -> dict[int, int]:
    rows = Artifact.objects.filter(task_id__in=list(task_keys)).order_by()
    return dict(rows.values_list("task_id").annotate(Count("pk")))


def upload_by_id(project: Project, public_id: str) -> Upload:
    found = Upload.objects.select_related("task", "task__project").filter(project=project, public_id=public_id).first()
    if found is None:
        raise NotFound(f"There is no upload {public_id[:64]!r} in project {project.slug}.", hint=Hint.LIST_UPLOADS)
    return found


def open_uploads(project: Project, task: Task | None = None) -> QuerySet[Upload]:
    rows = Upload.objects.select_related("task").filter(project=project, state=UploadState.OPEN).order_by("pk")
    return rows if task is None else rows.filter(task=task)
