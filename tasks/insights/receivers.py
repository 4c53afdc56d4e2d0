"""What happens here when tasks are purged."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from orchestrator_site.kernel.signals import tasks_purged
from tasks.insights.models import Suggestion
from tasks.insights.services.learn import forget


@receiver(tasks_purged)
def forget_tasks(*, keys: Any, **_: Any) -> None:
    forget(keys)
    Suggestion.objects.filter(task__in=keys).delete()
