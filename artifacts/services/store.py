"""Store a delivery as an artifact of a task, or as the next version of one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db.models import prefetch_related_objects
from django.utils import timezone

from artifacts import storage as content_store
from artifacts.media_types import media_type_of
from artifacts.models import Artifact, ArtifactPath, ArtifactVersion, Kind
from artifacts.search.index import index_artifact
from artifacts.storage import Prepared
from orchestrator_site.kernel import ids
from orchestrator_site.kernel.compiled import Compiled, insert
from tasks import events
from tasks.choices import Verb
from tasks.identity.actor import Actor
from tasks.models import Task

_artifacts_of = Compiled(lambda task: Artifact.objects.filter(task=task).select_for_update(of=("self",)))


def store_artifact(
    *,
    task: Task,
    actor: Actor,
    prepared: Prepared,
    kind: str = Kind.GENERAL,
    summary: str = "",
    paths: Sequence[str] = (),
    media_type: str = "",
    beside: Collection[int] = (),
) -> ArtifactVersion:
    """Store prepared bytes for a task, as the next version of what `_same_artifact` finds, or as a new artifact.

    `paths` are normalised, and determine the media type where none is given; `beside` are the keys of artifacts that
    this is delivered together with. Call it in the transaction of the delivery, with the task's row locked.
    """
    artifact = _artifact_for(task, kind, summary, paths, beside)
    version = ArtifactVersion(
        artifact=artifact,
        number=artifact.version,
        content=content_store.insert(prepared),
        summary=summary,
        media_type=media_type or media_type_of(paths, is_text=prepared.size_chars is not None),
        session=actor.session,
        actor_name=actor.name,
    )
    insert(version)
    index_artifact(version, task=task, paths=paths)
    facts = {"artifact_id": artifact.public_id, "version": version.number, "sha256": prepared.sha256}
    events.record(actor=actor, verb=Verb.DELIVER, project=task.project_id, task=task, after=facts)
    return version


def _same_artifact(task: Task, paths: Sequence[str], beside: Collection[int]) -> Artifact | None:
    """Find the artifact that this is the next version of: the one for the same paths, or the only one whose paths are
    all among these, which gets the others too.

    No path may show what was not delivered for it, so one that has a further path is another artifact. So is one that
    is delivered beside this one, unless it was delivered for the very same paths.
    """
    wanted = set(paths)
    rows = _artifacts_of(task=task)
    prefetch_related_objects(rows, "paths")
    found = {row: {path.path for path in row.paths.all()} for row in rows}
    same = [row for row, its in found.items() if its == wanted and (its or row.pk not in beside)]
    within = [row for row, its in found.items() if its and its < wanted and row.pk not in beside]
    return same[0] if same else within[0] if len(within) == 1 else None


def _artifact_for(task: Task, kind: str, summary: str, paths: Sequence[str], beside: Collection[int]) -> Artifact:
    project = task.project_id
    artifact = _same_artifact(task, paths, beside)
    if artifact is None:
        artifact = Artifact(public_id=ids.artifact_id(), project_id=project, task=task, kind=kind, summary=summary)
        insert(artifact)
    else:
        artifact.version += 1
        artifact.kind, artifact.summary, artifact.updated_at = kind, summary, timezone.now()
        artifact.save(update_fields=["version", "kind", "summary", "updated_at"])
    if paths:
        rows = [ArtifactPath(artifact=artifact, project_id=project, path=path) for path in paths]
        ArtifactPath.objects.bulk_create(rows, ignore_conflicts=True)
    return artifact
