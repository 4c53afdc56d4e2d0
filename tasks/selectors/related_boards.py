"""Other projects that may be meant where an assistant meets an empty board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.db.models import Count

from tasks.choices import FINISHED
from tasks.models import Project, Task

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Board:
    name: str
    slug: str
    open_plans: int


def boards_in_doubt(project: Project) -> list[Board]:
    """Return the first few projects with open plans that may be the one of a project's folder.

    Their folder has the same name, lies in it or above it, or is gone, as after a move that left no mark.
    """
    here = Path(project.root_path)
    plans = Task.objects.on_board().plans().exclude(status__in=FINISHED)
    others = plans.exclude(project=project).exclude(project__root_path="").order_by("project_id")
    rows = others.values_list("project__name", "project__slug", "project__root_path").annotate(Count("pk"))
    return [Board(name, slug, number) for name, slug, there, number in rows if _may_be(Path(there), here)][:SHOWN]


def _may_be(there: Path, here: Path) -> bool:
    if there.name.casefold() == here.name.casefold() or there in here.parents or here in there.parents:
        return True
    try:
        return not there.is_dir()
    except OSError:
        return False  # it may be there, but not for us
