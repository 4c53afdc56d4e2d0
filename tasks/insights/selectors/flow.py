"""What is going on now: in hand, ready, stopped, the oldest in hand, and how many tasks were completed on each day."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.choices import Status
from tasks.models import Project, Task
from tasks.selectors import counts
from tasks.selectors.rows import Counts


@dataclass(frozen=True, slots=True)
class Flow:
    counts: Counts
    ready: int
    oldest: Task | None
    """Of those in hand, the one that was started first."""

    @property
    def in_hand(self) -> int:
        return self.counts.by_status.get(Status.ACTIVE, 0)

    @property
    def blocked(self) -> int:
        return self.counts.by_status.get(Status.BLOCKED, 0)

    @property
    def unfinished(self) -> int:
        return self.counts.total - self.counts.done

    @property
    def in_review(self) -> int:
        return self.counts.by_status.get(Status.IN_REVIEW, 0)

    @property
    def blocked_percent(self) -> int:
        return round(100 * self.blocked / self.unfinished) if self.unfinished else 0


def flow_of(project: Project) -> Flow:
    ready = Task.objects.filter(project=project, is_ready=True).order_by().count()
    active = Task.objects.filter(project=project, status=Status.ACTIVE).on_board().leaves()
    oldest = active.only("public_id", "title", "started_at").order_by("started_at")[:1]
    return Flow(Counts(counts.of_project(project)), ready, next(iter(oldest), None))
