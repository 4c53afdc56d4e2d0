"""Reads of uploads."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from artifacts.models import Upload, UploadState
from orchestrator_site.kernel.errors import Hint, NotFound
from tasks.models import Project, Task

UPLOADS_LIMIT = 100
"""Uploads in one delivery."""


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


def uploads_problems(
    work: str | None, upload_ids: list[str], file_paths: list[str], expected_size: int | None = None
) -> list[dict[str, Any]]:
    """Return what is wrong with how a call delivers: a text, or uploads, which have their own metadata."""
    if work is None and not upload_ids:
        return [{"at": "detailed_work", "problem": "is required, unless upload_ids are given"}]
    if not upload_ids:
        return []
    problems = [{"at": "detailed_work", "problem": "cannot be combined with upload_ids"}] if work is not None else []
    if file_paths:
        problems.append({"at": "file_paths", "problem": "are set when an upload begins; leave them out here"})
    if expected_size is not None:
        problems.append({"at": "expected_size", "problem": "is set when an upload begins; leave it out here"})
    if len(upload_ids) > UPLOADS_LIMIT or len(set(upload_ids)) < len(upload_ids):
        problems.append({"at": "upload_ids", "problem": f"must be up to {UPLOADS_LIMIT} different ids"})
    return problems
