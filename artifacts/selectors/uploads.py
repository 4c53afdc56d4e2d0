"""Find uploads."""

from __future__ import annotations

from django.db.models import QuerySet

from artifacts.models import Upload, UploadState
from orchestrator_site.kernel.errors import Hint, NotFound
from tasks.models import Project, Task


def upload_by_id(project: Project, public_id: str) -> Upload:
    """Return an upload of this project. Raises NotFound."""
    found = Upload.objects.select_related("task", "task__project").filter(project=project, public_id=public_id).first()
    if found is None:
        raise NotFound(
            f"There is no upload {public_id[:64]!r} in project {project.slug}.",
            hint=Hint.LIST_UPLOADS,
        )
    return found


def open_uploads(project: Project, task: Task | None = None) -> QuerySet[Upload]:
    """Return the open uploads of a project, or of one task of it, the oldest first."""
    rows = Upload.objects.select_related("task").filter(project=project, state=UploadState.OPEN).order_by("pk")
    return rows if task is None else rows.filter(task=task)
