"""Count the figures of a project and store them as those of today."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q

from orchestrator_site.kernel.compiled import insert_all
from tasks.insights.choices import Dimension, Name
from tasks.insights.models import Figure
from tasks.insights.selectors.figures import Figures, count, window_of
from tasks.models import Event, Project
from tasks.project_settings import setting
from tasks.selectors.feed import last_id

KEPT = timedelta(days=400)


def count_figures(*, project: Project) -> int:
    """Store the figures of today in place of earlier ones of today; returns how many there are.

    Of earlier days only those of the whole project are kept, for `KEPT`. Where another process has counted later
    events already, its figures stay, and this returns 0.
    """
    figures = count(project, window_of(project))
    rows = [
        Figure(
            project_id=project.pk, day=figures.day, days=figures.days, until=figures.until, name=each.name,
            dimension=each.dimension, key=each.key, n=each.n, value=each.value, high=each.high,
        )
        for each in figures
    ]  # fmt: skip
    with transaction.atomic():
        Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        stored = Figure.objects.filter(project=project)
        if stored.filter(day=figures.day, until__gt=figures.until).exists():
            return 0
        stored.filter(_replaced_by(figures)).delete()
        insert_all(rows)
    return len(rows)


def _replaced_by(figures: Figures) -> Q:
    """Match those of today, of days that are not there yet (the clock was set back), and what is kept no longer."""
    of_the_project = Q(dimension=Dimension.PROJECT, key="")
    return Q(day__gte=figures.day) | Q(day__lt=figures.day - KEPT) | ~of_the_project


def count_everywhere() -> str:
    """Count the figures of projects that switch it on and have moved since today's were counted."""
    projects = [each for each in Project.objects.order_by("pk") if setting(each, "metrics.daily") == "act"]
    due = [each for each in projects if _is_due(each)]
    total = sum(count_figures(project=each) for each in due)
    return f"Counted {total} figures of {len(due)} projects."


def _is_due(project: Project) -> bool:
    window, events = window_of(project), Event.objects.filter(project=project, pk__lte=last_id())
    newest = events.order_by("-pk").values_list("pk", flat=True).first() or 0
    today = Figure.objects.filter(project=project, day=window.day, days=window.days, until__gte=newest)
    return not today.filter(dimension=Dimension.PROJECT, name=Name.DONE, key="").exists()
