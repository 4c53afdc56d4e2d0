"""The folders of a project, as a person sets them: the one with its files, and further ones.

A person may name any but a whole disk, such as a home folder that is the project in a container.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.db.models import Q

from orchestrator_site.kernel.errors import Conflict, invalid
from tasks.models import Project, ProjectPath
from tasks.repositories import mark_in
from tasks.services.projects import folder

PATHS_LIMIT = 50


def paths_of(project: Project) -> list[str]:
    return sorted(known.path for known in project.paths.all())


def resolved(columns: dict[str, Any], *, kept: Iterable[str] = ()) -> dict[str, Any]:
    """Return columns with the folders in them resolved. Raises Invalid for what is none, unless it is `kept`."""
    if len(columns.get("paths", ())) > PATHS_LIMIT:
        raise invalid([{"at": "paths", "problem": f"at most {PATHS_LIMIT} further folders"}], next="Send fewer.")
    problems: list[dict[str, Any]] = []

    def found(path: str, at: str) -> str:
        here = folder(path)
        if path not in kept and (here is None or here == here.parent):
            why = "is a whole disk" if here else "must be the absolute path of a folder on the server"
            problems.append({"at": at, "problem": why})
        return str(here or path)

    if root := columns.get("root_path"):
        columns = {**columns, "root_path": found(root, "root_path")}
    if "paths" in columns:
        paths = [found(path, f"paths[{number}]") for number, path in enumerate(columns["paths"])]
        columns = {**columns, "paths": sorted(set(paths) - {columns.get("root_path", "")})}
    if problems:
        raise invalid(problems, next="Correct or omit them.")
    return columns


def take_folders(project: Project, columns: dict[str, Any]) -> None:
    """Take the folders in columns for a project, in the caller's `taking_folders`, and write its further ones.

    A project without tasks gives its folders up. Raises Conflict where another project with tasks has one.
    """
    wanted = [path for path in (columns.get("root_path"), *columns.get("paths", ())) if path]
    has_one = Q(root_path__in=wanted) | Q(paths__path__in=wanted)
    others = Project.objects.select_for_update(of=("self",)).exclude(pk=project.pk).filter(has_one)
    for other in others.order_by("pk"):
        if other.tasks.exists():
            raise Conflict(
                f"This folder belongs to the project {other.slug!r}, which has tasks.",
                next="Remove it from that project first, or send another folder.",
            )
        other.paths.filter(path__in=wanted).delete()
        Project.objects.filter(pk=other.pk, root_path__in=wanted).update(root_path="")
    marks = [mark.id for path in wanted if (mark := mark_in(Path(path)))]
    Project.objects.exclude(pk=project.pk).filter(mark__in=marks).update(mark="")
    if columns.get("root_path", project.root_path) != project.root_path:
        project.mark = ""  # the next local assistant finds or leaves one
        project.save(update_fields=["mark"])
    if "paths" in columns:
        project.paths.exclude(path__in=columns["paths"]).delete()
        known = set(project.paths.values_list("path", flat=True))
        ProjectPath.objects.bulk_create(
            ProjectPath(project=project, path=path) for path in columns["paths"] if path not in known
        )
