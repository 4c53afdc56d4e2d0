"""The supervisors that are at work."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from orchestrator_site.kernel.errors import NotReady
from tasks.agents.models import Supervisor

ABSENT_AFTER = timedelta(seconds=15)


def present() -> QuerySet[Supervisor]:
    return Supervisor.objects.filter(seen_at__gt=timezone.now() - ABSENT_AFTER)


def require_supervisor() -> None:
    """Check that one is there to take runs. Raises NotReady."""
    if not present().exists():
        raise NotReady(
            "No process is there that starts agents.", next="Ask the person who runs the server to start: manage.py up"
        )
