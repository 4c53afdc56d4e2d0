"""How much a project stores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.db import connection
from django.db.models import Sum

from artifacts.models import Artifact, ArtifactVersion
from tasks.models import Project

MEASURED = 2_000
"""Artifacts whose sizes are summed up; of more, only their number is known quickly."""


@dataclass(frozen=True, slots=True)
class Storage:
    """`size_bytes` of the artifacts is None where there are too many to sum up on a page."""

    artifacts: int
    size_bytes: int | None
    database_bytes: int


def storage_of(project: Project) -> Storage:
    artifacts = Artifact.objects.filter(project=project).order_by().count()
    return Storage(artifacts, _bytes_of(project) if artifacts <= MEASURED else None, database_bytes())


def _bytes_of(project: Project) -> int:
    versions = ArtifactVersion.objects.filter(artifact__project=project).order_by()
    return int(versions.aggregate(size=Sum("content__size_bytes"))["size"] or 0)


def database_bytes() -> int:
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        return sum(path.stat().st_size for path in map(Path, (name, f"{name}-wal")) if path.is_file())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])
