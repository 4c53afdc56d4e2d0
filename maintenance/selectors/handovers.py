"""The handovers of a project: the newest, a certain one, and how far the board has moved since."""

from __future__ import annotations

from django.db.models import QuerySet

from maintenance.models import Handover
from orchestrator_site.kernel.compiled import Compiled
from orchestrator_site.kernel.errors import NotFound
from tasks.models import Event, Project

COUNTED = 1_000
"""Events since a handover are counted up to here."""
_latest = Compiled(lambda project: Handover.objects.filter(project=project).defer("text").order_by("-number")[:1])
_moved = Compiled(
    lambda project, cursor: (
        Event.objects.filter(project=project, id__gt=cursor).order_by("id").values_list("id", flat=True)[: COUNTED + 1]
    )
)


def latest(project: Project) -> Handover | None:
    """Return the newest handover; its text is read when it is asked for."""
    return _latest.first(project=project)


def moved_since(handover: Handover) -> int:
    """Return how many events came after a handover; up to a limit, above which it is that limit and one."""
    return len(_moved(project=handover.project_id, cursor=handover.cursor))


def handover_by_number(project: Project, number: int) -> Handover:
    """Raises NotFound."""
    found = Handover.objects.filter(project=project, number=number).first()
    if found is None:
        raise NotFound(
            f"There is no handover {number} of project {project.slug}.",
            next=f"GET /api/v1/projects/{project.slug}/handovers lists them.",
        )
    return found


def handovers(project: Project) -> QuerySet[Handover]:
    """The handovers of a project, the newest first, without their texts."""
    return Handover.objects.filter(project=project).defer("text").order_by("-number")
