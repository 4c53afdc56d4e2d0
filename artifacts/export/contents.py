"""The delivered works that files are made of: of a project, of a task with all below it, or of a folder of the tree."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Left

from artifacts import storage
from artifacts.export.filenames import Work
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion, Content
from artifacts.selectors.tree import folder_at
from tasks.models import Project, Task
from tasks.selectors.descendants import descendants_of

BATCH = 5_000
_COLUMNS = (
    "artifact_id", "artifact__version", "number", "pk", "artifact__public_id", "artifact__task__public_id",
    "artifact__kind", "content__sha256", "content__size_bytes", "media_type", "created_at", "content_id",
)  # fmt: skip
_FACTS = (
    "place", "artifact_id", "task_id", "kind", "sha256", "size_bytes", "media_type", "delivered_at", "content_id",
)  # fmt: skip


def works_in(project: Project, *, folder: str = "", all_versions: bool = False) -> list[Work]:
    """Return what a project has at the paths of a folder, or all of it; `folder` is as `tree.folder_at` returns it."""
    paths = ArtifactPath.objects.filter(project=project)
    versions = ArtifactVersion.objects.filter(artifact__project=project)
    if folder:
        paths = paths.annotate(start=Left("path", len(folder))).filter(start=folder)
        versions = versions.filter(artifact__in=paths.values("artifact_id"))
    return list(_works(versions, paths, all_versions))


def pathless_in(project: Project, *, all_versions: bool = False) -> list[Work]:
    """Return the works of a project that have no path."""
    versions = ArtifactVersion.objects.filter(artifact__project=project, artifact__paths__isnull=True)
    return list(_works(versions, ArtifactPath.objects.none(), all_versions))


def folder_works(
    project: Project, path: str, *, is_pathless: bool = False, all_versions: bool = False
) -> tuple[list[Work], str]:
    """Return what lies in a folder of the tree and below it, and what all of that may be called.

    Raises NotFound for a path that cannot be.
    """
    if is_pathless:
        return pathless_in(project, all_versions=all_versions), f"{project.slug}-no-path"
    folder = folder_at(path)
    name = "-".join([project.slug, *folder.split("/")[:-1][-1:]])
    return works_in(project, folder=folder, all_versions=all_versions), name


def works_of(task: Task, *, all_versions: bool = False) -> list[Work]:
    """Return what a task and everything below it delivered."""
    if task.is_plan:
        return _of(Q(task=task) | Q(task__root=task), all_versions)
    keys = [task.pk, *sorted(descendants_of([task.pk]))]
    groups = (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
    return [work for group in groups for work in _of(Q(task__in=group), all_versions)]


def chunks_of(work: Work) -> Iterator[bytes]:
    """Yield the delivered bytes of a work. Raises Damaged, at the end at the latest; then none of it is good."""
    content = Content.objects.filter(pk=work.content_id).first()
    if content is None:
        raise storage.Damaged("The work was removed meanwhile.", next="Look at what its task has now.")
    return storage.chunks(content)


def _of(wanted: Q, all_versions: bool) -> list[Work]:
    artifacts = Artifact.objects.filter(wanted).values("pk")
    versions = ArtifactVersion.objects.filter(artifact__in=artifacts)
    return list(_works(versions, ArtifactPath.objects.filter(artifact__in=artifacts), all_versions))


def _works(versions: QuerySet[ArtifactVersion], paths: QuerySet[ArtifactPath], all_versions: bool) -> Iterator[Work]:
    its: dict[int, list[str]] = {}
    for key, path in paths.order_by("pk").values_list("artifact_id", "path"):
        its.setdefault(key, []).append(path)
    rows = versions if all_versions else versions.filter(number=F("artifact__version"))
    for key, latest, number, *facts in rows.order_by("pk").values_list(*_COLUMNS):
        said = dict(zip(_FACTS, facts, strict=True))
        yield Work(number=number, is_latest=number == latest, paths=tuple(its.get(key, ())), **said)
