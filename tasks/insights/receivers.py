"""What happens here when tasks are purged."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from orchestrator_site.kernel.signals import tasks_purged
from tasks.insights.models import Suggestion


@receiver(tasks_purged)
def forget_suggestions(*, keys: Any, **_: Any) -> None:
    """What the tasks taught is unlearned once the purge is read of: here, thousands would take seconds."""
    Suggestion.objects.filter(task__in=keys).delete()
