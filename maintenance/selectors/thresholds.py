"""How long silence is usual: the published hours of each specialist, and the project's own measured times."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from tasks.choices import Status
from tasks.models import Project, Task
from tasks.project_settings import setting

FLOOR_ACTIVE = timedelta(minutes=60)
REVIEW = timedelta(hours=24)
NEVER_CLAIMED = timedelta(days=7)
PLAN_QUIET = timedelta(days=30)
PLAN_BARELY_BEGUN_QUIET = timedelta(days=7)
FACTOR = 4
SAMPLE, ENOUGH = 50, 20
_LOOKED_AT = 1_000
_Cell = tuple[str, str]  # specialist and complexity; an empty one is any


@dataclass(frozen=True, slots=True)
class Limit:
    """After how much silence a task is stale, and what says so: p90 of `n` measured tasks, or published hours."""

    after: timedelta
    n: int = 0
    p90: timedelta | None = None

    @property
    def evidence(self) -> dict[str, float | int]:
        facts: dict[str, float | int] = {"limit_hours": _hours(self.after), "n": self.n}
        return facts | ({"p90_hours": _hours(self.p90)} if self.p90 else {})


class Thresholds:
    """The limits of a project, by one query."""

    def __init__(self, project: Project) -> None:
        self._hours = setting(project, "maintenance.stale_hours")
        self._times = _measured(project)

    def of(self, specialist: str, complexity: str) -> Limit:
        """Return 4 x p90 of the last tasks of a kind, at least an hour, at most the hours of the specialist.

        A cell with fewer than 20 tasks yields to a wider one: the specialist, then the project.
        """
        ceiling = timedelta(hours=self._hours.get(specialist, self._hours["default"]))
        for cell in ((specialist, complexity), (specialist, ""), ("", "")):
            times = self._times.get(cell, [])
            if len(times) >= ENOUGH:
                p90 = sorted(times)[(len(times) * 9 - 1) // 10]
                return Limit(min(ceiling, max(FLOOR_ACTIVE, FACTOR * p90)), len(times), p90)
        return Limit(ceiling)


def _measured(project: Project) -> dict[_Cell, list[timedelta]]:
    """Return the newest times from the first claim to the end, at most `SAMPLE` in each cell and the wider ones."""
    done = Task.objects.filter(project=project, status=Status.COMPLETED, is_leaf=True, started_at__isnull=False)
    rows = done.order_by("-updated_at").values_list("specialist", "complexity", "started_at", "completed_at")
    found: dict[_Cell, list[timedelta]] = defaultdict(list)
    for specialist, complexity, started, ended in rows[:_LOOKED_AT]:
        assert started is not None and ended is not None  # noqa: S101 - a constraint of the table says so
        took = max(timedelta(), ended - started)
        for cell in ((specialist, complexity), (specialist, ""), ("", "")):
            if len(found[cell]) < SAMPLE:
                found[cell].append(took)
    return found


def _hours(time: timedelta) -> float:
    return round(time.total_seconds() / 3600, 2)
