"""Lists of artifacts: of a project, a task, a plan or a path, with a stable cursor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Left

from artifacts.models import Artifact, ArtifactPath, ArtifactVersion
from artifacts.paths import normalised
from orchestrator_site.kernel.errors import Invalid, invalid
from tasks.models import Project, Task
from tasks.selectors.descendants import descendants_of

_BELOW = 5_000
_LAST_KEY = 2**63 - 1
_COLUMNS = (
    "artifact_id", "artifact__public_id", "artifact__task__public_id", "artifact__kind", "number", "artifact__summary",
    "content__size_chars", "content__size_bytes",
)  # fmt: skip
"""The last fields of Listed, in its order."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An artifact in its latest version; `size_chars` is None for binary content."""

    paths: tuple[str, ...]
    key: int
    artifact_id: str
    task_id: str
    kind: str
    version: int
    summary: str
    size_chars: int | None
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Artifacts:
    """A page of a list, the newest first, and how many there are in all."""

    rows: list[Listed]
    total: int
    has_more: bool

    def cursor_after(self, shown: int) -> str | None:
        """Return the cursor after that many of the rows; None where nothing follows."""
        return str(self.rows[shown - 1].key) if shown and (self.has_more or shown < len(self.rows)) else None


def artifacts_of(
    project: Project,
    *,
    task: Task | None = None,
    path: str | None = None,
    kinds: Sequence[str] = (),
    limit: int,
    cursor: str | None = None,
) -> Artifacts:
    """Return artifacts, the newest first; those of `task` include all below it.

    Raises Invalid for a cursor or a path that cannot be.
    """
    rows = Artifact.objects.filter(project=project)
    rows = _of_task(rows, task) if task else rows
    rows = rows.filter(kind__in=kinds) if kinds else rows
    before = _key(cursor) if cursor is not None else _LAST_KEY
    if path is None:
        found, total = list(_keys(rows.filter(pk__lt=before))[: limit + 1]), rows.count()
    else:  # paths are not indexed, so they are all read once
        keys = list(_keys(rows.filter(Exists(_paths_below(path)))))
        found, total = [key for key in keys if key < before][: limit + 1], len(keys)
    return Artifacts(_listed(found[:limit]), total, has_more=len(found) > limit)


def _keys(rows: QuerySet[Artifact]) -> QuerySet[Artifact, int]:
    return rows.order_by("-pk").values_list("pk", flat=True)


def _listed(keys: list[int]) -> list[Listed]:
    latest = ArtifactVersion.objects.filter(artifact__in=keys, number=F("artifact__version"))
    paths: dict[int, list[str]] = {}
    for key, path in ArtifactPath.objects.filter(artifact__in=keys).order_by("id").values_list("artifact_id", "path"):
        paths.setdefault(key, []).append(path)
    rows = latest.order_by("-artifact_id").values_list(*_COLUMNS)
    return [Listed(tuple(paths.get(key, ())), key, *fields) for key, *fields in rows]


def _of_task(rows: QuerySet[Artifact], task: Task) -> QuerySet[Artifact]:
    if task.is_leaf:
        return rows.filter(task=task)
    if task.is_plan:
        return rows.filter(Q(task=task) | Q(task__root=task))
    return rows.filter(task__in=[task.pk, *sorted(descendants_of([task.pk]))[:_BELOW]])


def _paths_below(path: str) -> QuerySet[ArtifactPath]:
    """Return the paths that are a file or lie in a folder; compared by character, as user trees are."""
    try:
        exact = normalised(path)
    except ValueError as error:
        raise invalid([{"at": "path", "problem": str(error)}], next="Send a path as in file_paths.") from error
    folder = f"{exact}/"
    lies_in = ArtifactPath.objects.annotate(start=Left("path", len(folder)))
    return lies_in.filter(Q(path=exact) | Q(start=folder), artifact=OuterRef("pk"))


def _key(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 18):
        raise Invalid("cursor: not a cursor of this list.", next="Send a cursor that the same call returned.")
    return int(cursor)
