"""What happens to runs when their tasks are purged."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from orchestrator_site.kernel.signals import tasks_purged
from tasks.agents.models import Run


@receiver(tasks_purged)
def delete_runs(*, keys: Any, **_: Any) -> None:
    Run.objects.filter(task__in=keys).delete()
