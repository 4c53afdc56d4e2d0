"""How much waits for a review, on the whole site."""

from __future__ import annotations

from tasks.choices import Status
from tasks.models import Project, Task

COUNTED = 99


def to_review() -> str:
    """Return how many tasks wait for a review, as a word: empty for none, and 99+ at most."""
    waiting = Task.objects.filter(
        project__in=Project.objects.values("pk"), status=Status.IN_REVIEW, archived_at__isnull=True
    )
    number = waiting.order_by()[: COUNTED + 1].count()
    return "" if not number else f"{COUNTED}+" if number > COUNTED else str(number)
