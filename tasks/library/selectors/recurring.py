"""Recurring plans: their schedules in the time zone of their project, and which are on."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from tasks.choices import FINISHED
from tasks.library.models import Recurring
from tasks.library.schedules import Schedule
from tasks.models import Project
from tasks.project_settings import setting

NOT_PLANNED = "Not planned: "
"""How the outcome begins of a turn at which the template or its parameters no longer fitted."""


def recurring_of(project: Project) -> QuerySet[Recurring]:
    return Recurring.objects.filter(project=project).select_related("project", "last_plan").order_by("name")


def zone_of(project: Project) -> str:
    return str(setting(project, "time_zone"))


def schedule_of(recurring: Recurring) -> Schedule:
    return Schedule(recurring.cron, recurring.every_minutes, zone_of(recurring.project))


def next_times(recurring: Recurring, now: datetime, number: int = 3) -> list[datetime]:
    """Return the next turns: from the one that is due where it is on, as if it were switched on now where it is off."""
    schedule = schedule_of(recurring)
    if not recurring.is_on or recurring.next_at is None:
        return schedule.following(now, number)
    return [recurring.next_at, *schedule.following(max(recurring.next_at, now), number - 1)]


def waits_for_its_last(recurring: Recurring) -> bool:
    plan = recurring.last_plan
    return plan is not None and plan.archived_at is None and plan.status not in FINISHED
