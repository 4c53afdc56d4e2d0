"""The workload of each specialist: what is held and waits, what comes and goes a day, and how long a queue takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Q

from tasks.choices import Status
from tasks.insights.choices import Dimension, Horizon, Name
from tasks.insights.selectors.figures import ENOUGH, Figure, Figures, window_of
from tasks.models import Project, Task
from tasks.state_machine import UNFINISHED

DAYS = {Horizon.CURRENT_SESSION: 8 / 24, Horizon.DAILY: 1.0, Horizon.WEEKLY: 7.0}
"""How far a forecast looks; a session is taken as eight hours."""
THRESHOLD, LEAST, MOST = 1.0, 0.1, 100.0


@dataclass(frozen=True, slots=True)
class Load:
    """The tasks of a specialist. `n` is how many finished in the window, `arrivals` and `finishes` are a day's.

    Those are None where nothing was counted.

    `share` is what there is to do within the horizon of what can be finished in it, and `days_through` how long a task
    that comes now takes, by Little's law. Both are None where too few finished to say.
    """

    specialist: str
    held: int
    ready: int
    waiting: int
    in_review: int
    arrivals: float | None
    finishes: float | None
    n: int
    review_wait: float | None
    share: float | None
    days_through: float | None


@dataclass(frozen=True, slots=True)
class Workload:
    horizon: Horizon
    threshold: float
    days: int  # that rates are measured in: the window, or since a younger project began
    loads: list[Load] = field(default_factory=list)

    @property
    def over(self) -> list[Load]:
        return [load for load in self.loads if load.share is not None and load.share > self.threshold]


def workload_of(
    project: Project,
    figures: Figures,
    *,
    horizon: Horizon = Horizon.DAILY,
    threshold: float = THRESHOLD,
    specialist: str = "",
) -> Workload:
    """Return the load of each specialist that has tasks to do or finished some in the window, by name."""
    of_whom = {"specialist": specialist} if specialist else {}
    leaves = Task.objects.filter(project=project, status__in=UNFINISHED, **of_whom).on_board().leaves().order_by()
    rows = leaves.values_list("specialist").annotate(
        held=Count("pk", filter=Q(status=Status.ACTIVE)),
        in_review=Count("pk", filter=Q(status=Status.IN_REVIEW)),
        total=Count("pk"),
    )  # one walk along their index; grouped by status, it would sort
    counts = {name: numbers for name, *numbers in rows}
    # Grouped, SQLite would not use the index of what is ready.
    is_ready = Task.objects.filter(project=project, is_ready=True, **of_whom).order_by()
    ready = Counter(is_ready.values_list("specialist", flat=True))
    measured = {each.key for each in figures.of(Name.DONE, Dimension.SPECIALIST) if specialist in ("", each.key)}
    names = sorted({*counts, *measured} - {""})
    age = (figures.day - project.created_at.astimezone(window_of(project).zone).date()).days + 1
    known = min(max(age, 1), figures.days)
    counted = known if figures.until else 0
    loads = [_load(name, counts.get(name, (0, 0, 0)), ready[name], figures, counted, DAYS[horizon]) for name in names]
    return Workload(horizon, threshold, known, loads)


def _load(name: str, counts: Sequence[int], ready: int, figures: Figures, known: int, days: float) -> Load:
    done = figures.get(Name.DONE, Dimension.SPECIALIST, name)
    finishes, arrivals = _a_day(done, known), _a_day(figures.get(Name.PLANNED, Dimension.SPECIALIST, name), known)
    review = figures.get(Name.REVIEW_WAIT, Dimension.SPECIALIST, name)
    held, in_review, total = counts
    to_do = total - in_review
    n = done.n if done else 0
    return Load(
        specialist=name,
        held=held,
        ready=ready,
        waiting=to_do - held - ready,
        in_review=in_review,
        arrivals=arrivals,
        finishes=finishes,
        n=n,
        review_wait=review.value if review and review.is_enough else None,
        share=(held + ready + arrivals * days) / (finishes * days)
        if n >= ENOUGH and finishes and arrivals is not None
        else None,
        days_through=to_do / finishes if n >= ENOUGH and finishes else None,
    )


def _a_day(figure: Figure | None, days: int) -> float | None:
    return (figure.value / days if figure else 0.0) if days else None
