"""Which versions files are made from: those of a project, of a task and its subtasks, or of a folder of the tree."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Left

from artifacts import storage
from artifacts.export.filenames import ExportedVersion
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion, Content
from artifacts.selectors.tree import folder_at
from tasks.models import Project, Task
from tasks.selectors.descendants import descendants_of

BATCH = 5_000
_COLUMNS = (
    "pk", "number", "artifact__public_id", "artifact__task__public_id", "artifact__kind", "content__sha256",
    "content__size_bytes", "media_type", "created_at", "content_id",
)  # fmt: skip
"""The last fields of ExportedVersion, in its order."""


def versions_in(project: Project, *, folder: str = "", all_versions: bool = False) -> list[ExportedVersion]:
    """Return the versions of a project, or of a folder of it, which is as `tree.folder_at` returns it."""
    paths = ArtifactPath.objects.filter(project=project)
    versions = ArtifactVersion.objects.filter(artifact__project=project)
    if folder:
        paths = paths.annotate(start=Left("path", len(folder))).filter(start=folder)
        versions = versions.filter(artifact__in=paths.values("artifact_id"))
    return list(_exported(versions, paths, all_versions))


def folder_versions(
    project: Project, path: str, *, is_pathless: bool = False, all_versions: bool = False
) -> tuple[list[ExportedVersion], str]:
    """Return the versions in a folder of the tree and below it, or those without a path, and a name for all of them.

    Raises NotFound for an impossible path.
    """
    if is_pathless:
        versions = ArtifactVersion.objects.filter(artifact__project=project, artifact__paths__isnull=True)
        found = list(_exported(versions, ArtifactPath.objects.none(), all_versions))
        return found, f"{project.slug}-no-path"
    folder = folder_at(path)
    name = "-".join([project.slug, *folder.split("/")[:-1][-1:]])
    return versions_in(project, folder=folder, all_versions=all_versions), name


def versions_of(task: Task, *, all_versions: bool = False) -> list[ExportedVersion]:
    """Return what a task and everything below it delivered."""
    if task.is_plan:
        return _of(Q(task=task) | Q(task__root=task), all_versions)
    keys = [task.pk, *sorted(descendants_of([task.pk]))]
    groups = (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))
    return [version for group in groups for version in _of(Q(task__in=group), all_versions)]


def chunks_of(version: ExportedVersion) -> Iterator[bytes]:
    """Yield the delivered bytes of a version. Raises Damaged, at the end at the latest; then none of them are good."""
    content = Content.objects.filter(pk=version.content_id).first()
    if content is None:
        raise storage.Damaged("The artifact has been removed.", next="Look at what its task has now.")
    return storage.chunks(content)


def _of(condition: Q, all_versions: bool) -> list[ExportedVersion]:
    artifacts = Artifact.objects.filter(condition).values("pk")
    versions = ArtifactVersion.objects.filter(artifact__in=artifacts)
    return list(_exported(versions, ArtifactPath.objects.filter(artifact__in=artifacts), all_versions))


def _exported(
    versions: QuerySet[ArtifactVersion], paths: QuerySet[ArtifactPath], all_versions: bool
) -> Iterator[ExportedVersion]:
    paths_of: dict[int, list[str]] = {}
    for key, path in paths.order_by("pk").values_list("artifact_id", "path"):
        paths_of.setdefault(key, []).append(path)
    rows = versions if all_versions else versions.filter(number=F("artifact__version"))
    for key, latest, *fields in rows.order_by("pk").values_list("artifact_id", "artifact__version", *_COLUMNS):
        yield ExportedVersion(tuple(paths_of.get(key, ())), fields[1] == latest, *fields)
